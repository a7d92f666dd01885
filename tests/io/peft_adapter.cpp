// SPDX-License-Identifier: Apache-2.0
// PEFT adapters: what goes out comes back with the same effect, and says what PEFT must know; adapters that
// are more than low-rank changes are refused.
#define BOOST_TEST_MODULE io_peft_adapter
#include "lancet/backend/eigen.hpp"

#include "lancet/io/peft_adapter.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "lancet/io/intervention_folder.hpp"
#include "support/errors.hpp"
#include "support/interventions.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

/// Heads and neurons, whole projections, several ranks and scales, several parts of one weight.
std::vector<part_description> many_parts(architecture const& a) {
  index const d = a.head_dim, w = a.width, f = a.mlp_width;
  return {{"low_rank", "o", 1, columns(2 * d, d), 2, 1.5}, {"low_rank", "o", 1, columns(0, d), 3, 1},
          {"low_rank", "down", 2, {1, 2, 7}, 1, 2},        {"low_rank", "q", 0, columns(0, w), 2, 0.5},
          {"low_rank", "v", 0, columns(3, 4), 2, 1.0 / 3}, {"low_rank", "k", 2, columns(0, w), 2, 1},
          {"low_rank", "up", 1, columns(0, w), 2, 1},      {"low_rank", "down", 0, columns(0, f), 2, 1}};
}

/// Writes an adapter, changes its configuration and its tensors, and reads it.
struct adapter {
  transformer<B> m = tiny_model<B>(llama_like());
  temporary_folder folder;
  nlohmann::json config;
  std::vector<std::pair<std::string, std::vector<std::ptrdiff_t>>> tensors;

  adapter() {
    auto const what = random_intervention(m, {{"low_rank", "o", 1, columns(0, 24), 2, 1}});
    write_peft_adapter(folder / "a", host_parts(what), m.arch());
    config = read_json(folder / "a/adapter_config.json");
    auto const file = safetensors_file::open(folder / "a/adapter_model.safetensors");
    for (tensor_entry const& t : file.tensors()) tensors.emplace_back(t.name, t.shape);
  }
  void refused(std::string_view sentence, float value = 1) {
    std::filesystem::create_directory(folder / "b");
    write_file(folder / "b/adapter_config.json", config.dump());
    std::vector<float> const values(4096, value);
    std::vector<tensor_entry> entries;
    for (auto const& [name, shape] : tensors) {
      std::ptrdiff_t count = 1;
      for (auto const n : shape) count *= n;
      entries.push_back(as_tensor(name, shape, std::span(values).first(static_cast<std::size_t>(count))));
    }
    write_safetensors(folder / "b/adapter_model.safetensors", entries);
    check_throws<file_error>([&] { static_cast<void>(read_peft_adapter(folder / "b", m.arch())); }, sentence);
  }
};

std::string const module_name = "base_model.model.model.layers.1.self_attn.o_proj";

}  // namespace

BOOST_AUTO_TEST_CASE(what_goes_out_comes_back) {
  temporary_folder const folder;
  for (architecture const& a : {llama_like(), gpt2_like(), bert_like()}) {
    transformer<B> const m = tiny_model<B>(a);
    auto what = random_intervention(m, many_parts(a));
    what.set_strength(0.75);
    write_peft_adapter(folder / a.family, host_parts(what), a, "some/model");
    auto back = intervention_of("peft", read_peft_adapter(folder / a.family, a), m);
    std::vector<double> const base = logits_of(m, prompt), hooked = logits_of(m, prompt, &what),
                              again = logits_of(m, prompt, &back);
    BOOST_TEST(largest_gap(base, hooked) > 0.1);
    // A few float roundings of logits below 10: folding the strength in, another order of sums.
    BOOST_TEST(largest_gap(hooked, again) < 2e-5, a.family);
    BOOST_CHECK_EQUAL(back.kind(), "peft");
    save_intervention(folder / (a.family + ".saved"), back);
    auto saved = load_intervention<B>(folder / (a.family + ".saved"), m);
    BOOST_TEST(largest_gap(logits_of(m, prompt, &saved), again) == 0);
    // The merged model is the same too: what was read is an intervention like others.
    BOOST_TEST(largest_gap(logits_of(merge(tiny_model<B>(a), back), prompt), hooked) < 2e-5);
  }
}

