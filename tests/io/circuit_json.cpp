// SPDX-License-Identifier: Apache-2.0
// circuit.json: what is written is read again, every digit of it; what does not fit is refused with its path.
#define BOOST_TEST_MODULE io_circuit_json
#include "lancet/io/circuit_json.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using namespace lancet;
using lancet_test::check_throws;

namespace {

circuit sample() {
  circuit c;
  c.model = {"tiny \"quoted\"", std::string(64, 'a')};
  c.units = {{unit_kind::head, 26, 2, -1},
             {unit_kind::neuron, 3, 1021, 4},
             {unit_kind::mlp, 0, 0, -1},
             {unit_kind::attn, 1, 0, -1},
             {unit_kind::resid, 2, 0, 7}};
  c.effects = {1.0 / 3, -std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::quiet_NaN(),
               1e99, 0.1 + 0.2};
  c.rule = "top 5 by |effect|";
  c.selected_by = "exact, do resample, denoise, log_odds";
  c.source = "pairs.jsonl (train)";
  c.example_lines = {1, 2, 9};
  c.faithfulness = measured_share{0.9, 0.8, std::numeric_limits<double>::quiet_NaN()};
  return c;
}

nlohmann::json document() { return nlohmann::json(to_json(sample())); }

circuit read(nlohmann::json const& document) { return circuit_from_json(json_field(document, "c.json")); }

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_is_read_again) {
  lancet_test::temporary_folder const folder;
  std::string const path = folder / "circuit.json";
  circuit const c = sample();
  write_circuit(path, c);
  circuit const back = read_circuit(path);
  BOOST_CHECK(back.units == c.units);
  BOOST_REQUIRE_EQUAL(back.effects.size(), c.effects.size());
  for (std::size_t i = 0; i < c.effects.size(); ++i)
    BOOST_CHECK(back.effects[i] == c.effects[i] || (std::isnan(back.effects[i]) && std::isnan(c.effects[i])));
  BOOST_CHECK_EQUAL(back.model.name, c.model.name);
  BOOST_CHECK_EQUAL(back.model.sha256, c.model.sha256);
  BOOST_CHECK_EQUAL(back.rule, c.rule);
  BOOST_CHECK_EQUAL(back.selected_by, c.selected_by);
  BOOST_CHECK_EQUAL(back.source, c.source);
  BOOST_CHECK(back.example_lines == c.example_lines);
  BOOST_REQUIRE(back.faithfulness);
  BOOST_CHECK_EQUAL(back.faithfulness->value, 0.9);
  BOOST_CHECK_EQUAL(back.faithfulness->low, 0.8);
  BOOST_CHECK(std::isnan(back.faithfulness->high));
  BOOST_CHECK(!back.completeness);
  std::string const first = lancet_test::slurp(path);
  write_circuit(path, back);
  BOOST_CHECK_EQUAL(lancet_test::slurp(path), first);
}

BOOST_AUTO_TEST_CASE(settings_are_allowed) {
  nlohmann::json d = document();
  d["settings"] = {{"anything", {1, 2, 3}}};
  BOOST_CHECK_EQUAL(read(d).units.size(), 5U);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_its_path) {
  auto const refused = [](std::string_view sentence, auto&& change) {
    nlohmann::json d = document();
    change(d);
    check_throws<file_error>([&] { (void)read(d); }, sentence);
  };
  refused("units: got nothing, expected a list", [](auto& d) { d.erase("units"); });
  refused("units: got an object, expected a list", [](auto& d) { d["units"] = nlohmann::json::object(); });
  refused("units[1].layer: got -1, expected an integer from 0", [](auto& d) { d["units"][1]["layer"] = -1; });
  refused("units[1].layer: got 1.5, expected an integer", [](auto& d) { d["units"][1]["layer"] = 1.5; });
  refused("units[0].layer: got 100000", [](auto& d) { d["units"][0]["layer"] = 100000; });
  refused("units[0].head: got nothing, expected an integer", [](auto& d) { d["units"][0].erase("head"); });
  refused("units[0].neuron: got 3, expected nothing here in a unit of kind head",
          [](auto& d) { d["units"][0]["neuron"] = 3; });
  refused("units[2].kind: got the string 'block', expected head, neuron, attn, mlp or resid",
          [](auto& d) { d["units"][2]["kind"] = "block"; });
  refused("units[2].kind: got nothing", [](auto& d) { d["units"][2].erase("kind"); });
  refused("units[2].effect: got the string 'big', expected a number",
          [](auto& d) { d["units"][2]["effect"] = "big"; });
  refused("units[5]: got an object, expected each unit once",
          [](auto& d) { d["units"].push_back(d["units"][0]); });
  refused("no member 'extra'", [](auto& d) { d["units"][0]["extra"] = 1; });
  refused("no member 'colour'", [](auto& d) { d["colour"] = 1; });
  refused("model.sha256: got 5, expected a string", [](auto& d) { d["model"]["sha256"] = 5; });
  refused("model.name: got nothing", [](auto& d) { d.erase("model"); });
  refused("lines[0]: got the string '1', expected", [](auto& d) { d["lines"][0] = "1"; });
  refused("faithfulness: got 0.5, expected an object", [](auto& d) { d["faithfulness"] = 0.5; });
}

BOOST_AUTO_TEST_CASE(another_file_is_refused) {
  lancet_test::temporary_folder const folder;
  std::string const path = folder / "x.json";
  lancet_test::spill(path, R"({"format": "lancet.effects", "version": 1})");
  check_throws<file_error>([&] { (void)read_circuit(path); },
                           "format: got 'lancet.effects', expected 'lancet.circuit'");
  lancet_test::spill(path, R"({"format": "lancet.circuit", "version": 2})");
  check_throws<file_error>([&] { (void)read_circuit(path); }, "version: got 2");
  lancet_test::spill(path, "{\n\"format\": }");
  check_throws<file_error>([&] { (void)read_circuit(path); }, "x.json:2");
  check_throws<file_error>([&] { (void)read_circuit(folder / "none.json"); }, "none.json");
}
