// SPDX-License-Identifier: Apache-2.0
// GPT-2 (learned positions, Conv1D weights) and GPT-NeoX (partial rotation, parallel residual; Pythia).
#pragma once

#include "lancet/io/family/config.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet::detail {

[[nodiscard]] inline model_description describe_gpt2(config const& c, tensor_table const& tensors) {
  model_description m;
  architecture& a = m.arch;
  a.family = "gpt2";
  c.require("is_causal", true);
  a.layers = c.layers("n_layer", tensors);
  a.width = c.count("n_embd");
  a.heads = a.kv_heads = c.count("n_head");
  a.head_dim = a.width / a.heads;
  a.mlp_width = c.count("n_inner", 4 * a.width);
  a.vocabulary = c.count("vocab_size");
  a.context = c.count("n_positions");
  a.norm = norm_kind::layer;
  a.norm_epsilon = c.value<double>("layer_norm_epsilon", 1e-5);
  a.positions = position_kind::learned;
  a.mlp = mlp_kind::plain;
  a.activation = activation_of(c, "activation_function", "gelu_new");
  c.require("scale_attn_weights", true);
  c.require("scale_attn_by_inverse_layer_idx", false);
  c.require("add_cross_attention", false);
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.tied_unembedding = c.value<bool>("tie_word_embeddings", true);

  tensor_names& n = m.names;
  std::string const root = tensors.find("transformer.wte.weight") ? "transformer." : "",
                    layer = root + "h.{}.";
  n.embedding = root + "wte";
  n.positions = root + "wpe";
  n.unembedding = "lm_head";
  n.final_norm = root + "ln_f";
  n.attn_norm = layer + "ln_1";
  n.mlp_norm = layer + "ln_2";
  n.qkv = {layer + "attn.c_attn"};
  n.o = layer + "attn.c_proj";
  n.mlp_in = {layer + "mlp.c_fc"};
  n.down = layer + "mlp.c_proj";
  n.norm_bias = n.qkv_bias = n.o_bias = n.mlp_bias = true;
  n.transposed = true;
  n.ignored = {".attn.bias", ".attn.masked_bias"};
  if (tensor_entry const* const score = tensors.find("score.weight")) {
    read_labels(a, c, *score);
    n.unembedding = "score";
  }
  return m;
}

[[nodiscard]] inline model_description describe_gpt_neox(config const& c, tensor_table const& tensors) {
  model_description m;
  architecture& a = m.arch;
  a.family = "gpt_neox";
  c.require("is_causal", true);
  a.layers = c.layers("num_hidden_layers", tensors);
  a.width = c.count("hidden_size");
  a.heads = a.kv_heads = c.count("num_attention_heads");
  a.head_dim = a.width / a.heads;
  a.mlp_width = c.count("intermediate_size");
  a.vocabulary = c.count("vocab_size");
  a.context = c.count("max_position_embeddings");
  a.norm = norm_kind::layer;
  a.norm_epsilon = c.value<double>("layer_norm_eps", 1e-5);
  a.residual = c.value<bool>("use_parallel_residual", true) ? residual_kind::parallel : residual_kind::serial;
  config const rope = rope_object(c);
  double const base = rope.value<double>(
      "rope_theta", c.value<double>("rotary_emb_base", c.value<double>("rope_theta", 10000)));
  a.rope = read_rope(rope, c, base, rotary_dims(c, rope, a.head_dim, c.value<double>("rotary_pct", 0.25)));
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.mlp = mlp_kind::plain;
  a.activation = activation_of(c, "hidden_act", "gelu");
  a.tied_unembedding = c.value<bool>("tie_word_embeddings", false);

  tensor_names& n = m.names;
  std::string const layer = "gpt_neox.layers.{}.";
  n.embedding = "gpt_neox.embed_in";
  n.unembedding = "embed_out";
  n.final_norm = "gpt_neox.final_layer_norm";
  n.attn_norm = layer + "input_layernorm";
  n.mlp_norm = layer + "post_attention_layernorm";
  n.qkv = {layer + "attention.query_key_value"};
  n.qkv_rows = row_order::per_head;
  n.o = layer + "attention.dense";
  n.mlp_in = {layer + "mlp.dense_h_to_4h"};
  n.down = layer + "mlp.dense_4h_to_h";
  n.norm_bias = n.mlp_bias = true;
  n.qkv_bias = n.o_bias = c.value<bool>("attention_bias", true);
  n.ignored = {".attention.bias", ".attention.masked_bias", ".attention.rotary_emb.inv_freq"};
  return m;
}

}  // namespace lancet::detail
