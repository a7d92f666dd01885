// SPDX-License-Identifier: Apache-2.0
// Architecture and tensor names of a GGUF file's metadata, for each of its families.
//
// Tensor names are the same in every family; what a file has of biases and heads its tensors say. Rotary scaling by
// factors a pair comes as tensors, and is read by the loader (see `read_rope_factors`).
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/family/config.hpp"
#include "lancet/io/gguf.hpp"

namespace lancet::detail {

/// What tells one GGUF family from Llama.
struct gguf_family {
  std::string_view name;    ///< general.architecture
  std::string_view family;  ///< architecture::family
  norm_kind norm = norm_kind::rms;
  norm_place norms = norm_place::before;
  mlp_kind mlp = mlp_kind::gated;
  activation_kind activation = activation_kind::silu;
  position_kind positions = position_kind::rope;
  qk_norm_kind qk_norm = qk_norm_kind::none;
  bool fused_qkv = false;
  bool fused_mlp = false;          ///< gate and up in one tensor, "ffn_up"
  bool interleaved_query = false;  ///< rows in the order of interleaved rotation
  bool scaled_embedding = false;   ///< by √D
  index global_every = 1;          ///< with windows: each so many layers one has none; 1: all have one
  double local_base = 0;           ///< of rotation in layers with a window, where it is another
};

inline constexpr gguf_family gguf_families[] = {
    {.name = "llama", .family = "llama", .interleaved_query = true},
    {.name = "qwen2", .family = "qwen2"},
    {.name = "qwen3", .family = "qwen3", .qk_norm = qk_norm_kind::head},
    {.name = "phi3", .family = "phi3", .fused_qkv = true, .fused_mlp = true},
    {.name = "olmo2", .family = "olmo2", .norms = norm_place::after, .qk_norm = qk_norm_kind::whole},
    {.name = "gemma2",
     .family = "gemma2",
     .norms = norm_place::around,
     .activation = activation_kind::gelu_tanh,
     .scaled_embedding = true,
     .global_every = 2},
    {.name = "gemma3",
     .family = "gemma3",
     .norms = norm_place::around,
     .activation = activation_kind::gelu_tanh,
     .qk_norm = qk_norm_kind::head,
     .scaled_embedding = true,
     .global_every = 6,
     .local_base = 10000},
    {.name = "gpt2",
     .family = "gpt2",
     .norm = norm_kind::layer,
     .mlp = mlp_kind::plain,
     .activation = activation_kind::gelu_tanh,
     .positions = position_kind::learned,
     .fused_qkv = true},
    {.name = "gptneox",
     .family = "gpt_neox",
     .norm = norm_kind::layer,
     .mlp = mlp_kind::plain,
     .activation = activation_kind::gelu,
     .fused_qkv = true},
};

/// Metadata under "<family>.".
struct gguf_keys {
  gguf_file const& file;
  tensor_table const& tensors;  // of all shards
  std::string prefix;

