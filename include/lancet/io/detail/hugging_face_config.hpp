// SPDX-License-Identifier: Apache-2.0
// config.json for a model that came without one, from its architecture: Llama and GPT-2.
#pragma once

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "lancet/core/error.hpp"
#include "lancet/model/architecture.hpp"

namespace lancet::detail {

/// The number that was meant where it was stored as a float: 1e-05 rather than 9.99999974e-06.
[[nodiscard]] inline double shortest(double stored) {
  char text[32];
  auto const end = std::to_chars(text, text + sizeof text - 1, static_cast<float>(stored)).ptr;
  *end = '\0';
  return std::strtod(text, nullptr);
}

/// Throws usage_error for an architecture that transformers' class of the family cannot express.
[[nodiscard]] inline nlohmann::ordered_json hugging_face_config(architecture const& a, bool attention_bias,
                                                                bool mlp_bias) {
  if (a.family == "gpt2")
    return {{"architectures", {"GPT2LMHeadModel"}},
            {"model_type", "gpt2"},
            {"vocab_size", a.vocabulary},
            {"n_positions", a.context},
            {"n_embd", a.width},
            {"n_layer", a.layers},
            {"n_head", a.heads},
            {"n_inner", a.mlp_width},
            {"activation_function", a.activation == activation_kind::gelu ? "gelu" : "gelu_new"},
            {"layer_norm_epsilon", shortest(a.norm_epsilon)},
            {"tie_word_embeddings", a.tied_unembedding}};
  if (a.family != "llama")
    fail_expected("export: config.json for a GGUF file", "family " + a.family,
                  "llama or gpt2; export a GGUF file instead");
  if (a.rope.scaling != rope_scaling::none || !a.windows.empty())
    fail_expected("export: config.json for a GGUF file", "scaled rotation, or windows",
                  "plain ones; export a GGUF file instead");
  if (a.rope.dims != a.head_dim)
    fail_expected(
        "export: config.json for a GGUF file",
        "a rotation of " + std::to_string(a.rope.dims) + " of " + std::to_string(a.head_dim) + " dimensions",
        "all of them, as in transformers' llama");
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", a.vocabulary},
          {"hidden_size", a.width},
          {"intermediate_size", a.mlp_width},
          {"num_hidden_layers", a.layers},
          {"num_attention_heads", a.heads},
          {"num_key_value_heads", a.kv_heads},
          {"head_dim", a.head_dim},
          {"hidden_act", "silu"},
          {"max_position_embeddings", a.context},
          {"rms_norm_eps", shortest(a.norm_epsilon)},
          {"rope_theta", shortest(a.rope.base)},
          {"attention_bias", attention_bias},
          {"mlp_bias", mlp_bias},
          {"tie_word_embeddings", a.tied_unembedding}};
}

}  // namespace lancet::detail
