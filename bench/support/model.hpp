// SPDX-License-Identifier: Apache-2.0
// The model that benchmarks run: the file or folder $LANCET_MODEL, or random weights of SmolLM2-135M's sizes.
// What a pass costs does not depend on the weights' values.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "lancet/io/load_model.hpp"
#include "numbers.hpp"

namespace lancet_bench {

[[nodiscard]] inline lancet::architecture smollm2_135m() {
  lancet::architecture a;
  a.family = "llama";
  a.layers = 30;
  a.width = 576;
  a.heads = 9;
  a.kv_heads = 3;
  a.head_dim = 64;
  a.mlp_width = 1536;
  a.vocabulary = 49152;
  a.context = 8192;
  a.rope.base = 100000;
  a.rope.dims = 64;
  a.score_scale = 0.125;
  return a;
}

/// Weights uniform with the variance 1 / inputs, so that activations stay of the size of a real model's.
template <class B>
[[nodiscard]] lancet::transformer<B> random_model(lancet::architecture const& a) {
  lancet::sizes<lancet::architecture> const n(a);
  auto const weight = [](index out, index in, std::string const& name) {
    return
        typename B::weight(random_tensor<B>(out, in, name, std::sqrt(3.0 / static_cast<double>(in))).all());
  };
  auto const norm = [&](std::string const& name) {
    return lancet::norm_weights<B>{random_tensor<B>(1, a.width, name, 0.1, 1), {}};
  };
  lancet::model_weights<B> w;
  w.embedding = weight(a.vocabulary, a.width, "embedding");
  for (index l = 0; l < a.layers; ++l) {
    std::string const at = " " + std::to_string(l);
    lancet::layer_weights<B> layer;
    layer.attn_norm = norm("attn_norm" + at);
    layer.qkv.weight = weight(n.qkv, a.width, "qkv" + at);
    layer.o.weight = weight(a.width, n.q, "o" + at);
    layer.mlp_norm = norm("mlp_norm" + at);
    layer.mlp_in.weight = weight(n.mlp_in, a.width, "mlp_in" + at);
    layer.down.weight = weight(a.width, a.mlp_width, "down" + at);
    w.layers.push_back(std::move(layer));
  }
  w.final_norm = norm("final_norm");
  return {a, std::move(w), {"random weights of SmolLM2-135M's sizes", "random"}};
}

/// One model a backend, made at its first use. Its name is every benchmark's label.
template <class B>
[[nodiscard]] lancet::transformer<B> const& model() {
  static lancet::transformer<B> const made = [] {
    char const* path = std::getenv("LANCET_MODEL");
    return path ? lancet::load_model<B>(path) : random_model<B>(smollm2_135m());
  }();
  return made;
}

/// `count` sequences of `length` random tokens.
[[nodiscard]] inline std::vector<std::vector<lancet::token>> random_sequences(lancet::architecture const& a,
                                                                              index count, index length) {
  std::vector<std::vector<lancet::token>> out;
  for (index s = 0; s < count; ++s)
    out.push_back(random_tokens(length, a.vocabulary, "sequence " + std::to_string(s)));
  return out;
}
template <class B>
[[nodiscard]] lancet::batch<B> random_batch(lancet::architecture const& a, index count, index length) {
  lancet::batch<B> out;
  for (auto const& sequence : random_sequences(a, count, length)) out.add(sequence);
  return out;
}

/// Floating-point operations of the products with weights, for one row: of a layer, of the unembedding, and
/// of a pass that reads the row out. A backward pass of frozen weights does them once more.
[[nodiscard]] inline double layer_operations(lancet::architecture const& a) {
  lancet::sizes<lancet::architecture> const n(a);
  return 2.0 * static_cast<double>(a.width * (n.qkv + n.q + n.mlp_in + a.mlp_width));
}
[[nodiscard]] inline double unembedding_operations(lancet::architecture const& a) {
  return 2.0 * static_cast<double>(a.vocabulary * a.width);
}
[[nodiscard]] inline double product_operations(lancet::architecture const& a) {
  return static_cast<double>(a.layers) * layer_operations(a) + unembedding_operations(a);
}

}  // namespace lancet_bench
