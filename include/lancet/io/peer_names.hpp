// SPDX-License-Identifier: Apache-2.0
// What others call a family's projections: module paths of Hugging Face's transformers, tensors of GGUF.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/family/tensor_names.hpp"

namespace lancet {

enum class naming { hugging_face, gguf };

/// Names of the projections alone (qkv, o, mlp_in, down), with what is special about how they are stored.
struct peer_names {
  std::string architecture;  ///< model_type, or general.architecture
  tensor_names names;
};

namespace detail {

enum class module_style { llama, fused, gpt2, neox, encoder };

struct peer_family {
  std::string_view family;  ///< as config.json has it
  std::string_view gguf;    ///< empty: lancet reads no GGUF file of it
  module_style style;
};

inline constexpr std::array peer_families{
    peer_family{"llama", "llama", module_style::llama},
    peer_family{"mistral", "llama", module_style::llama},
    peer_family{"qwen2", "qwen2", module_style::llama},
    peer_family{"qwen3", "qwen3", module_style::llama},
    peer_family{"gemma2", "gemma2", module_style::llama},
    peer_family{"gemma3", "gemma3", module_style::llama},
    peer_family{"gemma3_text", "gemma3", module_style::llama},
    peer_family{"olmo2", "olmo2", module_style::llama},
    peer_family{"phi3", "phi3", module_style::fused},
    peer_family{"gpt2", "gpt2", module_style::gpt2},
    peer_family{"gpt_neox", "gptneox", module_style::neox},
    peer_family{"bert", "", module_style::encoder},
    peer_family{"roberta", "", module_style::encoder},
};

/// A family by either of its names.
[[nodiscard]] inline peer_family const& find_peer_family(std::string const& family) {
  for (peer_family const& row : peer_families)
    if (row.family == family) return row;
  for (peer_family const& row : peer_families)
    if (row.gguf == family && !family.empty()) return row;
  std::string known;
  for (peer_family const& row : peer_families) known += (known.empty() ? "" : ", ") + std::string(row.family);
  fail_expected("export", "a model of family '" + family + "'", "one of " + known);
}

[[nodiscard]] inline tensor_names gguf_projections(peer_family const& f) {
  tensor_names n;
  bool const fused = f.style != module_style::llama;
  if (fused)
    n.qkv = {"blk.{}.attn_qkv"};
  else
    n.qkv = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"};
  n.o = "blk.{}.attn_output";
  if (fused)
    n.mlp_in = {"blk.{}.ffn_up"};
  else
    n.mlp_in = {"blk.{}.ffn_gate", "blk.{}.ffn_up"};
  n.down = "blk.{}.ffn_down";
  n.interleaved_query = f.gguf == "llama";
  return n;
}

[[nodiscard]] inline tensor_names hugging_face_projections(peer_family const& f) {
  tensor_names n;
  if (f.style == module_style::gpt2) {
    std::string const layer = "transformer.h.{}.";
    n.qkv = {layer + "attn.c_attn"};
    n.o = layer + "attn.c_proj";
    n.mlp_in = {layer + "mlp.c_fc"};
    n.down = layer + "mlp.c_proj";
    n.transposed = true;
  } else if (f.style == module_style::neox) {
    std::string const layer = "gpt_neox.layers.{}.";
    n.qkv = {layer + "attention.query_key_value"};
    n.qkv_rows = row_order::per_head;
    n.o = layer + "attention.dense";
    n.mlp_in = {layer + "mlp.dense_h_to_4h"};
    n.down = layer + "mlp.dense_4h_to_h";
  } else if (f.style == module_style::encoder) {
    std::string const layer = std::string(f.family) + ".encoder.layer.{}.", self = layer + "attention.self.";
    n.qkv = {self + "query", self + "key", self + "value"};
    n.o = layer + "attention.output.dense";
    n.mlp_in = {layer + "intermediate.dense"};
    n.down = layer + "output.dense";
  } else {
    std::string const layer = "model.layers.{}.", attention = layer + "self_attn.", mlp = layer + "mlp.";
    bool const fused = f.style == module_style::fused;
    if (fused) {
      n.qkv = {attention + "qkv_proj"};
      n.mlp_in = {mlp + "gate_up_proj"};
    } else {
      n.qkv = {attention + "q_proj", attention + "k_proj", attention + "v_proj"};
      n.mlp_in = {mlp + "gate_proj", mlp + "up_proj"};
    }
    n.o = attention + "o_proj";
    n.down = mlp + "down_proj";
  }
  return n;
}

}  // namespace detail

/// Throws usage_error for a family whose names lancet does not know, or that has none in GGUF.
[[nodiscard]] inline peer_names peer_names_of(architecture const& a, naming which) {
  detail::peer_family const& f = detail::find_peer_family(a.family);
  if (which == naming::gguf && f.gguf.empty())
    fail_expected("export", "a " + a.family,
                  "a family with a GGUF form; a PEFT adapter or a folder can hold it");
  if (which == naming::gguf) return {std::string(f.gguf), detail::gguf_projections(f)};
  return {std::string(f.family), detail::hugging_face_projections(f)};
}

}  // namespace lancet
