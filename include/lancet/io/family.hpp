// SPDX-License-Identifier: Apache-2.0
// Architecture families as data: for each, config → architecture and the names of its tensors.
//
// A configuration value that would change the mathematics and is not understood is an error that names its
// key.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "lancet/io/gguf.hpp"
#include "lancet/io/json.hpp"
#include "lancet/model/architecture.hpp"

namespace lancet {

/// Names of a file's tensors; "{}" stands for the layer. Lists are stacked in order into one weight.
struct tensor_names {
  std::string embedding, positions, unembedding;
  std::string final_norm, attn_norm, mlp_norm;  // followed by ".weight" and ".bias"
  std::vector<std::string> qkv, mlp_in;
  std::string o, down;
  bool norm_bias = false;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool transposed = false;  ///< projections are stored [in, out] (GPT-2's Conv1D)
  bool interleaved_query =
      false;  ///< GGUF Llama: rows of queries and keys in the order of interleaved rotation
  std::vector<std::string> ignored;  ///< suffixes of tensors that hold nothing the model computes with
};

/// What a file says of itself.
struct model_description {
  architecture arch;
  tensor_names names;
};

namespace detail {

[[noreturn]] inline void unknown_family(std::string const& where, std::string const& family) {
  throw file_error(where, "got architecture '" + family + "', expected one of: llama, gpt2");
}

/// Refuses a key whose value is not the one that leaves the mathematics alone.
inline void require_config(nlohmann::json const& config, char const* key, nlohmann::json const& neutral,
                           std::string const& where) {
  auto const* value = find(config, key);
  if (value && !value->is_null() && *value != neutral)
    throw file_error(where, std::string(key) + ": got " + value->dump() + ", expected " + neutral.dump() +
                                " (anything else changes what the model computes, and is not supported)");
}

[[nodiscard]] inline bool flag(nlohmann::json const& config, char const* key, bool otherwise,
                               std::string const& where) {
  return find(config, key) ? get<bool>(config, key, where) : otherwise;
}

[[nodiscard]] inline model_description describe_llama(nlohmann::json const& c, std::string const& where) {
  architecture a;
  a.family = "llama";
  a.layers = get<index>(c, "num_hidden_layers", where);
  a.width = get<index>(c, "hidden_size", where);
  a.heads = get<index>(c, "num_attention_heads", where);
  a.kv_heads = find(c, "num_key_value_heads") ? get<index>(c, "num_key_value_heads", where) : a.heads;
  auto const* head_dim = find(c, "head_dim");
  if (head_dim && !head_dim->is_null()) {
    a.head_dim = get<index>(c, "head_dim", where);
  } else {
    if (a.heads < 1)
      throw file_error(where, "num_attention_heads: got " + std::to_string(a.heads) + ", expected >= 1");
    a.head_dim = a.width / a.heads;
  }
  a.mlp_width = get<index>(c, "intermediate_size", where);
  a.vocabulary = get<index>(c, "vocab_size", where);
  a.context = get<index>(c, "max_position_embeddings", where);
  a.norm_epsilon = get<double>(c, "rms_norm_eps", where);
  if (find(c, "rope_parameters")) {
    require_config(c, "rope_parameters.rope_type", "default", where);
    a.rope_base = get<double>(c, "rope_parameters.rope_theta", where);
  } else if (find(c, "rope_theta")) {
    a.rope_base = get<double>(c, "rope_theta", where);
  }
  require_config(c, "rope_scaling", nullptr, where);
  require_config(c, "hidden_act", "silu", where);
  require_config(c, "sliding_window", nullptr, where);
  a.rotary_dims = a.head_dim;
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.tied_unembedding = flag(c, "tie_word_embeddings", false, where);

  tensor_names n;
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
  n.qkv_bias = n.o_bias = flag(c, "attention_bias", false, where);
  n.mlp_bias = flag(c, "mlp_bias", false, where);
  n.ignored = {".rotary_emb.inv_freq"};
  return {a, n};
}

[[nodiscard]] inline activation_kind gpt2_activation(std::string const& name, std::string const& where) {
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return activation_kind::gelu_tanh;
  if (name == "gelu") return activation_kind::gelu;
  throw file_error(where,
                   "activation_function: got '" + name + "', expected gelu_new, gelu_pytorch_tanh or gelu");
}

[[nodiscard]] inline model_description describe_gpt2(nlohmann::json const& c, std::string const& where,
                                                     bool prefixed) {
  architecture a;
  a.family = "gpt2";
  a.layers = get<index>(c, "n_layer", where);
  a.width = get<index>(c, "n_embd", where);
  a.heads = a.kv_heads = get<index>(c, "n_head", where);
  if (a.heads < 1) throw file_error(where, "n_head: got " + std::to_string(a.heads) + ", expected >= 1");
  a.head_dim = a.width / a.heads;
  auto const* inner = find(c, "n_inner");
  a.mlp_width = inner && !inner->is_null() ? get<index>(c, "n_inner", where) : 4 * a.width;
  a.vocabulary = get<index>(c, "vocab_size", where);
  a.context = get<index>(c, "n_positions", where);
  a.norm = norm_kind::layer;
  a.norm_epsilon = get<double>(c, "layer_norm_epsilon", where);
  a.positions = position_kind::learned;
  a.mlp = mlp_kind::plain;
  a.activation = gpt2_activation(get<std::string>(c, "activation_function", where), where);
  require_config(c, "scale_attn_weights", true, where);
  require_config(c, "scale_attn_by_inverse_layer_idx", false, where);
  require_config(c, "add_cross_attention", false, where);
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.tied_unembedding = flag(c, "tie_word_embeddings", true, where);

  tensor_names n;
  std::string const root = prefixed ? "transformer." : "", layer = root + "h.{}.";
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
  return {a, n};
}

}  // namespace detail

/// The family, sizes and names of a Hugging Face folder's config.json. `has_tensor(name)` looks into its
/// weights.
template <class Has>
[[nodiscard]] model_description describe_config(nlohmann::json const& config, std::string const& where,
                                                Has&& has_tensor) {
  std::string const family = get<std::string>(config, "model_type", where);
  if (family == "llama") return detail::describe_llama(config, where);
  if (family == "gpt2") return detail::describe_gpt2(config, where, has_tensor("transformer.wte.weight"));
  detail::unknown_family(where, family);
}

/// The same of a GGUF file's metadata.
[[nodiscard]] inline model_description describe_gguf(gguf_file const& file) {
  std::string const family = file.get<std::string>("general.architecture");
  if (family != "llama" && family != "gpt2") detail::unknown_family(file.path(), family);
  auto const key = [&](char const* name) { return family + "." + name; };
  auto const number = [&](char const* name) { return file.get<index>(key(name)); };
  bool const llama = family == "llama";

  architecture a;
  a.family = family;
  a.layers = number("block_count");
  a.width = number("embedding_length");
  a.heads = number("attention.head_count");
  a.kv_heads = file.get_optional<index>(key("attention.head_count_kv")).value_or(a.heads);
  if (a.heads < 1)
    throw file_error(file.path(),
                     key("attention.head_count") + ": got " + std::to_string(a.heads) + ", expected >= 1");
  a.head_dim = file.get_optional<index>(key("attention.key_length")).value_or(a.width / a.heads);
  a.mlp_width = number("feed_forward_length");
  a.context = number("context_length");
  tensor_entry const& embedding = file.tensors().at("token_embd.weight");
  a.vocabulary = embedding.rows();
  a.norm = llama ? norm_kind::rms : norm_kind::layer;
  a.norm_epsilon =
      file.get<double>(key(llama ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"));
  a.positions = llama ? position_kind::rope : position_kind::learned;
  if (llama) {
    a.rope_base = file.get_optional<double>(key("rope.freq_base")).value_or(10000.0);
    a.rotary_dims = file.get_optional<index>(key("rope.dimension_count")).value_or(a.head_dim);
    auto const scaling = file.get_optional<std::string>(key("rope.scaling.type"));
    if (scaling && *scaling != "none")
      throw file_error(file.path(), key("rope.scaling.type") + ": got '" + *scaling +
                                        "', expected none (rotary scaling is not supported)");
    if (file.tensors().find("rope_freqs.weight"))
      throw file_error(file.path(),
                       "has tensor 'rope_freqs.weight' (rotary scaling), which is not supported");
    if (auto const experts = file.get_optional<index>(key("expert_count")); experts && *experts != 0)
      throw file_error(file.path(),
                       key("expert_count") + ": got " + std::to_string(*experts) + ", expected 0");
  }
  a.mlp = llama ? mlp_kind::gated : mlp_kind::plain;
  a.activation = llama ? activation_kind::silu : activation_kind::gelu_tanh;
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.tied_unembedding = !file.tensors().find("output.weight");

  tensor_names n;
  n.embedding = "token_embd";
  n.unembedding = "output";
  n.final_norm = "output_norm";
  n.attn_norm = "blk.{}.attn_norm";
  n.mlp_norm = "blk.{}.ffn_norm";
  n.o = "blk.{}.attn_output";
  n.down = "blk.{}.ffn_down";
  if (llama) {
    n.qkv = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"};
    n.mlp_in = {"blk.{}.ffn_gate", "blk.{}.ffn_up"};
    n.interleaved_query = true;
    n.qkv_bias = file.tensors().find("blk.0.attn_q.bias") != nullptr;
    n.o_bias = file.tensors().find("blk.0.attn_output.bias") != nullptr;
  } else {
    n.positions = "position_embd";
    n.qkv = {"blk.{}.attn_qkv"};
    n.mlp_in = {"blk.{}.ffn_up"};
    n.norm_bias = n.qkv_bias = n.o_bias = n.mlp_bias = true;
  }
  return {a, n};
}

}  // namespace lancet