BOOST_AUTO_TEST_CASE(a_head_is_columns_of_zeros_elsewhere) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const what = random_intervention(m, {{"low_rank", "o", 1, columns(6, 6), 2, 1.5}});
  write_peft_adapter(folder / "p", host_parts(what), m.arch(), "some/model");
  nlohmann::json const config = read_json(folder / "p/adapter_config.json");
  BOOST_TEST(config["r"] == 2);
  BOOST_TEST(config["lora_alpha"] == 3);  // alpha / r is the scale
  BOOST_TEST(config["target_modules"] == nlohmann::json({"model.layers.1.self_attn.o_proj"}));
  BOOST_TEST(config["fan_in_fan_out"] == false);
  BOOST_TEST(config["base_model_name_or_path"] == "some/model");
  auto const file = safetensors_file::open(folder / "p/adapter_model.safetensors");
  std::vector<float> const a = read_floats(file.tensors().at(module_name + ".lora_A.weight")),
                           b = read_floats(file.tensors().at(module_name + ".lora_B.weight")),
                           own = host_parts(what)[0].a;
  BOOST_REQUIRE_EQUAL(a.size(), 2U * 24U);
  for (std::size_t r = 0; r < 2; ++r)
    for (std::size_t j = 0; j < 24; ++j)
      BOOST_TEST(a[r * 24 + j] == (j >= 6 && j < 12 ? own[r * 6 + j - 6] : 0.0F));
  BOOST_TEST(b == host_parts(what)[0].b);
}

BOOST_AUTO_TEST_CASE(queries_of_a_fused_projection_have_zeros_for_keys_and_values) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(gpt2_like());
  auto const what = random_intervention(m, {{"low_rank", "k", 0, columns(0, 12), 2, 1}});
  write_peft_adapter(folder / "p", host_parts(what), m.arch());
  BOOST_TEST(read_json(folder / "p/adapter_config.json")["fan_in_fan_out"] == true);
  auto const file = safetensors_file::open(folder / "p/adapter_model.safetensors");
  std::string const module = "base_model.model.transformer.h.0.attn.c_attn";
  std::vector<float> const b = read_floats(file.tensors().at(module + ".lora_B.weight"));
  BOOST_REQUIRE_EQUAL(b.size(), 36U * 2U);
  for (std::size_t i = 0; i < b.size(); ++i)
    BOOST_TEST(b[i] == (i >= 24 && i < 48 ? host_parts(what)[0].b[i - 24] : 0.0F));
  auto const parts = read_peft_adapter(folder / "p", m.arch());
  BOOST_REQUIRE_EQUAL(parts.size(), 1U);
  BOOST_TEST(parts[0].what.where == "k");
}

BOOST_AUTO_TEST_CASE(rows_of_gpt_neox_lie_together_by_head) {
  temporary_folder const folder;
  architecture a = gpt2_like();  // 3 heads of 4
  a.family = "gpt_neox";
  transformer<B> const m = tiny_model<B>(a);
  auto const what = random_intervention(
      m, {{"low_rank", "k", 0, columns(0, 12), 1, 1}, {"low_rank", "down", 1, columns(0, 10), 1, 1}});
  write_peft_adapter(folder / "p", host_parts(what), a);
  auto const file = safetensors_file::open(folder / "p/adapter_model.safetensors");
  std::string const module = "base_model.model.gpt_neox.layers.0.attention.query_key_value";
  std::vector<float> const b = read_floats(file.tensors().at(module + ".lora_B.weight"));
  for (std::size_t row = 0; row < 36; ++row)  // 4 of the query, 4 of the key, 4 of the value
    BOOST_TEST(b[row] == (row / 4 % 3 == 1 ? host_parts(what)[0].b[row / 12 * 4 + row % 4] : 0.0F));
  auto const parts = read_peft_adapter(folder / "p", a);
  BOOST_REQUIRE_EQUAL(parts.size(), 2U);
  BOOST_TEST(parts[0].what.where == "k");
  BOOST_TEST(parts[0].b == host_parts(what)[0].b);
  // In GGUF they are stacked.
  low_rank_update const u = low_rank_updates(host_parts(what), peer_names_of(a, naming::gguf), a).at(0);
  BOOST_TEST(u.weight == "blk.0.attn_qkv");
  BOOST_TEST((std::vector<float>(u.b.begin() + 12, u.b.begin() + 24) == host_parts(what)[0].b));
}

