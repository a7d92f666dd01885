// SPDX-License-Identifier: Apache-2.0
// Llama and its kin: gated MLP, RMSNorm, rotary embedding; each family is what it changes of that.
//
// Llama 1 to 3.2, Mistral, Qwen2, Qwen3, Phi-3, OLMo-2, Gemma 2 and 3.
#pragma once

#include "lancet/io/family/config.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet::detail {

/// What all of them share. `head_dim`: transformers' default where the file does not say; 0: width / heads.
[[nodiscard]] inline model_description llama_kin(config const& c, tensor_table const& tensors,
                                                 char const* family, index head_dim = 0) {
  model_description m;
  architecture& a = m.arch;
  a.family = family;
  c.require("is_causal", true);
  a.layers = c.layers("num_hidden_layers", tensors);
  a.width = c.count("hidden_size");
  a.heads = c.count("num_attention_heads");
  a.kv_heads = c.count("num_key_value_heads", a.heads);
  a.head_dim = c.count("head_dim", head_dim > 0 ? head_dim : a.width / a.heads);
  a.mlp_width = c.count("intermediate_size");
  a.vocabulary = c.count("vocab_size");
  a.context = c.count("max_position_embeddings");
  a.norm_epsilon = c.value<double>("rms_norm_eps", 1e-6);
  config const rope = rope_object(c, "full_attention");
  a.rope = read_rope(rope, c, rope.value<double>("rope_theta", c.value<double>("rope_theta", 10000)),
                     rotary_dims(c, rope, a.head_dim, 1));
  if (a.rope.scaling == rope_scaling::dynamic)  // stretches with the sequence
    a.context = static_cast<index>(static_cast<double>(a.context) * std::min(a.rope.factor, 4096.0));
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.activation = activation_of(c, "hidden_act", "silu");
  a.tied_unembedding = c.value<bool>("tie_word_embeddings", false);
  c.require("num_local_experts", 0);
  c.require("quantization_config", nullptr);

  tensor_names& n = m.names;
  std::string const layer = "model.layers.{}.";
  n.embedding = "model.embed_tokens";
  n.unembedding = "lm_head";
  n.final_norm = "model.norm";
  n.attn_norm = layer + "input_layernorm";
  n.mlp_norm = layer + "post_attention_layernorm";
  n.qkv = {layer + "self_attn.q_proj", layer + "self_attn.k_proj", layer + "self_attn.v_proj"};
  n.o = layer + "self_attn.o_proj";
  n.mlp_in = {layer + "mlp.gate_proj", layer + "mlp.up_proj"};
  n.down = layer + "mlp.down_proj";
  n.ignored = {".rotary_emb.inv_freq"};
  if (tensor_entry const* const score = tensors.find("score.weight")) {  // …ForSequenceClassification
    read_labels(a, c, *score);
    n.unembedding = "score";
  }
  return m;
}

[[nodiscard]] inline model_description describe_llama(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "llama");
  m.names.qkv_bias = m.names.o_bias = c.value<bool>("attention_bias", false);
  m.names.mlp_bias = c.value<bool>("mlp_bias", false);
  c.require("sliding_window", nullptr);
  return m;
}

/// Every layer has the window, which is 4096 where the file does not say, and none where it says null.
[[nodiscard]] inline model_description describe_mistral(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "mistral");
  index const window = find(c.json, "sliding_window") ? c.value<index>("sliding_window", 0) : 4096;
  m.arch.windows = windows_of(c, m.arch.layers, window, [&](index) { return window != 0; });
  return m;
}

/// Windows in layers from max_window_layers on, where they are asked for at all: of 4096 where the file does not say.
[[nodiscard]] inline std::vector<index> qwen_windows(config const& c, index layers) {
  bool const named = find(c.json, "sliding_window") != nullptr;
  bool const slides = c.value<bool>("use_sliding_window", false) && (!named || c.has("sliding_window"));
  index const first = c.value<index>("max_window_layers", 28);
  return windows_of(c, layers, slides ? c.value<index>("sliding_window", 4096) : 0,
                    [&](index l) { return slides && l >= first; });
}

[[nodiscard]] inline model_description describe_qwen2(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "qwen2");
  m.arch.windows = qwen_windows(c, m.arch.layers);
  m.names.qkv_bias = true;
  return m;
}

[[nodiscard]] inline model_description describe_qwen3(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "qwen3", 128);
  m.arch.windows = qwen_windows(c, m.arch.layers);
  m.arch.qk_norm = qk_norm_kind::head;
  m.names.q_norm = "model.layers.{}.self_attn.q_norm";
  m.names.k_norm = "model.layers.{}.self_attn.k_norm";
  m.names.qkv_bias = m.names.o_bias = c.value<bool>("attention_bias", false);
  return m;
}

