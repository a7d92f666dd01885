// SPDX-License-Identifier: Apache-2.0
// effects.json and its tensors: written and read again, and refused where they do not fit.
#define BOOST_TEST_MODULE io_effects_json
#include "lancet/io/effects_json.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "lancet/io/settings.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using namespace lancet;
using lancet_test::check_throws;
using lancet_test::temporary_folder;

namespace {

double const none = std::numeric_limits<double>::quiet_NaN();

effect_table sample() {
  effect_table t;
  t.model = {"tiny", std::string(64, 'b')};
  t.layers = 3;
  t.heads = 4;
  t.estimator = "exact";
  t.change = "resample";
  t.direction = "denoise";
  t.metric = "log_odds";
  t.kind = unit_kind::head;
  t.at = "each";
  t.source = "pairs.jsonl (train)";
  t.example_lines = {3, 5, 8, 13};
  t.clean = {1.0 / 3, 2, 1, 0.5};
  t.corrupted = {-1, -2, -1.5, -0.1};
  t.units = {{unit_kind::head, 0, 3, 0}, {unit_kind::head, 2, 1, 5}, {unit_kind::head, 1, 0, 9}};
  t.effects = {{0.5, 0.6, 0.7, 0.55}, {0.1, none, -0.2, 0.05}, {none, none, none, none}};
  return t;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

BOOST_AUTO_TEST_CASE(means_and_inference_come_back) {
  temporary_folder const folder;
  effect_table const t = sample();
  auto const rows = summarise(t);
  write_effects(folder / "e.json", t, rows);
  BOOST_CHECK_EQUAL(folder.entries(), 1);
  effects_file const back = read_effects(folder / "e.json");
  BOOST_CHECK(!back.per_example);
  BOOST_CHECK(back.table.units == t.units);
  BOOST_CHECK(back.table.kind == t.kind);
  BOOST_CHECK_EQUAL(back.table.layers, 3);
  BOOST_CHECK_EQUAL(back.table.heads, 4);
  BOOST_CHECK_EQUAL(back.table.estimator + back.table.change + back.table.direction + back.table.metric +
                        back.table.at + back.table.source,
                    t.estimator + t.change + t.direction + t.metric + t.at + t.source);
  BOOST_CHECK(back.table.example_lines == t.example_lines);
  BOOST_REQUIRE_EQUAL(back.summaries.size(), 3U);
  for (std::size_t u = 0; u < 3; ++u) {
    BOOST_CHECK(same(back.table.mean(u), t.mean(u)));
    BOOST_CHECK(same(back.summaries[u].effect, rows[u].effect));
    BOOST_CHECK(same(back.summaries[u].se, rows[u].se));
    BOOST_CHECK(same(back.summaries[u].low, rows[u].low));
    BOOST_CHECK(same(back.summaries[u].high, rows[u].high));
    BOOST_CHECK(same(back.summaries[u].p, rows[u].p));
    BOOST_CHECK(same(back.summaries[u].p_adjusted, rows[u].p_adjusted));
  }
  BOOST_CHECK_EQUAL(back.table.clean.at(0), sample_mean(t.clean));
  nlohmann::json const document = read_json(folder / "e.json");
  BOOST_CHECK(document["baseline"].is_object());
  BOOST_CHECK(document["units"][2]["effect"].is_null());
  BOOST_CHECK(!document["units"][0].contains("kind"));  // said once, by "unit"
}

BOOST_AUTO_TEST_CASE(a_baseline_of_one_run_is_an_object) {
  effect_table t = sample();
  t.corrupted.clear();
  nlohmann::json const document(to_json(t, summarise(t)));
  BOOST_REQUIRE(document["baseline"].is_object());
  BOOST_CHECK(!document["baseline"].contains("corrupted"));
}

BOOST_AUTO_TEST_CASE(every_example_comes_back_bit_for_bit) {
  temporary_folder const folder;
  effect_table const t = sample();
  write_effects(folder / "e.json", t, summarise(t), true, {{"seed", 3}});
  BOOST_CHECK_EQUAL(folder.entries(), 2);
  effects_file const back = read_effects(folder / "e.json");
  BOOST_CHECK(back.per_example);
  BOOST_REQUIRE_EQUAL(back.table.effects.size(), 3U);
  for (std::size_t u = 0; u < 3; ++u)
    for (std::size_t e = 0; e < 4; ++e) BOOST_CHECK(same(back.table.effects[u].at(e), t.effects[u][e]));
  BOOST_CHECK(back.table.clean == t.clean);
  BOOST_CHECK(back.table.corrupted == t.corrupted);
}

BOOST_AUTO_TEST_CASE(tensors_that_are_not_the_documents_are_refused) {
  temporary_folder const folder;
  effect_table const t = sample();
  std::string const path = folder / "e.json", tensors = folder / "e.safetensors";
  write_effects(path, t, summarise(t), true);
  std::string bytes = lancet_test::slurp(tensors);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  lancet_test::spill(tensors, bytes);
  check_throws<file_error>([&] { (void)read_effects(path); }, "per_example.sha256");
  std::string document = lancet_test::slurp(path);
  auto const at = document.find("\"e.safetensors\"");
  lancet_test::spill(path, document.replace(at, 15, "\"../e.safetensors\""));
  check_throws<file_error>([&] { (void)read_effects(path); },
                           "expected the plain name of a file beside this one");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_its_path) {
  temporary_folder const folder;
  effect_table const t = sample();
  nlohmann::json const good(to_json(t, summarise(t)));
  auto const refused = [&](std::string_view sentence, auto&& change) {
    nlohmann::json d = good;
    change(d);
    lancet_test::spill(folder / "e.json", d.dump());
    check_throws<file_error>([&] { (void)read_effects(folder / "e.json"); }, sentence);
  };
  refused("units: got nothing", [](auto& d) { d.erase("units"); });
  refused("units[1].layer: got 3, expected a layer below 3", [](auto& d) { d["units"][1]["layer"] = 3; });
  refused("units[1].head: got 4, expected a head below 4", [](auto& d) { d["units"][1]["head"] = 4; });
  refused("units[0].p: got the string 'small', expected a number",
          [](auto& d) { d["units"][0]["p"] = "small"; });
  refused("units[0].position: got -2", [](auto& d) { d["units"][0]["position"] = -2; });
  refused("examples: got 5, expected 4, the number of lines", [](auto& d) { d["examples"] = 5; });
  refused("metric: got nothing, expected a string", [](auto& d) { d.erase("metric"); });
  refused("unit: got the string 'edge', expected head, neuron", [](auto& d) { d["unit"] = "edge"; });
  refused("model.layers: got 0, expected an integer from 1", [](auto& d) { d["model"]["layers"] = 0; });
  refused("no member 'note'", [](auto& d) { d["note"] = ""; });
  refused("version: got 7", [](auto& d) { d["version"] = 7; });
}

BOOST_AUTO_TEST_CASE(significant_units_by_the_files_own_adjustment) {
  temporary_folder const folder;
  effect_table const t = sample();
  auto rows = summarise(t);
  rows[0].p_adjusted = 0.01;
  rows[1].p_adjusted = 0.2;
  write_effects(folder / "e.json", t, rows);
  effects_file const back = read_effects(folder / "e.json");
  circuit const c = select_significant(back, 0.05);
  BOOST_REQUIRE_EQUAL(c.units.size(), 1U);
  BOOST_CHECK(c.units[0] == t.units[0]);
  BOOST_CHECK_EQUAL(select_significant(back, 0.2).units.size(), 2U);  // never the unit without an effect
}

BOOST_AUTO_TEST_CASE(as_many_summaries_as_units) {
  effect_table const t = sample();
  check_throws<usage_error>([&] { (void)to_json(t, {}); }, "got 0 summaries, expected 3");
}

BOOST_AUTO_TEST_CASE(settings_that_differ_are_named) {
  nlohmann::json const a{{"steps", 150}, {"seed", 1}, {"only", "here"}},
      b{{"steps", 200}, {"seed", 1}, {"new", 2}};
  BOOST_CHECK_EQUAL(settings_difference(a, b),
                    "new: was not set, now 2; only: was \"here\", now not set; steps: was 150, now 200");
  BOOST_CHECK_EQUAL(settings_difference(a, a), "");
  BOOST_CHECK_EQUAL(settings_difference(nullptr, nlohmann::json::object()), "");
  check_throws<usage_error>([&] { require_same_settings(a, b, "out"); }, "out: was made with other settings");
}
