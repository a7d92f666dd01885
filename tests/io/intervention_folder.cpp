// SPDX-License-Identifier: Apache-2.0
// Interventions as folders: the same numbers and the same effect on the model again; damage and misfits are
// refused.
#define BOOST_TEST_MODULE io_intervention_folder
#include "lancet/backend/eigen.hpp"

#include "lancet/io/intervention_folder.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/model/score.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

using namespace lancet;
using lancet_test::check_throws;
using lancet_test::temporary_folder;
using B = compiled::backend_type;

namespace {

transformer<B> model(char digit = 'a') {
  transformer<B> out = lancet_test::tiny_model<B>(lancet_test::llama_like());
  out.set_identity({"tiny", std::string(64, digit)});
  return out;
}

circuit some_circuit(transformer<B> const& m) {
  circuit c;
  c.model = m.identity();
  c.units = {{unit_kind::head, 1, 3, -1},
             {unit_kind::neuron, 2, 1, -1},
             {unit_kind::neuron, 2, 2, -1},
             {unit_kind::neuron, 2, 7, -1},
             {unit_kind::mlp, 0, 0, -1}};
  c.effects = {0.5, 0.4, 0.3, 0.2, 0.1};
  c.rule = "by hand";
  return c;
}

template <class Kind>
intervention<B> trained(transformer<B> const& m, Kind const& kind) {
  intervention<B> out = make_intervention<B>(kind, m.arch(), m.identity(), some_circuit(m), 7);
  std::uint64_t seed = 90;
  for (auto const& t : out.tensors()) {
    tensor<B> const values = lancet_test::random_tensor<B>(t.value->rows(), t.value->cols(), seed++, 0.5);
    B::copy(values, t.value->all());
  }
  out.history = {{0, 1.0 / 3, 0.1, 0.2, 0.3, 4, 1e-3, {}}, {1, 0.25, 0.1, 0.2, 0.3, 4, 1e-3, 0.125}};
  out.trained_on = {2, 3, 5};
  out.trained_on_source = "pairs.jsonl";
  out.settings = {{"steps", "2"}, {"objective", "squared_gap"}};
  out.set_strength(0.75);
  return out;
}

std::vector<double> scores(transformer<B> const& m, intervention<B>& what) {
  hook_table<B> hooks;
  what.hook(hooks);
  workspace<B> ws;
  std::vector<std::vector<token>> const text{{1, 5, 9, 2, 4, 11, 3}};
  return log_probabilities(m, hooks, std::span<std::vector<token> const>(text), ws).at(0);
}

/// A folder whose document is changed after it was written, its manifest made anew.
void rewrite(std::string const& from, std::string const& to,
             std::function<void(nlohmann::json&)> const& change) {
  nlohmann::json document = read_json(from + "/intervention.json");
  change(document);
  write_folder_atomically(to, [&](std::string const& into) {
    write_file(into + "/intervention.json", document.dump());
    write_file(into + "/weights.safetensors", lancet_test::slurp(from + "/weights.safetensors"));
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_saved_comes_back) {
  temporary_folder const folder;
  transformer<B> const m = model();
  auto const check = [&](intervention<B> what, std::string const& path) {
    save_intervention(path, what);
    intervention<B> back = load_intervention<B>(path, m);
    BOOST_CHECK_EQUAL(back.kind(), what.kind());
    BOOST_CHECK(back.circuit().units == what.circuit().units);
    BOOST_CHECK(back.settings == what.settings);
    BOOST_CHECK(back.trained_on == what.trained_on);
    BOOST_CHECK_EQUAL(back.trained_on_source, what.trained_on_source);
    BOOST_CHECK_EQUAL(back.strength(), 0.75);
    BOOST_REQUIRE_EQUAL(back.history.size(), 2U);
    BOOST_CHECK_EQUAL(back.history[0].loss, 1.0 / 3);
    BOOST_CHECK(!back.history[0].validation);
    BOOST_CHECK_EQUAL(back.history[1].validation.value(), 0.125);
    auto const a = what.tensors(), b = back.tensors();
    BOOST_REQUIRE_EQUAL(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      BOOST_CHECK_EQUAL(a[i].name, b[i].name);
      BOOST_CHECK(lancet_test::same_bits<B>(a[i].value->all(), b[i].value->all()));
    }
    std::vector<double> const before = scores(m, what), after = scores(m, back);
    BOOST_CHECK(before == after);
    what.set_strength(0);
    BOOST_CHECK(scores(m, what) != after);  // it does something
  };
  check(trained(m, circuit_breaker{.rank = 2, .alpha = 3}), folder / "breaker");
  check(trained(m, activation_offset{}), folder / "offset");
  check(trained(m, activation_offset{}), folder / "breaker");  // its own folders are replaced
}

BOOST_AUTO_TEST_CASE(equal_interventions_give_equal_bytes) {
  temporary_folder const folder;
  transformer<B> const m = model();
  for (char const* const name : {"one", "two"})
    save_intervention(folder / name, trained(m, circuit_breaker{.rank = 2}));
  for (char const* const file : {"/intervention.json", "/weights.safetensors", "/manifest.json"})
    BOOST_CHECK_EQUAL(lancet_test::slurp((folder / "one") + file),
                      lancet_test::slurp((folder / "two") + file));
}

BOOST_AUTO_TEST_CASE(another_models_intervention_is_refused_with_both_hashes) {
  temporary_folder const folder;
  save_intervention(folder / "x", trained(model('a'), circuit_breaker{.rank = 2}));
  transformer<B> const other = model('c');
  check_throws<file_error>([&] { (void)load_intervention<B>(folder / "x", other); }, std::string(64, 'a'));
  check_throws<file_error>([&] { (void)load_intervention<B>(folder / "x", other); }, std::string(64, 'c'));
}

BOOST_AUTO_TEST_CASE(a_folder_of_something_else_is_not_replaced) {
  temporary_folder const folder;
  std::filesystem::create_directory(folder / "mine");
  lancet_test::spill((folder / "mine") + "/diary.txt", "dear diary");
  check_throws<usage_error>(
      [&] { save_intervention(folder / "mine", trained(model(), activation_offset{})); },
      "not a folder that lancet wrote");
  BOOST_CHECK_EQUAL(lancet_test::slurp((folder / "mine") + "/diary.txt"), "dear diary");
}

BOOST_AUTO_TEST_CASE(damage_is_found) {
  temporary_folder const folder;
  transformer<B> const m = model();
  std::string const path = folder / "x";
  save_intervention(path, trained(m, circuit_breaker{.rank = 2}));
  std::string const weights = path + "/weights.safetensors", whole = lancet_test::slurp(weights);
  for (std::size_t const at : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    lancet_test::spill(weights, bytes);
    check_throws<file_error>([&] { (void)load_intervention<B>(path, m); }, "is damaged");
  }
  lancet_test::spill(weights, whole.substr(0, whole.size() - 9));
  check_throws<file_error>([&] { (void)load_intervention<B>(path, m); }, "the manifest says");
  std::filesystem::remove(weights);
  check_throws<file_error>([&] { (void)load_intervention<B>(path, m); }, "weights.safetensors");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_its_path) {
  temporary_folder const folder;
  transformer<B> const m = model();
  save_intervention(folder / "good", trained(m, circuit_breaker{.rank = 2}));
  auto const refused = [&](std::string_view sentence, std::function<void(nlohmann::json&)> const& change) {
    rewrite(folder / "good", folder / "bad", change);
    check_throws<file_error>([&] { (void)load_intervention<B>(folder / "bad", m); }, sentence);
  };
  refused("parts[0].layer: got 3, expected an integer from 0 to 2",
          [](auto& d) { d["parts"][0]["layer"] = 3; });
  refused("parts[0].columns[0][1]: got 24, expected an integer from 18 to 23",
          [](auto& d) { d["parts"][0]["columns"][0][1] = 24; });
  refused("parts[0].columns[0][0]: got -1", [](auto& d) { d["parts"][0]["columns"][0][0] = -1; });
  refused("parts[0].columns[1][0]: got 3", [](auto& d) { d["parts"][0]["columns"].push_back({3, 4}); });
  refused("parts[0].columns[0]: got a list of 1, expected [first, last]",
          [](auto& d) { d["parts"][0]["columns"][0] = {1}; });
  refused("parts[0].columns: got a list of 0, expected at least one column",
          [](auto& d) { d["parts"][0]["columns"] = nlohmann::json::array(); });
  refused("parts[0].where: got the string 'z', expected q, k, v, o",
          [](auto& d) { d["parts"][0]["where"] = "z"; });
  refused("parts[0].kind: got the string 'adapter', expected low_rank, offset or rescale",
          [](auto& d) { d["parts"][0]["kind"] = "adapter"; });
  refused("parts[0].rank: got 1000000", [](auto& d) { d["parts"][0]["rank"] = 1000000; });
  refused("the parts need", [](auto& d) { d["parts"][0]["rank"] = 3; });
  refused("the parts need", [](auto& d) { d["parts"].erase(1); });
  // Where numbers are missing, the parts after it are not looked at.
  refused("numbers, the parts need", [](auto& d) {
    d["parts"][0]["rank"] = 10;
    for (int i = 0; i < 9; ++i) d["parts"].insert(d["parts"].begin() + 1, d["parts"][0]);
    d["parts"].push_back(3);
  });
  refused("parts[0].scale: got 1e+39, expected a number that a float holds",
          [](auto& d) { d["parts"][0]["scale"] = 1e39; });
  refused("strength: got -1e+39, expected a number that a float holds",
          [](auto& d) { d["strength"] = -1e39; });
  refused("parts[0].scale: got 1e+20, expected a number that a float holds when it is multiplied",
          [](auto& d) {
            d["strength"] = 1e20;
            d["parts"][0]["scale"] = 1e20;
          });
  refused("parts: got nothing, expected at least one part", [](auto& d) { d.erase("parts"); });
  refused("no member 'bias'", [](auto& d) { d["parts"][0]["bias"] = 1; });
  refused("circuit.units: got a list of 5, expected units of the model, not head 9.3",
          [](auto& d) { d["circuit"]["units"][0]["layer"] = 9; });
  refused("settings.steps: got 2, expected a string", [](auto& d) { d["settings"]["steps"] = 2; });
  refused("history[0].step: got the string 'first'", [](auto& d) { d["history"][0]["step"] = "first"; });
  refused("strength: got the string 'full', expected a number", [](auto& d) { d["strength"] = "full"; });
  refused("kind: got nothing", [](auto& d) { d.erase("kind"); });
  // Two parts of one place, whose tensors would have one name; together they need what one of rank 2 needs.
  refused("not two with tensor", [](auto& d) {
    d["parts"][0]["rank"] = 1;
    d["parts"].insert(d["parts"].begin(), d["parts"][0]);
  });
}

BOOST_AUTO_TEST_CASE(numbers_that_are_not_finite_are_refused) {
  temporary_folder const folder;
  transformer<B> const m = model();
  intervention<B> what = trained(m, circuit_breaker{.rank = 2});
  what.tensors().at(1).value->all()(0, 1) = std::numeric_limits<float>::infinity();
  save_intervention(folder / "x", what);
  check_throws<file_error>([&] { (void)load_intervention<B>(folder / "x", m); }, "element 1 is not finite");
}
