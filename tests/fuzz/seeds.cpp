// SPDX-License-Identifier: Apache-2.0
// Writes right files for the fuzzers to begin with: seeds FOLDER makes FOLDER/<harness> for each of them.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/gguf_bytes.hpp"
#include "support/safetensors_bytes.hpp"
#include "support/temporary_folder.hpp"

namespace {
void write(std::string const& folder, std::string_view name, std::vector<std::byte> const& bytes) {
  std::filesystem::create_directories(folder);
  lancet_test::spill(folder + "/" + std::string(name),
                     {reinterpret_cast<char const*>(bytes.data()), bytes.size()});
}
void write(std::string const& folder, std::string_view name, std::string_view text) {
  std::filesystem::create_directories(folder);
  lancet_test::spill(folder + "/" + std::string(name), text);
}

/// A model of one layer less its layers' tensors, with a tokenizer of every letter and one merge.
lancet_test::gguf_bytes small_model(std::string const& family, std::string const& tokenizer) {
  using namespace lancet_test;
  gguf_bytes g;
  auto const size = [&](char const* key, std::uint32_t value) {
    g.scalar<std::uint32_t>(family + key, g_u32, value);
  };
  std::vector<std::string> tokens;
  for (char c = '!'; c <= '~'; ++c) tokens.emplace_back(1, c);
  for (char const* const more :
       {"\xc4\xa0", "\xc4\x8a", "he", "<unk>", "<0x20>", "\xe2\x96\x81", "\xe2\x96\x81he"})
    tokens.emplace_back(more);
  g.header(1, 15);
  g.string("general.architecture", family);
  size(".block_count", 1), size(".embedding_length", 8), size(".attention.head_count", 2);
  size(".feed_forward_length", 16), size(".context_length", 32), size(".attention.sliding_window", 4);
  g.scalar<float>(family + ".attention.layer_norm_rms_epsilon", g_f32, 1e-5f);
  g.scalar<float>(family + ".rope.scaling.factor", g_f32, 2).string(family + ".rope.scaling.type", "yarn");
  g.string("tokenizer.ggml.model", tokenizer).string("tokenizer.ggml.pre", "smollm");
  g.strings("tokenizer.ggml.tokens", tokens).strings("tokenizer.ggml.merges", {"h e"});
  g.array<float>("tokenizer.ggml.scores", g_f32, std::vector<float>(tokens.size(), -1));
  g.array<std::int32_t>("tokenizer.ggml.token_type", g_i32, std::vector<std::int32_t>(tokens.size(), 1));
  g.tensor("token_embd.weight", {8, 4}, 0, 0).pad().zeros(8 * 4 * 4);
  return g;
}

lancet_test::gguf_bytes small_lora() {
  using namespace lancet_test;
  gguf_bytes g;
  g.header(2, 4).string("general.type", "adapter").string("general.architecture", "llama");
  g.string("adapter.type", "lora").scalar<float>("adapter.lora.alpha", g_f32, 2);
  g.tensor("blk.1.attn_output.weight.lora_a", {24, 1}, 0, 0);
  g.tensor("blk.1.attn_output.weight.lora_b", {1, 12}, 0, 96).pad();
  for (int i = 0; i < 24 + 12; ++i) g.put(0.5f);
  return g;
}

lancet_test::gguf_bytes small_control_vector() {
  using namespace lancet_test;
  gguf_bytes g;
  g.header(1, 2).string("general.architecture", "controlvector");
  g.scalar<std::int32_t>("controlvector.layer_count", g_i32, 1)
      .tensor("direction.1", {12}, 0, 0)
      .pad()
      .zeros(48);
  return g;
}

std::string small_tokenizer(std::string const& normalizer, std::string const& model) {
  return R"({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 3, "content": "<s>",
      "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": )" +
         normalizer +
         R"(, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
      "use_regex": true}, "post_processor": null, "decoder": {"type": "ByteLevel"}, "model": )" +
         model + "}";
}
}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::string const folder = arguments[1];
  lancet_test::gguf_bytes quantised;
  quantised.header(1, 1).scalar<std::uint32_t>("general.alignment", lancet_test::g_u32, 1);
  quantised.tensor("w", {256, 1}, 14, 0).zeros(210);
  write(folder + "/gguf", "small-2", lancet_test::small_gguf(2).bytes);
  write(folder + "/gguf", "small-3", lancet_test::small_gguf(3).bytes);
  write(folder + "/gguf", "q6_k", quantised.bytes);
  std::string const header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[],"data_offsets":[8,9]}})";
  write(folder + "/safetensors", "small", lancet_test::safetensors_bytes(header, "123456789"));
  write(folder + "/safetensors", "empty", lancet_test::safetensors_bytes("{}", ""));
  std::filesystem::create_directories(folder + "/json");
  lancet_test::spill(folder + "/json/header", header);
  lancet_test::spill(folder + "/json/values",
                     R"([1, -2.5e-3, true, false, null, "\u00e9\ud83d\ude00\n", [[]], {"a": {"b": []}}])");

  for (auto const& [family, tokenizer] :
       {std::pair("llama", "gpt2"), {"gemma2", "llama"}, {"qwen3", "bert"}, {"phi3", "t5"}})
    write(folder + "/gguf_model", family, small_model(family, tokenizer).bytes);

  std::string const sizes =
      R"("num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
      "intermediate_size": 64, "vocab_size": 99, "max_position_embeddings": 512, "head_dim": 8, "n_layer": 2, "n_embd": 32,
      "n_head": 4, "n_positions": 64, "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"])";
  for (char const* const type : {"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3",
                                 "olmo2", "gpt2", "gpt_neox", "bert", "roberta"})
    write(folder + "/config_json", type, "{\"model_type\": \"" + std::string(type) + "\", " + sizes + "}");
  for (char const* const rope :
       {R"({"rope_type": "linear", "factor": 2.0})", R"({"rope_type": "dynamic", "factor": 2.0})",
        R"({"rope_type": "yarn", "factor": 2.0, "beta_fast": 16, "mscale": 0.5, "mscale_all_dim": 1.0})",
        R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0})",
        R"({"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 2, 3, 4]})"})
    write(folder + "/config_json", std::to_string(std::hash<std::string>{}(rope)),
          "{\"model_type\": \"qwen3\", \"rope_parameters\": " + std::string(rope) + ", " + sizes + "}");

  write(folder + "/tokenizer_json", "bpe",
        small_tokenizer(
            "null", R"({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": {"h": 0, "e": 1, "he": 2},
      "merges": ["h e"]})"));
  write(folder + "/tokenizer_json", "wordpiece",
        small_tokenizer(R"({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
      "strip_accents": null, "lowercase": true})",
                        R"({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "h": 1, "##e": 2}})"));
  write(folder + "/tokenizer_json", "unigram",
        small_tokenizer(
            R"({"type": "Prepend", "prepend": "\u2581"})",
            R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["h", -1.5], ["he", -2]]})"));

  write(folder + "/adapter_gguf", "lora", small_lora().bytes);
  write(folder + "/adapter_gguf", "control_vector", small_control_vector().bytes);
  write(
      folder + "/adapter_config", "lora",
      R"({"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "m", "r": 4, "lora_alpha": 8,
      "rank_pattern": {"o_proj": 2, "^model.layers.1.self_attn.q_proj": 3}, "alpha_pattern": {"1.self_attn.o_proj": 4.5},
      "target_modules": ["o_proj", "q_proj"], "use_rslora": true, "use_dora": true, "bias": "none",
      "init_lora_weights": "gaussian", "modules_to_save": null, "lora_dropout": 0.0, "inference_mode": true})");

  std::string const circuit =
      R"({"format": "lancet.circuit", "version": 1, "model": {"name": "m", "sha256": ""},
      "rule": "top 2", "units": [{"layer": 1, "head": 2}, {"layer": 0, "neuron": 5}]})";
  write(folder + "/circuit_json", "two", circuit);
  write(folder + "/atlas_json", "none", R"({"format": "lancet.atlas", "version": 1, "entries": []})");
}