BOOST_AUTO_TEST_CASE(ranks_and_scales_that_differ_are_patterns) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const what = random_intervention(m, {{"low_rank", "o", 0, columns(0, 6), 2, 1},
                                            {"low_rank", "down", 1, columns(0, 10), 3, 2},
                                            {"low_rank", "up", 1, columns(0, 12), 2, 0.3}});
  write_peft_adapter(folder / "p", host_parts(what), m.arch());
  nlohmann::json const config = read_json(folder / "p/adapter_config.json");
  std::string const down = "model.layers.1.mlp.down_proj";
  BOOST_TEST(config["rank_pattern"] == nlohmann::json({{down, 3}}));
  BOOST_TEST(config["alpha_pattern"] == nlohmann::json({{down, 6}}));
  // 0.3 · 2 is no whole number: the scale went into B.
  auto const file = safetensors_file::open(folder / "p/adapter_model.safetensors");
  std::vector<float> const b =
      read_floats(file.tensors().at("base_model.model.model.layers.1.mlp.up_proj.lora_B.weight"));
  for (std::size_t i = 0; i < b.size(); ++i)
    BOOST_TEST(b[i] == static_cast<float>(0.3 * static_cast<double>(host_parts(what)[2].b[i])));
}

BOOST_AUTO_TEST_CASE(peft_s_own_settings) {
  adapter made;
  auto const scale = [&](nlohmann::json const& changes) {
    nlohmann::json config = made.config;
    config.update(changes);
    write_file(made.folder / "a/adapter_config.json", config.dump());
    return read_peft_adapter(made.folder / "a", made.m.arch()).at(0).what.scale;
  };
  BOOST_TEST(scale(nlohmann::json::object()) == 1);
  BOOST_TEST(scale({{"lora_alpha", 5}}) == 2.5);
  BOOST_TEST(scale({{"lora_alpha", 5}, {"use_rslora", true}}) == 5 / std::sqrt(2.0));
  BOOST_TEST(scale({{"alpha_pattern", {{"o_proj", 8}}}}) == 4);
  BOOST_TEST(scale({{"alpha_pattern", {{"^model\\.layers.1.self_attn.o_proj", 8}}}}) == 4);
  BOOST_TEST(scale({{"alpha_pattern", {{"^o_proj", 8}}}}) == 1);
  BOOST_TEST(scale({{"alpha_pattern", {{"proj", 8}}}}) == 1);  // whole names between dots
  BOOST_TEST(scale({{"r", 7}, {"rank_pattern", {{"self_attn.o_proj", 2}}}, {"lora_alpha", 2}}) == 1);
  // Everything that PEFT writes for a feature that is off.
  BOOST_TEST(scale({{"corda_config", nullptr},
                    {"loftq_config", nlohmann::json::object()},
                    {"use_qalora", false},
                    {"trainable_token_indices", nullptr},
                    {"some_new_feature", nullptr},
                    {"lora_dropout", 0.1},
                    {"init_lora_weights", "gaussian"},
                    {"megatron_core", "megatron.core"}}) == 1);
  // EVA chooses the first A from data; it leaves the base weights as they are.
  BOOST_TEST(scale({{"init_lora_weights", "eva"},
                    {"eva_config",
                     {{"rho", 2.0},
                      {"tau", 0.99},
                      {"use_label_mask", true},
                      {"label_mask_value", -100},
                      {"whiten", false},
                      {"adjust_scaling_factors", true}}}}) == 1);
}

BOOST_AUTO_TEST_CASE(what_a_configuration_may_not_say) {
  auto const refused = [](nlohmann::json const& changes, char const* sentence) {
    adapter made;
    made.config.update(changes);
    made.refused(sentence);
  };
  refused({{"peft_type", "IA3"}}, "adapter_config.json: peft_type: got the string 'IA3', expected 'LORA'");
  refused({{"use_dora", true}}, "without the magnitude vector that use_dora asks for");
  refused({{"bias", "all"}}, "bias: got the string 'all', expected 'none'");
  refused({{"modules_to_save", {"lm_head"}}}, "modules_to_save: got a list of 1, expected null");
  refused({{"init_lora_weights", "pissa"}},
          "expected an initialisation that leaves the base weights as they are");
  refused({{"init_lora_weights", "loftq"}}, "init_lora_weights: got the string 'loftq'");
  refused({{"layer_replication", {{0, 1}}}},
          "layer_replication: got a list of 1, expected nothing that could change");
  refused({{"lora_bias", true}},
          "lora_bias: got true, expected nothing that could change what the adapter computes");
  refused({{"alora_invocation_tokens", {5}}}, "alora_invocation_tokens");
  refused({{"a_key_of_tomorrow", 3}}, "a_key_of_tomorrow: got 3, expected nothing that could change");
  refused({{"r", 2.5}}, "r: got 2.5, expected a rank from 1 to 65536");
  refused({{"r", 0}}, "expected a rank from 1 to 65536");
  refused({{"r", "two"}}, "r: got the string 'two', expected a number");
  refused({{"rank_pattern", {{"(a+)+$", 2}}}}, "expected names of modules, not the pattern '(a+)+$'");
  refused({{"alpha_pattern", {{"o_proj", 1}, {"self_attn.o_proj", 2}}}}, "expected one value for module");
  refused({{"lora_alpha", nlohmann::json::array()}}, "lora_alpha: got a list of 0, expected a number");
  refused({{"lora_alpha", 1e39}}, "lora_alpha: got 1e+39, expected a number that a float holds");
  refused({{"alpha_pattern", {{"o_proj", -1e39}}}},
          "alpha_pattern.o_proj: got -1e+39, expected a number that a float holds");
  nlohmann::json many = nlohmann::json::object();
  for (int i = 0; i <= 65536; ++i) many["module" + std::to_string(i)] = 1;
  refused({{"rank_pattern", many}}, "rank_pattern: got an object, expected at most 65536 modules, not 65537");
}

