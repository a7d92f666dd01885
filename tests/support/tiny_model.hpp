// SPDX-License-Identifier: Apache-2.0
// Small random models of both families, made in memory: no files, the same weights on every backend.
#pragma once

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "lancet/model/transformer.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

/// Llama's axes, with a head size that is not width / heads, grouped heads, and a partial rotation.
[[nodiscard]] inline lancet::architecture llama_like() {
  lancet::architecture a;
  a.family = "llama";
  a.layers = 3;
  a.width = 12;
  a.heads = 4;
  a.kv_heads = 2;
  a.head_dim = 6;
  a.mlp_width = 10;
  a.vocabulary = 23;
  a.context = 40;
  a.norm = lancet::norm_kind::rms;
  a.positions = lancet::position_kind::rope;
  a.rope.dims = 4;
  a.score_scale = 0.5;
  a.mlp = lancet::mlp_kind::gated;
  a.activation = lancet::activation_kind::silu;
  a.tied_unembedding = false;
  return a;
}

/// GPT-2's axes: LayerNorm, learned positions, a plain MLP, biases everywhere, a tied unembedding.
[[nodiscard]] inline lancet::architecture gpt2_like() {
  lancet::architecture a = llama_like();
  a.family = "gpt2";
  a.heads = a.kv_heads = 3;
  a.head_dim = 4;
  a.norm = lancet::norm_kind::layer;
  a.positions = lancet::position_kind::learned;
  a.mlp = lancet::mlp_kind::plain;
  a.activation = lancet::activation_kind::gelu_tanh;
  a.tied_unembedding = true;
  return a;
}

/// Random weights for an architecture; LayerNorm brings biases everywhere, as in GPT-2.
template <class B, class Arch = lancet::architecture>
[[nodiscard]] lancet::transformer<B, Arch> tiny_model(Arch const& arch, std::uint64_t seed = 1) {
  using namespace lancet;
  using lancet::index;
  bool const biased = arch.norm == norm_kind::layer;
  sizes<Arch> const n(arch);
  auto const next = [&](index rows, index cols, double spread, double offset = 0) {
    return random_tensor<B>(rows, cols, seed++, spread, offset);
  };
  auto const weight = [&](index out, index in) {
    return typename B::weight(next(out, in, 1.2 / std::sqrt(static_cast<double>(in))).all());
  };
  auto const bias = [&](index out) { return biased ? next(1, out, 0.3) : tensor<B>{}; };
  auto const norm = [&] { return norm_weights<B>{next(1, arch.width, 0.4, 1), bias(arch.width)}; };
  auto const project = [&](index out, index in) {
    auto w = weight(out, in);
    return projection<B>{std::move(w), bias(out)};
  };
  model_weights<B> w;
  w.embedding = typename B::weight(next(arch.vocabulary, arch.width, 1).all());
  if (arch.positions == position_kind::learned) w.positions = next(arch.context, arch.width, 0.5);
  for (index l = 0; l < arch.layers; ++l) {
    layer_weights<B> layer;
    layer.attn_norm = norm();
    layer.qkv = project(n.qkv, arch.width);
    layer.o = project(arch.width, n.q);
    layer.mlp_norm = norm();
    layer.mlp_in = project(n.mlp_in, arch.width);
    layer.down = project(arch.width, arch.mlp_width);
    w.layers.push_back(std::move(layer));
  }
  w.final_norm = norm();
  if (!arch.tied_unembedding)
    w.unembedding = std::make_unique<typename B::weight>(weight(arch.vocabulary, arch.width));
  return {arch, std::move(w), {"tiny", ""}};
}

/// `count` token ids below `vocabulary`.
[[nodiscard]] inline std::vector<lancet::token> random_tokens(index count, index vocabulary,
                                                              std::uint64_t seed) {
  std::vector<lancet::token> out;
  for (index i = 0; i < count; ++i)
    out.push_back(static_cast<lancet::token>((uniform(seed, static_cast<std::uint64_t>(i)) + 1) / 2 *
                                             static_cast<double>(vocabulary)));
  return out;
}

/// True if both views have the same shape and the same bits.
template <class B>
[[nodiscard]] bool same_bits(lancet::const_view<B> a, std::type_identity_t<lancet::const_view<B>> b) {
  return a.rows == b.rows && a.cols == b.cols && elements<B>(a) == elements<B>(b);
}

}  // namespace lancet_test
