// SPDX-License-Identifier: Apache-2.0
// The planted model and its data as a folder, for programs that read files.
#pragma once

#include "lancet/io/atomic_folder.hpp"
#include "lancet/io/safetensors_writer.hpp"
#include "lancet/planted/data.hpp"
#include "lancet/planted/weights.hpp"

namespace lancet {

namespace detail {

[[nodiscard]] inline nlohmann::ordered_json planted_config() {
  architecture const a = planted_architecture();
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
          {"rms_norm_eps", a.norm_epsilon},
          {"rope_theta", a.rope.base},
          {"attention_bias", false},
          {"mlp_bias", false},
          {"tie_word_embeddings", a.tied_unembedding},
          {"torch_dtype", "float32"}};
}

[[nodiscard]] inline nlohmann::ordered_json planted_tokenizer_json() {
  nlohmann::ordered_json vocabulary = nlohmann::ordered_json::object();
  std::size_t id = 0;
  for (planted_word const& word : planted_vocabulary()) vocabulary[to_byte_alphabet(word.text)] = id++;
  nlohmann::ordered_json const byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", nlohmann::ordered_json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", true},
            {"vocab", std::move(vocabulary)},
            {"merges", nlohmann::ordered_json::array()}}}};
}

/// Rows [first, first + count) of a matrix as one tensor of the file.
[[nodiscard]] inline tensor_entry planted_tensor(std::string name, planted_matrix const& m, index first,
                                                 index count) {
  return as_tensor(std::move(name), {count, m.cols},
                   std::span(m.values).subspan(static_cast<std::size_t>(first * m.cols),
                                               static_cast<std::size_t>(count * m.cols)));
}

inline void write_planted_weights(std::string const& path, planted_parameters const& p) {
  architecture const a = planted_architecture();
  index const q = a.heads * a.head_dim, f = a.mlp_width;
  std::vector<float> const ones(static_cast<std::size_t>(a.width), 1.0F);
  std::vector<tensor_entry> tensors;
  auto const put = [&](std::string name, planted_matrix const& m, index first, index count) {
    tensors.push_back(planted_tensor(std::move(name) + ".weight", m, first, count));
  };
  auto const put_norm = [&](std::string const& name) {
    tensors.push_back(as_tensor(name + ".weight", {a.width}, std::span<float const>(ones)));
  };
  put("model.embed_tokens", p.embedding, 0, a.vocabulary);
  for (index l = 0; l < a.layers; ++l) {
    std::string const layer = "model.layers." + std::to_string(l) + ".";
    planted_layer const& w = p.layers[static_cast<std::size_t>(l)];
    put_norm(layer + "input_layernorm");
    put(layer + "self_attn.q_proj", w.qkv, 0, q);
    put(layer + "self_attn.k_proj", w.qkv, q, q);
    put(layer + "self_attn.v_proj", w.qkv, 2 * q, q);
    put(layer + "self_attn.o_proj", w.o, 0, a.width);
    put_norm(layer + "post_attention_layernorm");
    put(layer + "mlp.gate_proj", w.mlp_in, 0, f);
    put(layer + "mlp.up_proj", w.mlp_in, f, f);
    put(layer + "mlp.down_proj", w.down, 0, a.width);
  }
  put_norm("model.norm");
  put("lm_head", p.unembedding, 0, a.vocabulary);
  write_safetensors(path, tensors, {{"format", "pt"}});
}

}  // namespace detail

/// Writes, as a whole or not at all, a folder with the model (config.json, model.safetensors,
/// tokenizer.json), which load_model reads to the same weights as planted_model(options) has, and its data:
/// occupations.jsonl, stated_gender.jsonl, neutral_train.txt, held_out.txt, generations.jsonl. Equal options
/// give equal bytes. A folder that something else wrote is not replaced (usage_error).
inline void save_planted(std::string const& folder, planted_options const& options = {}) {
  detail::planted_parameters const parameters = detail::planted_builder(options).build();
  write_folder_atomically(folder, [&](std::string const& into) {
    write_file(into + "/config.json", detail::planted_config().dump(2) + "\n");
    write_file(into + "/tokenizer.json", detail::planted_tokenizer_json().dump(2) + "\n");
    detail::write_planted_weights(into + "/model.safetensors", parameters);
    write_file(into + "/occupations.jsonl", planted_jsonl(planted_occupation_lines()));
    write_file(into + "/stated_gender.jsonl", planted_jsonl(planted_stated_lines()));
    write_file(into + "/neutral_train.txt", planted_text(split::train, 24, options.seed));
    write_file(into + "/held_out.txt", planted_text(split::test, 24, options.seed));
    write_file(into + "/generations.jsonl", planted_generation_prompts());
  });
}

}  // namespace lancet