BOOST_AUTO_TEST_CASE(what_tensors_may_not_be) {
  auto const refused = [](std::function<void(adapter&)> const& change, std::string_view sentence,
                          float value = 1) {
    adapter made;
    change(made);
    made.refused(sentence, value);
  };
  std::string const a = module_name + ".lora_A.weight", b = module_name + ".lora_B.weight";
  refused(
      [&](adapter& x) {
        x.tensors = {{a, {2, 24}}};
      },
      "has only one matrix of the adapter of 'model.layers.1");
  refused([&](adapter& x) { x.tensors = {{b, {12, 2}}}; }, "without its A");
  refused(
      [&](adapter& x) {
        x.tensors = {{a, {3, 24}}, {b, {12, 3}}};
      },
      "has shape [3, 24], expected [2, 24]");
  refused(
      [&](adapter& x) {
        x.tensors = {{a, {2, 12}}, {b, {12, 2}}};
      },
      "has shape [2, 12], expected [2, 24]");
  refused(
      [&](adapter& x) {
        x.tensors = {{a, {2, 24}}, {b, {2, 12}}};
      },
      "has shape [2, 12], expected [12, 2]");
  refused(
      [&](adapter& x) {
        x.tensors.push_back({"base_model.model.lm_head.lora_A.weight", {2, 12}});
      },
      "has an adapter of 'lm_head', which is no projection of this llama with 3 layers");
  refused(
      [&](adapter& x) {
        x.tensors = {{"base_model.model.model.layers.3.self_attn.o_proj.lora_A.weight", {2, 24}}};
      },
      "'model.layers.3.self_attn.o_proj', which is no projection");
  refused(
      [&](adapter& x) {
        x.tensors.push_back({module_name + ".lora_magnitude_vector", {12}});
      },
      "with a magnitude vector, which use_dora does not ask for");
  refused(
      [&](adapter& x) {
        x.tensors.push_back({module_name + ".lora_B.bias", {12}});
      },
      "biases of adapters");
  refused(
      [&](adapter& x) {
        x.tensors.push_back({"base_model.model.model.embed_tokens.lora_embedding_A", {2, 23}});
      },
      "adapters of embeddings are not supported");
  refused(
      [&](adapter& x) {
        x.tensors.push_back({"lora_A.weight", {2, 24}});
      },
      "expected base_model.model.MODULE");
  refused([&](adapter& x) { x.tensors.clear(); }, "has no tensors, expected an adapter");
  refused([&](adapter&) {}, "changes nothing: every B is zero", 0);
  refused([&](adapter&) {}, "element 0 is NaN", NAN);
}

BOOST_AUTO_TEST_CASE(what_an_adapter_cannot_hold) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const offset = random_intervention(m, {{"offset", "z", 1, columns(0, 6), 0, 1}});
  check_throws<usage_error>([&] { write_peft_adapter(folder / "p", host_parts(offset), m.arch()); },
                            "a PEFT adapter has no place for an offset (at z of layer 1)");
  check_throws<usage_error>([&] { write_peft_adapter(folder / "p", {}, m.arch()); }, "got no part");
  architecture other = m.arch();
  other.family = "mamba";
  auto const part = random_intervention(m, {{"low_rank", "q", 1, columns(0, 12), 2, 1}});
  check_throws<usage_error>([&] { write_peft_adapter(folder / "p", host_parts(part), other); },
                            "got a model of family 'mamba', expected one of llama, mistral");
  BOOST_TEST(folder.entries() == 0);
}

}  // namespace lancet_test