  [[nodiscard]] std::string key(char const* name) const { return prefix + "." + name; }
  [[nodiscard]] index count(char const* name) const {
    index const n = file.get<index>(key(name));
    if (n < 1 || n > largest_size) fail(name, std::to_string(n), "1 to " + std::to_string(largest_size));
    return n;
  }
  [[nodiscard]] index count(char const* name, index otherwise) const {
    return file.find(key(name)) ? count(name) : otherwise;
  }
  template <class T>
  [[nodiscard]] T value(char const* name, T otherwise) const {
    return file.get_optional<T>(key(name)).value_or(otherwise);
  }
  [[noreturn]] void fail(char const* name, std::string const& got, std::string const& expected) const {
    throw file_error(file.path(), key(name) + ": got " + got + ", expected " + expected);
  }
};

[[nodiscard]] inline rope_settings gguf_rope(gguf_keys const& k, architecture const& a, double base) {
  rope_settings r;
  r.base = k.value<double>("rope.freq_base", base);
  r.dims = k.count("rope.dimension_count", a.head_dim);
  r.original = static_cast<double>(k.count("rope.scaling.original_context_length", a.context));
  r.magnitude = k.value<double>("rope.scaling.attn_factor", 1);                  // whatever the type
  std::string const type = k.value<std::string>("rope.scaling.type", "linear");  // llama.cpp's default
  if (type == "none" || type == "longrope") return r;  // longrope: by factors, which are tensors
  double const old = k.value<double>("rope.scale_linear", 0);
  r.factor = k.value<double>("rope.scaling.factor", old == 0 ? 1 : old);
  if (!(r.factor > 0)) k.fail("rope.scaling.factor", std::to_string(r.factor), "a positive number");
  if (type == "linear") {
    if (r.factor != 1) r.scaling = rope_scaling::linear;
  } else if (type == "yarn") {
    r.scaling = rope_scaling::yarn;
    r.beta_fast = k.value<double>("rope.scaling.yarn_beta_fast", 32);
    r.beta_slow = k.value<double>("rope.scaling.yarn_beta_slow", 1);
    r.magnitude *= 1 + 0.1 * std::log(r.factor);
  } else {
    k.fail("rope.scaling.type", in_quotes(type), "none, linear, yarn or longrope");
  }
  return r;
}

/// Each layer's window: by `sliding_window_pattern`, a flag for each layer or the n of which each n-th layer has
/// none, where the file has it, else by the family's n (1: all have one).
[[nodiscard]] inline std::vector<index> gguf_windows(gguf_keys const& k, index layers, index window,
                                                     index global_every) {
  constexpr char const* name = "attention.sliding_window_pattern";
  gguf_value const* const pattern = k.file.find(k.key(name));
  std::vector<index> out;
  if (pattern && pattern->is_array) {
    std::vector<bool> const local = pattern->as_list<bool>(k.file.path());
    if (static_cast<index>(local.size()) != layers)
      k.fail(name, std::to_string(local.size()) + " flags",
             "one for each of " + std::to_string(layers) + " layers");
    for (bool const here : local) out.push_back(here ? window : 0);
  } else {
    index const every = pattern ? k.count(name) : global_every;
    for (index l = 0; l < layers; ++l) out.push_back(every > 1 && (l + 1) % every == 0 ? 0 : window);
  }
  if (std::ranges::all_of(out, [](index w) { return w == 0; })) out.clear();
  return out;
}

/// Keys under the family's name that are read here, or say nothing of the mathematics.
inline constexpr std::string_view gguf_known_keys[] = {
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.value_length",
    "attn_logit_softcapping",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "final_logit_softcapping",
    "pooling_type",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "tensor_data_layout",
    "use_parallel_residual",
    "vocab_size",
};
static_assert(std::ranges::is_sorted(gguf_known_keys));

/// Refuses every other key under the family's name: it could change what the model computes.
inline void refuse_unknown_keys(gguf_keys const& k) {
  for (gguf_value const& v : k.file.metadata()) {
    if (!v.key.starts_with(k.prefix + ".")) continue;
    std::string_view const name = v.key.substr(k.prefix.size() + 1);
    if (!std::ranges::binary_search(gguf_known_keys, name))
      throw file_error(k.file.path(),
                       in_quotes(v.key) + " is not understood, and could change what the model computes");
  }
  if (!k.value<bool>("attention.causal", true)) k.fail("attention.causal", "false", "true");
}

/// Refuses settings that this family's models do not have, unless they are those that change nothing.
inline void refuse_foreign_settings(gguf_keys const& k, gguf_family const& family, architecture const& a) {
  auto const expect = [&](char const* key, double neutral) {
    if (double const got = k.value<double>(key, neutral); got != neutral)
      k.fail(key, std::to_string(got),
             std::to_string(neutral) + " in a model of " + std::string(family.name));
  };
  if (family.name != "gemma2") expect("attn_logit_softcapping", 0), expect("final_logit_softcapping", 0);
  if (family.local_base <= 0) expect("rope.freq_base_swa", a.rope.base);
  if (index const window = k.value<index>("attention.sliding_window", 0);
      window != 0 && a.positions != position_kind::rope)
    k.fail("attention.sliding_window", std::to_string(window), "0 in a model of " + std::string(family.name));
  if (family.name != "gptneox" && k.value<bool>("use_parallel_residual", false))
    k.fail("use_parallel_residual", "true", "false in a model of " + std::string(family.name));
}

[[nodiscard]] inline architecture gguf_architecture(gguf_keys const& k, gguf_family const& family) {
  refuse_unknown_keys(k);
  architecture a;
  a.family = family.family;
  a.layers = k.count("block_count");
  if (a.layers > static_cast<index>(k.tensors.size()))
    k.fail("block_count", std::to_string(a.layers),
           "no more than the file's " + std::to_string(static_cast<index>(k.tensors.size())) + " tensors");
  a.width = k.count("embedding_length");
  a.heads = k.count("attention.head_count");
  a.kv_heads = k.count("attention.head_count_kv", a.heads);
  a.head_dim = k.count("attention.key_length", a.width / a.heads);
  if (index const v = k.value<index>("attention.value_length", a.head_dim); v != a.head_dim)
    k.fail("attention.value_length", std::to_string(v), "the key's " + std::to_string(a.head_dim));
  a.mlp_width = k.count("feed_forward_length");
  a.context = k.count("context_length");
  a.vocabulary = k.tensors.at("token_embd.weight").rows();
  if (index const n = k.value<index>("expert_count", 0); n != 0)
    k.fail("expert_count", std::to_string(n), "0");
  a.norm = family.norm;
  a.norm_epsilon = k.file.get<double>(k.key(family.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon"
                                                                          : "attention.layer_norm_epsilon"));
  a.norms = family.norms;
  if (family.name == "gptneox" && k.value<bool>("use_parallel_residual", true))
    a.residual = residual_kind::parallel;
  if (family.scaled_embedding) a.embedding_scale = std::sqrt(static_cast<double>(a.width));
  a.positions = family.positions;
  if (a.positions == position_kind::rope) a.rope = gguf_rope(k, a, family.local_base > 0 ? 1e6 : 10000);
  a.qk_norm = family.qk_norm;
  a.mlp = family.mlp;
  a.activation = family.activation;

  // Gemma's largest models scale scores by the mean width of a head, which the file does not say.
  bool const by_width =
      (family.name == "gemma2" && a.layers == 46) || (family.name == "gemma3" && a.layers == 62);
  a.score_scale = 1 / std::sqrt(static_cast<double>(by_width ? a.width / a.heads : a.head_dim));
  if (family.name == "gemma2") {
    a.score_cap = k.value<double>("attn_logit_softcapping", 50);
    a.logit_cap = k.value<double>("final_logit_softcapping", 30);
  }
  index const window = k.value<index>("attention.sliding_window", 0);
  if (window < 0 || window > largest_size)
    k.fail("attention.sliding_window", std::to_string(window), "0 to " + std::to_string(largest_size));
  if (window > 0 && family.positions == position_kind::rope)
    a.windows = gguf_windows(k, a.layers, window, family.global_every);
  if (family.local_base > 0) {
    a.local_rope.dims = a.rope.dims;
    a.local_rope.base = k.value<double>("rope.freq_base_swa", family.local_base);
    a.local_rope.magnitude = k.value<double>("rope.scaling.attn_factor", 1);
  }
  a.tied_unembedding = !k.tensors.find("output.weight");
  refuse_foreign_settings(k, family, a);
  return a;
}

[[nodiscard]] inline tensor_names gguf_names(tensor_table const& tensors, architecture const& a,
                                             gguf_family const& family) {
  auto const biased = [&](char const* name) {
    return tensors.find("blk.0." + std::string(name) + ".bias") != nullptr;
  };
  tensor_names n;
  n.embedding = "token_embd";
  n.unembedding = "output";
  n.final_norm = "output_norm";
  if (norms_input(a)) n.attn_norm = "blk.{}.attn_norm", n.mlp_norm = "blk.{}.ffn_norm";
  if (norms_output(a))
    n.attn_post_norm = "blk.{}.post_attention_norm", n.mlp_post_norm = "blk.{}.post_ffw_norm";
  if (a.qk_norm != qk_norm_kind::none) n.q_norm = "blk.{}.attn_q_norm", n.k_norm = "blk.{}.attn_k_norm";
  if (a.positions == position_kind::learned) n.positions = "position_embd";
  n.qkv = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"};
  if (family.fused_qkv) n.qkv = {"blk.{}.attn_qkv"};
  n.o = "blk.{}.attn_output";
  n.mlp_in = {"blk.{}.ffn_gate", "blk.{}.ffn_up"};
  if (family.fused_mlp || a.mlp == mlp_kind::plain) n.mlp_in = {"blk.{}.ffn_up"};
  n.down = "blk.{}.ffn_down";
  n.norm_bias = family.norm == norm_kind::layer;
  n.qkv_bias = biased(family.fused_qkv ? "attn_qkv" : "attn_q");
  n.o_bias = biased("attn_output");
  n.mlp_bias = biased("ffn_down");
  n.interleaved_query = family.interleaved_query;
  n.ignored = {"rope_freqs.weight", "rope_factors_long.weight",
               "rope_factors_short.weight"};  // read with rotation
  return n;
}

}  // namespace lancet::detail