[[nodiscard]] inline model_description describe_phi3(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "phi3");
  m.arch.norm_epsilon = c.value<double>("rms_norm_eps", 1e-5);
  index const window = c.value<index>("sliding_window", 0);
  m.arch.windows = windows_of(c, m.arch.layers, window, [&](index) { return window != 0; });
  m.names.qkv = {"model.layers.{}.self_attn.qkv_proj"};
  m.names.mlp_in = {"model.layers.{}.mlp.gate_up_proj"};
  return m;
}

[[nodiscard]] inline model_description describe_olmo2(config const& c, tensor_table const& tensors) {
  model_description m = llama_kin(c, tensors, "olmo2");
  m.arch.norm_epsilon = c.value<double>("rms_norm_eps", 1e-5);
  m.arch.norms = norm_place::after;
  m.arch.qk_norm = qk_norm_kind::whole;
  m.names.attn_norm = m.names.mlp_norm = "";
  m.names.attn_post_norm = "model.layers.{}.post_attention_layernorm";
  m.names.mlp_post_norm = "model.layers.{}.post_feedforward_layernorm";
  m.names.q_norm = "model.layers.{}.self_attn.q_norm";
  m.names.k_norm = "model.layers.{}.self_attn.k_norm";
  m.names.qkv_bias = m.names.o_bias = c.value<bool>("attention_bias", false);
  return m;
}

/// What Gemma 2 and 3 share: norms around both branches that multiply by 1 + w, scaled embeddings, tanh GELU.
[[nodiscard]] inline model_description gemma_kin(config const& c, tensor_table const& tensors,
                                                 char const* family) {
  model_description m = llama_kin(c, tensors, family, 256);
  architecture& a = m.arch;
  a.norms = norm_place::around;
  a.embedding_scale = std::sqrt(static_cast<double>(a.width));
  a.activation = activation_of(c, "hidden_activation", "gelu_pytorch_tanh");
  a.score_scale = 1 / std::sqrt(c.value<double>("query_pre_attn_scalar", 256));
  a.score_cap = c.value<double>("attn_logit_softcapping", 0);
  a.logit_cap = c.value<double>("final_logit_softcapping", 0);
  a.tied_unembedding = a.labels == 0 && c.value<bool>("tie_word_embeddings", true);
  c.require("use_bidirectional_attention", false);
  m.names.norm_offset = 1;
  m.names.attn_post_norm = "model.layers.{}.post_attention_layernorm";
  m.names.mlp_norm = "model.layers.{}.pre_feedforward_layernorm";
  m.names.mlp_post_norm = "model.layers.{}.post_feedforward_layernorm";
  m.names.qkv_bias = m.names.o_bias = c.value<bool>("attention_bias", false);
  return m;
}

[[nodiscard]] inline model_description describe_gemma2(config const& c, tensor_table const& tensors) {
  model_description m = gemma_kin(c, tensors, "gemma2");
  auto const cap = [&](char const* key, double otherwise) {
    return find(c.json, key) ? c.value<double>(key, 0) : otherwise;  // null: none
  };
  m.arch.score_cap = cap("attn_logit_softcapping", 50);
  m.arch.logit_cap = cap("final_logit_softcapping", 30);
  m.arch.windows = windows_of(c, m.arch.layers, c.value<index>("sliding_window", 4096),
                              [](index l) { return l % 2 == 0; });
  return m;
}

/// Of six layers five have a window, and rotate by a base of their own.
[[nodiscard]] inline model_description describe_gemma3(config const& c, tensor_table const& tensors) {
  model_description m = gemma_kin(c, tensors, "gemma3");
  architecture& a = m.arch;
  a.qk_norm = qk_norm_kind::head;
  m.names.q_norm = "model.layers.{}.self_attn.q_norm";
  m.names.k_norm = "model.layers.{}.self_attn.k_norm";
  index const every = c.count("sliding_window_pattern", c.count("_sliding_window_pattern", 6));
  a.windows = windows_of(c, a.layers, c.value<index>("sliding_window", 4096),
                         [&](index l) { return (l + 1) % every != 0; });
  config const full = rope_object(c, "full_attention");
  a.rope =
      read_rope(full, c, full.value<double>("rope_theta", c.value<double>("rope_theta", 1e6)), a.head_dim);
  static nlohmann::json const none = nlohmann::json::object();
  auto const* const local = find(c.json, "rope_parameters.sliding_attention");
  config const sliding{local && local->is_object() ? *local : none, c.where};
  a.local_rope = read_rope(
      sliding, c, sliding.value<double>("rope_theta", c.value<double>("rope_local_base_freq", 10000)),
      a.head_dim);
  return m;
}

}  // namespace lancet::detail
