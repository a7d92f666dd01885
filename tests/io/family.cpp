// SPDX-License-Identifier: Apache-2.0
// What a configuration says of a model, family by family; and what is refused, each with its own sentence.
#define BOOST_TEST_MODULE io_family
#include "lancet/io/family.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "lancet/io/json_parse.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/temporary_folder.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;

/// A table of so many tensors, and of those named.
tensor_table table(std::vector<tensor_entry> named = {}) {
  for (index i = 0; i < 8; ++i) named.push_back({.name = "t" + std::to_string(i)});
  return {"model.safetensors", std::move(named)};
}

std::string const usual =
    R"("num_hidden_layers": 6, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64,
       "vocab_size": 99, "max_position_embeddings": 512)";

model_description describe(std::string const& type, std::string const& more = "",
                           tensor_table const& t = table()) {
  std::string const text =
      "{\"model_type\": \"" + type + "\", " + usual + (more.empty() ? "" : ", " + more) + "}";
  return describe_config(parse_json(text, "config.json"), "config.json", t);
}

BOOST_AUTO_TEST_CASE(absent_keys_have_the_defaults_of_transformers) {
  architecture const llama = describe("llama").arch;
  BOOST_TEST(llama.kv_heads == 4);
  BOOST_TEST(llama.head_dim == 8);
  BOOST_TEST(llama.norm_epsilon == 1e-6);
  BOOST_TEST(llama.windows.empty());
  BOOST_TEST(!llama.tied_unembedding);
  BOOST_TEST(describe("mistral").arch.windows == std::vector<index>(6, 4096));
  BOOST_TEST(describe("mistral", R"("sliding_window": null)").arch.windows.empty());
  BOOST_TEST(describe("qwen2").names.qkv_bias);
  BOOST_TEST(!describe("qwen2").names.o_bias);
  BOOST_TEST(describe("qwen3").arch.head_dim == 128);
  BOOST_TEST(describe("phi3").arch.norm_epsilon == 1e-5);
  BOOST_TEST(describe("qwen2", R"("use_sliding_window": true, "max_window_layers": 4)").arch.windows ==
             (std::vector<index>{0, 0, 0, 0, 4096, 4096}));
  BOOST_TEST(
      describe("qwen2", R"("use_sliding_window": true, "max_window_layers": 4, "sliding_window": null)")
          .arch.windows.empty());
  architecture const gemma2 = describe("gemma2").arch;
  BOOST_TEST(gemma2.windows == (std::vector<index>{4096, 0, 4096, 0, 4096, 0}));
  BOOST_TEST(gemma2.score_cap == 50.0);
  BOOST_TEST(gemma2.logit_cap == 30.0);
  BOOST_TEST(gemma2.score_scale == 1.0 / 16);
  BOOST_TEST(gemma2.tied_unembedding);
  architecture const gemma3 = describe("gemma3_text", R"("sliding_window": 5)").arch;
  BOOST_TEST(gemma3.windows == (std::vector<index>{5, 5, 5, 5, 5, 0}));
  BOOST_TEST(gemma3.rope.base == 1e6);
  BOOST_TEST(gemma3.local_rope.base == 1e4);
  BOOST_TEST(gemma3.score_cap == 0.0);
  BOOST_TEST(describe("gpt_neox").arch.rope.dims == 2);
  BOOST_TEST((describe("gpt_neox").arch.residual == residual_kind::parallel));
  BOOST_TEST((describe("olmo2").arch.norms == norm_place::after));
}

BOOST_AUTO_TEST_CASE(both_styles_of_rotary_settings) {
  BOOST_TEST(describe("llama", R"("rope_theta": 500000.0)").arch.rope.base == 500000.0);
  BOOST_TEST(
      describe("llama", R"("rope_parameters": {"rope_type": "default", "rope_theta": 7.0})").arch.rope.base ==
      7.0);
  architecture const old = describe("gemma3_text", R"("rope_theta": 9.0, "rope_local_base_freq": 3.0,
      "rope_scaling": {"rope_type": "linear", "factor": 8.0})")
                               .arch;
  BOOST_TEST(old.rope.base == 9.0);
  BOOST_TEST(old.rope.factor == 8.0);
  BOOST_TEST(old.local_rope.base == 3.0);
  BOOST_TEST((old.local_rope.scaling == rope_scaling::none));
  BOOST_TEST(describe("gpt_neox", R"("rotary_pct": 1.0, "rotary_emb_base": 50)").arch.rope.dims == 8);
}

