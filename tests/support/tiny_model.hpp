// SPDX-License-Identifier: Apache-2.0
// Small random models of several families, made in memory: no files, the same weights on every backend.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lancet/model/batch.hpp"
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

/// The same as files can say it: a rotation of the whole head, the usual scale.
[[nodiscard]] inline lancet::architecture llama_of_files() {
  lancet::architecture a = llama_like();
  a.rope.dims = a.head_dim;
  a.score_scale = 1 / std::sqrt(6.0);
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

/// Gemma's axes (2 and 3 in one): norms around the branches and of each head's queries and keys, windows with a rotation
/// of their own, capped scores and logits, scaled embeddings.
[[nodiscard]] inline lancet::architecture gemma_like() {
  lancet::architecture a = llama_like();
  a.family = "gemma";
  a.norms = lancet::norm_place::around;
  a.qk_norm = lancet::qk_norm_kind::head;
  a.windows = {3, 0, 2};
  a.local_rope = {.dims = 6, .base = 100};
  a.score_cap = 1.5;
  a.logit_cap = 2.5;
  a.embedding_scale = 1.7;
  a.activation = lancet::activation_kind::gelu_tanh;
  a.tied_unembedding = true;
  return a;
}

/// GPT-NeoX's axes: attention and MLP side by side, LayerNorm and biases, a partial rotation.
[[nodiscard]] inline lancet::architecture neox_like() {
  lancet::architecture a = llama_like();
  a.family = "gpt_neox";
  a.kv_heads = a.heads;
  a.norm = lancet::norm_kind::layer;
  a.residual = lancet::residual_kind::parallel;
  a.mlp = lancet::mlp_kind::plain;
  a.activation = lancet::activation_kind::gelu;
  return a;
}

/// OLMo-2's axes: norms behind the branches, and of all queries and keys together; and YaRN's rotation.
[[nodiscard]] inline lancet::architecture olmo_like() {
  lancet::architecture a = llama_like();
  a.family = "olmo2";
  a.norms = lancet::norm_place::after;
  a.qk_norm = lancet::qk_norm_kind::whole;
  a.rope = {.dims = 4, .scaling = lancet::rope_scaling::yarn, .factor = 4, .original = 10, .magnitude = 1.1};
  return a;
}

/// BERT's axes: norms on the stream, every token sees every token, segment embeddings, a masked-LM head.
[[nodiscard]] inline lancet::architecture bert_like() {
  lancet::architecture a = gpt2_like();
  a.family = "bert";
  a.norms = lancet::norm_place::on_stream;
  a.embedding_norm = true;
  a.token_types = 2;
  a.causal = false;
  a.final_norm = false;
  a.head = lancet::head_kind::dense;
  a.head_activation = lancet::activation_kind::gelu;
  a.head_norm = true;
  return a;
}

/// Families whose tokens see what is before them; and all.
[[nodiscard]] inline std::vector<lancet::architecture> decoders() {
  return {llama_like(), gpt2_like(), gemma_like(), neox_like(), olmo_like()};
}
[[nodiscard]] inline std::vector<lancet::architecture> families() {
  std::vector<lancet::architecture> all = decoders();
  all.push_back(bert_like());
  return all;
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
  auto const norm_of = [&](index width) { return norm_weights<B>{next(1, width, 0.4, 1), bias(width)}; };
  auto const norm = [&](bool there = true) { return there ? norm_of(arch.width) : norm_weights<B>{}; };
  bool const post = norms_output(arch) || norms_stream(arch);
  auto const project = [&](index out, index in) {
    auto w = weight(out, in);
    return projection<B>{std::move(w), bias(out)};
  };
  model_weights<B> w;
  w.embedding = typename B::weight(next(arch.vocabulary, arch.width, 1).all());
  if (arch.positions == position_kind::learned) w.positions = next(arch.context, arch.width, 0.5);
  if (arch.token_types > 0) w.token_types = next(arch.token_types, arch.width, 0.5);
  w.embedding_norm = norm(arch.embedding_norm);
  for (index l = 0; l < arch.layers; ++l) {
    layer_weights<B> layer;
    layer.attn_norm = norm(norms_input(arch));
    layer.qkv = project(n.qkv, arch.width);
    if (arch.qk_norm != qk_norm_kind::none) {
      bool const head = arch.qk_norm == qk_norm_kind::head;
      layer.q_norm = norm_of(head ? arch.head_dim : n.q);
      layer.k_norm = norm_of(head ? arch.head_dim : n.kv);
    }
    layer.o = project(arch.width, n.q);
    layer.attn_post_norm = norm(post);
    layer.mlp_norm = norm(norms_input(arch));
    layer.mlp_in = project(n.mlp_in, arch.width);
    layer.down = project(arch.width, arch.mlp_width);
    layer.mlp_post_norm = norm(post);
    w.layers.push_back(std::move(layer));
  }
  w.final_norm = norm(arch.final_norm);
  if (arch.head == head_kind::dense) {
    w.head = project(arch.width, arch.width);
    w.head_norm = norm(arch.head_norm);
    w.unembedding_bias = next(1, n.outputs, 0.5);
  }
  if (!arch.tied_unembedding)
    w.unembedding = std::make_unique<typename B::weight>(weight(n.outputs, arch.width));
  return {arch, std::move(w), {"tiny", std::string(64, 'a')}};
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