BOOST_AUTO_TEST_CASE(heads_are_known_by_their_tensors) {
  std::vector<std::byte> bytes(3 * 32 * 4);
  tensor_entry const three{.name = "score.weight", .shape = {3, 32}, .bytes = bytes};
  model_description const m = describe("llama", "", table({three}));
  BOOST_TEST(m.arch.labels == 3);
  BOOST_TEST(!m.arch.labels_of_first);
  BOOST_TEST(m.names.unembedding == "score");
  std::string const encoder = R"("type_vocab_size": 2)";
  check_throws<file_error>([&] { static_cast<void>(describe("bert", encoder)); },
                           "neither a masked-language-model head nor a classifier");
  model_description const masked = describe("bert", encoder, table({{.name = "cls.predictions.bias"}}));
  BOOST_TEST(masked.arch.head_norm);
  BOOST_TEST(masked.arch.tied_unembedding);
  std::string const rectified =
      encoder + R"(, "hidden_act": "relu")";  // RobertaLMHead is gelu whatever the blocks are
  BOOST_TEST((describe("bert", rectified, table({{.name = "cls.predictions.bias"}})).arch.head_activation ==
              activation_kind::relu));
  BOOST_TEST((describe("roberta", rectified, table({{.name = "lm_head.bias"}})).arch.head_activation ==
              activation_kind::gelu));
  model_description const classes = describe(
      "roberta", encoder, table({{.name = "classifier.out_proj.weight", .shape = {3, 32}, .bytes = bytes}}));
  BOOST_TEST(classes.arch.labels == 3);
  BOOST_TEST(classes.arch.labels_of_first);
  BOOST_TEST(classes.names.first_position == 2);
  BOOST_TEST(classes.arch.context == 510);
}

BOOST_AUTO_TEST_CASE(architectures_must_name_a_head_that_is_read) {
  std::vector<std::byte> bytes(3 * 32 * 4);
  auto const with = [&](char const* type, char const* tensor, std::string const& name) {
    return describe(type, R"("type_vocab_size": 2, "architectures": [")" + name + "\"]",
                    table({{.name = tensor, .shape = {3, 32}, .bytes = bytes}}));
  };
  auto const refused = [&](char const* type, char const* tensor, std::string const& name,
                           std::string_view sentence) {
    check_throws<file_error>([&] { static_cast<void>(with(type, tensor, name)); }, sentence);
  };
  char const* const classes = "classifier.weight";
  BOOST_TEST(with("bert", classes, "BertForSequenceClassification").arch.labels == 3);
  for (std::string const name : {"BertForTokenClassification", "BertForMultipleChoice", "BertForMaskedLM"})
    refused("bert", classes, name,
            "config.json: architectures: got '" + name + "', expected …ForSequenceClassification");
  refused("roberta", "classifier.out_proj.weight", "RobertaForQuestionAnswering", "architectures: got");
  refused("llama", "score.weight", "LlamaForTokenClassification", "architectures: got");
  for (std::string const name : {"BertForMaskedLM", "BertForPreTraining"})
    BOOST_TEST(with("bert", "cls.predictions.bias", name).arch.labels == 0);
  refused("bert", "cls.predictions.bias", "BertForNextSentencePrediction",
          "got 'BertForNextSentencePrediction', expected …ForMaskedLM or …ForPreTraining");
  BOOST_TEST(
      describe("bert", R"("architectures": null)", table({{.name = "cls.predictions.bias"}})).arch.labels ==
      0);
}

BOOST_AUTO_TEST_CASE(problem_type_says_what_labels_are) {
  std::vector<std::byte> bytes(3 * 32 * 4);
  auto const kind = [&](std::ptrdiff_t labels, std::string const& more = "") {
    return describe("llama", more, table({{.name = "score.weight", .shape = {labels, 32}, .bytes = bytes}}))
        .arch.labels_are;
  };
  BOOST_TEST((kind(3) == label_kind::exclusive));
  BOOST_TEST((kind(1) == label_kind::numbers));
  BOOST_TEST((kind(3, R"("problem_type": null)") == label_kind::exclusive));
  BOOST_TEST((kind(3, R"("problem_type": "single_label_classification")") == label_kind::exclusive));
  BOOST_TEST((kind(1, R"("problem_type": "multi_label_classification")") == label_kind::independent));
  BOOST_TEST((kind(3, R"("problem_type": "regression")") == label_kind::numbers));
  check_throws<file_error>([&] { static_cast<void>(kind(3, R"("problem_type": "ranking")")); },
                           "problem_type: got 'ranking', expected single_label_classification");
}

BOOST_AUTO_TEST_CASE(what_would_change_the_mathematics_is_refused_by_name) {
  auto const refused = [](std::string const& type, std::string const& more, std::string_view sentence) {
    check_throws<file_error>([&] { static_cast<void>(describe(type, more)); }, sentence);
  };
  refused("mamba", "", "config.json: got architecture 'mamba', expected one of: llama, mistral");
  refused(
      "gemma3", R"("text_config": {"hidden_size": 32})",
      "config.json: model_type: got 'gemma3', a model of text and images, expected 'gemma3_text': save its");
  refused("llama", R"("hidden_act": "swiglu")", "hidden_act: got 'swiglu', expected silu, gelu");
  refused("llama", R"("sliding_window": 5)", "sliding_window: got 5, expected null (anything else changes");
  refused("llama", R"("quantization_config": {"bits": 4})", "quantization_config: got {\"bits\":4}");
  refused("llama", R"("num_local_experts": 8)", "num_local_experts: got 8");
  refused("llama", R"("rope_scaling": {"type": "warp"})", "rope_type: got 'warp'");
  refused("llama", R"("rope_parameters": {"rope_type": "linear", "factor": 2.0, "bend": 1})",
          "got key 'bend'");
  refused("llama", R"("partial_rotary_factor": 1.5)", "partial_rotary_factor: got 1.5");
  refused("llama", R"("partial_rotary_factor": 0)", "partial_rotary_factor: got 0.0");
  refused("llama", R"("num_key_value_heads": 0)", "num_key_value_heads: got 0, expected 1 to");
  refused("llama", R"("head_dim": -1)", "head_dim: got -1");
  refused("llama", R"("head_dim": 9000000000000000000)", "head_dim: got 9000000000000000000");
  refused("qwen2", R"("layer_types": ["full_attention"])",
          "layer_types: got 1 entries, expected one for each of 6");
  refused("qwen2", R"("layer_types": ["a", "a", "a", "a", "a", "a"])", "layer_types: got 'a'");
  refused("gemma2", R"("sliding_window": 0)", "sliding_window: got 0");
  refused("gemma2", R"("use_bidirectional_attention": true)", "use_bidirectional_attention: got true");
  refused("gemma3_text", R"("sliding_window_pattern": 0)", "sliding_window_pattern: got 0");
  refused("phi3", R"("rope_scaling": {"type": "longrope", "short_factor": [1]})", "long_factor");
  refused("bert", R"("position_embedding_type": "relative_key")",
          "position_embedding_type: got \"relative_key\"");
  refused("bert", R"("is_decoder": true)", "is_decoder: got true");
  refused("roberta", R"("pad_token_id": 700)", "pad_token_id: got 700");
  for (char const* const decoder : {"llama", "qwen2", "qwen3", "gemma2", "phi3"})
    refused(decoder, R"("is_causal": false)", "is_causal: got false, expected true");
  refused("llama", R"("rope_theta": -1.0)", "rope.base, factor, magnitude: got -1.0");
  refused("llama", R"("rms_norm_eps": -1.0)", "norm_epsilon: got -1.0");
  refused("llama", R"("rope_scaling": {"type": "yarn", "factor": 2.0, "beta_slow": 0})",
          "beta_fast, beta_slow");
  refused("llama", R"("rope_scaling": {"type": "llama3", "factor": 2.0, "low_freq_factor": 4.0,
      "high_freq_factor": 4.0})",
          "high_frequency: got 4.000000, 4.000000, expected finite and ascending");
  refused("phi3",
          R"("rope_scaling": {"type": "yarn", "short_factor": [1, 1, 1, 1], "long_factor": [1, 1, 1, 1]})",
          "short_factor, long_factor: got factors for each pair beside yarn");
  refused("\\u001b[2J", "", "got architecture '\\x1b[2J'");
  refused("llama", R"("num_key_value_heads": 3)", "config.json: architecture.kv_heads: got 3 for 4 heads");
  auto const without = [](std::string const& text, std::string_view sentence) {
    check_throws<file_error>(
        [&] { static_cast<void>(describe_config(parse_json(text, "config.json"), "config.json", table())); },
        sentence);
  };
  without(R"({"hidden_size": 3})", "model_type");
  without(R"({"model_type": "llama"})", "num_hidden_layers");
  without(R"({"model_type": "llama", "num_hidden_layers": 1000000000})",
          "num_hidden_layers: got 1000000000, expected 1 to");
  without(R"({"model_type": "llama", "num_hidden_layers": 9})",
          "num_hidden_layers: got 9, expected no more than the 8 tensors there are");
  without(R"({"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 0})", "n_head: got 0");
}

/// A GGUF file's metadata with one tensor, the embedding.
gguf_bytes small_model(std::string const& family, std::uint64_t more = 0,
                       std::function<void(gguf_bytes&)> const& add = {}) {
  gguf_bytes g;
  auto const key = [&](char const* name) { return family + "." + name; };
  bool const layer_norm = family == "gpt2" || family == "gptneox";
  g.header(1, (family == "gpt2" ? 7 : 8) + more);
  g.string("general.architecture", family);
  g.scalar<std::uint32_t>(key("block_count"), g_u32, 1)
      .scalar<std::uint32_t>(key("embedding_length"), g_u32, 8);
  g.scalar<std::uint32_t>(key("attention.head_count"), g_u32, 2)
      .scalar<std::uint32_t>(key("feed_forward_length"), g_u32, 16);
  g.scalar<std::uint32_t>(key("context_length"), g_u32, 32);
  g.scalar<float>(key(layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
                  g_f32, 1e-5f);
  if (family != "gpt2") g.scalar<std::uint32_t>(key("attention.sliding_window"), g_u32, 4);
  if (add) add(g);
  g.tensor("token_embd.weight", {8, 4}, 0, 0).pad().zeros(8 * 4 * 4);
  return g;
}

model_description describe(gguf_bytes const& g) {
  temporary_folder const folder;
  std::string const path = folder / "m.gguf";
  spill(path, {reinterpret_cast<char const*>(g.bytes.data()), g.bytes.size()});
  return describe_gguf(gguf_model::open(path));
}

BOOST_AUTO_TEST_CASE(families_of_gguf) {
  architecture const gemma = describe(small_model("gemma2")).arch;
  BOOST_TEST((gemma.norms == norm_place::around));
  BOOST_TEST(gemma.windows == std::vector<index>{4});
  BOOST_TEST(gemma.embedding_scale == std::sqrt(8.0));
  BOOST_TEST(gemma.score_cap == 50.0);
  BOOST_TEST(describe(small_model("llama")).names.interleaved_query);
  BOOST_TEST(!describe(small_model("qwen2")).names.interleaved_query);
  BOOST_TEST((describe(small_model("gptneox")).arch.residual == residual_kind::parallel));
  BOOST_TEST((describe(small_model("olmo2")).arch.qk_norm == qk_norm_kind::whole));
  BOOST_TEST(describe(small_model("gemma3")).arch.local_rope.base == 10000.0);
  check_throws<file_error>([] { static_cast<void>(describe(small_model("mamba"))); },
                           "got architecture 'mamba', expected one of: llama, qwen2");
}

// What one family reads would be passed over in another.
BOOST_AUTO_TEST_CASE(settings_of_another_family_in_gguf) {
  auto const with = [](std::string const& family, char const* key, float value) {
    return describe(
        small_model(family, 1, [&](gguf_bytes& g) { g.scalar<float>(family + "." + key, g_f32, value); }));
  };
  for (char const* const key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    BOOST_TEST((with("gemma2", key, 20).arch.norms == norm_place::around));
    BOOST_TEST(with("llama", key, 0).arch.logit_cap == 0.0);
    check_throws<file_error>([&] { with("llama", key, 20); },
                             std::string(key) + ": got 20.000000, expected 0");
    check_throws<file_error>([&] { with("gemma3", key, 20); }, "in a model of gemma3");
  }
  BOOST_TEST(with("gemma3", "rope.freq_base_swa", 20000).arch.local_rope.base == 20000.0);
  BOOST_TEST(with("llama", "rope.freq_base_swa", 10000).arch.rope.base == 10000.0);
  check_throws<file_error>([&] { with("llama", "rope.freq_base_swa", 20000); },
                           "rope.freq_base_swa: got 20000");
  check_throws<file_error>(
      [] {
        static_cast<void>(describe(small_model("gpt2", 1, [](gguf_bytes& g) {
          g.scalar<std::uint32_t>("gpt2.attention.sliding_window", g_u32, 4);
        })));
      },
      "attention.sliding_window: got 4, expected 0 in a model of gpt2");
  auto const parallel = [](std::string const& family, bool value) {
    return describe(small_model(family, 1, [&](gguf_bytes& g) {
      g.scalar<std::uint8_t>(family + ".use_parallel_residual", g_bool, value ? 1 : 0);
    }));
  };
  BOOST_TEST((parallel("llama", false).arch.residual == residual_kind::serial));
  check_throws<file_error>([&] { parallel("llama", true); },
                           "use_parallel_residual: got true, expected false");
}

BOOST_AUTO_TEST_CASE(keys_of_gguf_that_change_the_mathematics) {
  using add = std::function<void(gguf_bytes&)>;
  auto const rope = [](std::uint64_t count, add const& keys, char const* family = "llama") {
    return describe(small_model(family, count, keys)).arch.rope;
  };
  // As converters write them: the context is an integer, and a factor without a type is linear.
  rope_settings const yarn = rope(3, [](gguf_bytes& g) {
    g.string("llama.rope.scaling.type", "yarn").scalar<float>("llama.rope.scaling.factor", g_f32, 4);
    g.scalar<std::uint32_t>("llama.rope.scaling.original_context_length", g_u32, 8);
  });
  BOOST_TEST((yarn.scaling == rope_scaling::yarn));
  BOOST_TEST(yarn.original == 8.0);
  rope_settings const linear =
      rope(1, [](gguf_bytes& g) { g.scalar<float>("llama.rope.scaling.factor", g_f32, 4); });
  BOOST_TEST((linear.scaling == rope_scaling::linear));
  BOOST_TEST(linear.factor == 4.0);
  BOOST_TEST(rope(1, [](gguf_bytes& g) { g.scalar<float>("llama.rope.scale_linear", g_f32, 2); }).factor ==
             2.0);
  BOOST_TEST((rope(0, {}).scaling == rope_scaling::none));
  // llama.cpp multiplies cosines and sines by attn_factor whatever the type is, in layers with a window too.
  for (char const* const type : {"", "none", "linear", "yarn"}) {
    auto const keys = [&](gguf_bytes& g) {
      g.string("gemma3.rope.scaling.type", type).scalar<float>("gemma3.rope.scaling.factor", g_f32, 4);
      g.scalar<float>("gemma3.rope.scaling.attn_factor", g_f32, 1.25f);
    };
    auto const alone = [](gguf_bytes& g) {
      g.scalar<float>("gemma3.rope.scaling.attn_factor", g_f32, 1.25f);
    };
    bool const named = *type != 0, longer = std::string(type) == "yarn";
    architecture const a =
        describe(small_model("gemma3", named ? 3 : 1, named ? add(keys) : add(alone))).arch;
    BOOST_TEST(std::abs(a.rope.magnitude - 1.25 * (longer ? 1 + 0.1 * std::log(4.0) : 1)) < 1e-12, type);
    BOOST_TEST(a.local_rope.magnitude == 1.25, type);
  }
  BOOST_TEST(rope(
                 1,
                 [](gguf_bytes& g) {
                   g.scalar<std::uint32_t>("phi3.rope.scaling.original_context_length", g_u32, 16);
                 },
                 "phi3")
                 .original == 16.0);

  auto const windows = [](add const& keys) { return describe(small_model("olmo2", 1, keys)).arch.windows; };
  BOOST_TEST(windows([](gguf_bytes& g) {
               g.array<std::uint8_t>("olmo2.attention.sliding_window_pattern", g_bool, {0});
             }).empty());
  BOOST_TEST(windows([](gguf_bytes& g) {
               g.array<std::uint8_t>("olmo2.attention.sliding_window_pattern", g_bool, {1});
             }) == std::vector<index>{4});
  auto const refused = [](std::uint64_t count, add const& keys, char const* sentence) {
    check_throws<file_error>([&] { static_cast<void>(describe(small_model("llama", count, keys))); },
                             sentence);
  };
  refused(
      1,
      [](gguf_bytes& g) {
        g.array<std::uint8_t>("llama.attention.sliding_window_pattern", g_bool, {1, 0});
      },
      "sliding_window_pattern: got 2 flags, expected one for each of 1 layers");
  refused(
      1, [](gguf_bytes& g) { g.scalar<float>("llama.logit_scale", g_f32, 0.5f); },
      "'llama.logit_scale' is not understood, and could change what the model computes");
  refused(
      1, [](gguf_bytes& g) { g.scalar<std::uint8_t>("llama.attention.causal", g_bool, 0); },
      "llama.attention.causal: got false, expected true");
  refused(
      1, [](gguf_bytes& g) { g.scalar<float>("llama.rope.freq_base", g_f32, -1); },
      "expected a positive number");
  refused(
      1, [](gguf_bytes& g) { g.scalar<float>("llama.rope.scaling.attn_factor", g_f32, 0); },
      "magnitude: got 0.000000, expected a positive number");
  refused(
      1, [](gguf_bytes& g) { g.scalar<float>("llama.rope.scaling.factor", g_f32, INFINITY); },
      "expected a positive number");
}

BOOST_AUTO_TEST_CASE(integers_are_no_weights) {
  tensor_entry const whole{.name = "output_norm.weight", .type = tensor_type::i32, .shape = {8}};
  check_throws<file_error>(
      [&] { require_numbers(whole, "m.gguf"); },
      "m.gguf: tensor 'output_norm.weight' has type I32, expected floating-point numbers");
}

/// Shard `number` of `count`, which holds one tensor.
gguf_bytes shard(std::uint16_t number, std::uint16_t count, std::string const& tensor, std::int32_t total) {
  gguf_bytes g;
  g.header(1, 3);
  g.scalar<std::uint16_t>("split.no", g_u16, number).scalar<std::uint16_t>("split.count", g_u16, count);
  g.scalar<std::int32_t>("split.tensors.count", g_i32, total);
  g.tensor(tensor, {2}, 0, 0).pad();
  return g.put(1.5f + number).put(2.5f);
}

BOOST_AUTO_TEST_CASE(shards_lie_side_by_side) {
  temporary_folder const folder;
  std::string const first = folder / "m-00001-of-00002.gguf", second = folder / "m-00002-of-00002.gguf";
  auto const write = [&](std::string const& path, gguf_bytes const& g) {
    spill(path, {reinterpret_cast<char const*>(g.bytes.data()), g.bytes.size()});
  };
  write(first, shard(0, 2, "a", 2));
  auto const open = [&](std::string const& path) { return gguf_model::open(path); };
  auto const refused = [&](std::string const& path, std::string_view sentence) {
    check_throws<file_error>([&] { static_cast<void>(open(path)); }, sentence);
  };
  refused(first, "m-00002-of-00002.gguf: no such file");
  write(second, shard(1, 2, "b", 2));
  gguf_model const model = open(first);
  BOOST_TEST(model.tensors().size() == 2U);
  BOOST_TEST(read_floats(model.tensors().at("b"))[0] == 2.5f);
  refused(second, "split.no: got 1, expected 0: open the first shard");
  write(second, shard(1, 3, "b", 2));
  refused(first, "split.no and split.count: got 1 of 3, expected 1 of 2");
  write(second, shard(1, 2, "a", 2));
  refused(first, "two tensors have the name 'a'");
  write(second, shard(1, 2, "b", 3));
  write(first, shard(0, 2, "a", 3));
  refused(first, "split.tensors.count: got 3, but the shards hold 2 tensors");
  write(folder / "other.gguf", shard(0, 2, "a", 2));
  refused(folder / "other.gguf", "expected a name that ends in -00001-of-00002.gguf");
  write(first, shard(0, 60000, "a", 2));
  refused(first, "split.count: got 60000, the limit is 4096");
}

}  // namespace
}  // namespace lancet_test
