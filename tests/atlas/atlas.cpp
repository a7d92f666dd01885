// SPDX-License-Identifier: Apache-2.0
// Atlases: strict reading, identity, merging, disagreements, queries, and the index pages.
// With LANCET_PAGES=FOLDER the pages are written there as well, for the browser's test.
#define BOOST_TEST_MODULE atlas
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <lancet/atlas/atlas.hpp>
#include <lancet/atlas/atlas_html.hpp>
#include <lancet/atlas/atlas_markdown.hpp>
#include <lancet/atlas/entry_of_report.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "fake_report.hpp"
#include "html_check.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using lancet::atlas;
using lancet::atlas_entry;
using lancet::entry_of_report;
using lancet_test::check_throws;
using lancet_test::fake_report;
using nlohmann::json;

namespace {

atlas_entry first_entry() { return entry_of_report(fake_report(), "occupations/report.html"); }

/// The same harm in the same model, found otherwise: one unit less, another one more, a weaker result.
atlas_entry second_entry() {
  json report = fake_report();
  report["circuit"]["units"].erase(0);
  report["circuit"]["units"].push_back({{"layer", 3}, {"head", 3}, {"effect", 0.1}});
  report["circuit"]["units"][0]["effect"] = -0.94;
  report["harm"].update({{"reduction", 0.41}, {"low", 0.35}, {"high", 0.47}});
  report["verdict"]["harm_halved"] = false;
  return entry_of_report(report, "again/report.html");
}

atlas_entry other_model() {
  json report = fake_report({.layers = 12, .heads = 12});
  report["model"].update({{"name", "gpt2"}, {"sha256", "ff00112233"}});
  report["harm"]["name"] = "Nationality stereotypes";
  report["circuit"]["units"] = {{{"layer", 8}, {"head", 6}, {"effect", 0.4}},
                                {{"layer", 10}, {"kind", "mlp"}, {"effect", -0.3}},
                                {{"layer", 5}, {"neuron", 1021}, {"effect", 0.2}}};
  return entry_of_report(report);
}

atlas three() {
  atlas a;
  a.add(first_entry());
  a.add(second_entry());
  a.add(other_model());
  return a;
}

void write_page(std::string const& page) {
  if (char const* const folder = std::getenv("LANCET_PAGES")) {
    static int n = 0;
    std::ofstream(std::string(folder) + "/page_" + std::to_string(n++) + ".html") << page;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_report_becomes_an_entry) {
  atlas_entry const e = first_entry();
  BOOST_TEST(e.harm == "Gender stereotypes of occupations");
  BOOST_TEST(e.model.layers == 30);
  BOOST_TEST(e.circuit.units.size() == 10u);
  // Heads without an effect of their own take it from the report's list of effects.
  BOOST_TEST(text(e.circuit.units[0].unit) == "head 26.2");
  BOOST_TEST(e.circuit.units[0].effect.value() == 1.31);
  BOOST_TEST(text(e.circuit.units[9].unit) == "mlp 20");
  BOOST_TEST(e.circuit.faithfulness.value() == 0.86);
  BOOST_TEST(e.effects.units == 270);
  BOOST_TEST(e.interventions.at(0).trainable == 9216);
  BOOST_TEST(e.validation->harm.change.value() == -0.818);
  BOOST_TEST(e.validation->harm.low.value() == -0.85);
  BOOST_TEST(e.validation->harm.high.value() == -0.78);
  BOOST_TEST(e.validation->keep.size() == 2u);
  BOOST_TEST(e.validation->controls.size() == 4u);
  BOOST_TEST(e.validation->verdict.at("harm_halved"));
  check_throws<lancet::file_error>(
      [] {
        static_cast<void>(lancet::entry_of_report(json{{"format", "lancet.report"}, {"version", 1}}));
      },
      "model.name: got nothing, expected a string");
}

BOOST_AUTO_TEST_CASE(a_saved_atlas_loads_the_same) {
  lancet_test::temporary_folder const folder;
  atlas const a = three();
  a.save(folder / "atlas.json");
  atlas const b = atlas::load(folder / "atlas.json");
  BOOST_TEST(b.to_json() == a.to_json());
  BOOST_TEST(b.entries().size() == 3u);
  BOOST_TEST(folder.entries() == 1);
  check_throws<lancet::file_error>([&] { static_cast<void>(atlas::load(folder / "none.json")); },
                                   "none.json");
}

BOOST_AUTO_TEST_CASE(numbers_that_json_cannot_say_are_absent) {
  lancet_test::temporary_folder const folder;
  atlas_entry e = first_entry();
  e.circuit.units[0].effect = std::numeric_limits<double>::quiet_NaN();
  e.validation->harm.p = std::numeric_limits<double>::infinity();
  e.harm = "broken \xC3( bytes";
  atlas a;
  a.add(e);
  a.save(folder / "atlas.json");
  atlas const b = atlas::load(folder / "atlas.json");
  BOOST_TEST(!b.entries()[0].circuit.units[0].effect);
  BOOST_TEST(b.id(0) == a.id(0));
}

BOOST_AUTO_TEST_CASE(the_same_finding_is_entered_once) {
  atlas a = three();
  atlas_entry again = first_entry();
  again.created = "later";
  again.provenance = {{"seconds", 3}};
  BOOST_TEST(!a.add(again));
  BOOST_TEST(a.entries().size() == 3u);
  again.validation->harm.after = 0.2;
  BOOST_TEST(a.add(again));
}

BOOST_AUTO_TEST_CASE(merging_keeps_both_and_shows_where_they_disagree) {
  atlas first, second;
  first.add(first_entry());
  first.add(other_model());
  second.add(second_entry());
  second.add(other_model());
  atlas const both = merge(first, second);
  BOOST_TEST(both.entries().size() == 3u);
  auto const disagreements = both.disagreements();
  BOOST_REQUIRE(disagreements.size() == 1u);
  auto const& d = disagreements[0];
  BOOST_TEST(d.first == 0u);
  BOOST_TEST(d.second == 2u);
  BOOST_TEST(d.comparison.shared.size() == 9u);
  BOOST_TEST(text(d.comparison.only_first.at(0)) == "head 26.2");
  BOOST_TEST(text(d.comparison.only_second.at(0)) == "head 3.3");
  BOOST_TEST(d.comparison.overlap == 9.0 / 11.0);
  std::vector<std::string> const expected = {
      "head 24.7: the effects have opposite signs", "the circuits share 9 of 11 units",
      "harm changed by -82% (-85% to -78%) against -41% (-47% to -35%)",
      "verdict harm_halved: yes against no"};
  BOOST_TEST(d.comparison.differences == expected, boost::test_tools::per_element());
  // Merging is the same the other way round, but for the order.
  atlas const turned = merge(second, first);
  BOOST_TEST(turned.entries().size() == 3u);
  BOOST_TEST(turned.disagreements().size() == 1u);
  BOOST_TEST(merge(both, both).to_json() == both.to_json());
}

BOOST_AUTO_TEST_CASE(comparing_across_models_speaks_of_depth) {
  auto const self = compare(first_entry(), first_entry());
  BOOST_TEST(self.differences.empty());
  BOOST_TEST(self.overlap == 1.0);
  BOOST_TEST(self.depth_overlap == 1.0, boost::test_tools::tolerance(1e-12));
  auto const c = compare(first_entry(), other_model());
  BOOST_TEST(!c.same_model);
  BOOST_TEST(!c.same_harm);
  BOOST_TEST(c.shared.empty());
  // Tenths of the depth: ours 4:.1 6:.2 7:.2 8:.3 9:.2, theirs a third each in 4, 7 and 8.
  BOOST_TEST(c.depth_overlap == 0.1 + 0.2 + 0.3, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(intervals_that_touch_agree) {
  atlas_entry a = first_entry(), b = first_entry();
  b.validation->harm.change = -0.70, b.validation->harm.low = -0.79, b.validation->harm.high = -0.6;
  BOOST_TEST(compare(a, b).differences.empty());
  b.validation->harm.low = -0.77;
  BOOST_TEST(compare(a, b).differences.size() == 1u);
}

BOOST_AUTO_TEST_CASE(queries) {
  atlas const a = three();
  using found = std::vector<std::size_t>;
  BOOST_TEST(a.query({}) == (found{0, 1, 2}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.model = "smollm"}) == (found{0, 1}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.model = "ff00112"}) == (found{2}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.harm = "STEREOTYPES OF"}) == (found{0, 1}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.unit = lancet::parse_unit("26.2")}) == (found{0}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.unit = lancet::parse_unit("mlp 10")}) == (found{2}), boost::test_tools::per_element());
  BOOST_TEST(a.query({.unit = lancet::parse_unit("neuron 5.1021")}) == (found{2}),
             boost::test_tools::per_element());
  BOOST_TEST(a.query({.model = "gpt2", .harm = "occupations"}).empty());
  BOOST_TEST(a.find(a.id(1).substr(0, 8)) == &a.entries()[1]);
  BOOST_TEST(a.find("zzzz") == nullptr);
  check_throws<lancet::usage_error>([&] { static_cast<void>(a.find("")); }, "several entries begin so");
}

BOOST_AUTO_TEST_CASE(unit_names) {
  for (char const* const text : {"head 26.2", "neuron 4.1021", "mlp 3", "attn 0", "resid 29"}) {
    BOOST_TEST(lancet::text(lancet::parse_unit(text)) == text);
  }
  BOOST_TEST(lancet::text(lancet::parse_unit("26.2")) == "head 26.2");
  for (char const* const text : {"", "head", "26", "26.", "26.2x", "mlp 3.1", "edge 1", "head -1.2",
                                 "head 99999999999999999999.1", " 1.2"}) {
    check_throws<lancet::usage_error>([&] { static_cast<void>(lancet::parse_unit(text)); },
                                      "expected head 26.2");
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_its_path) {
  json const good = three().to_json();
  BOOST_CHECK_NO_THROW(static_cast<void>(atlas::from_json(good, "a.json")));
  auto const refused = [&](char const* pointer, json value, char const* sentence) {
    json bad = good;
    bad[json::json_pointer(pointer)] = std::move(value);
    check_throws<lancet::file_error>([&] { static_cast<void>(atlas::from_json(bad, "a.json")); }, sentence);
  };
  refused("/format", "lancet.report", "expected 'lancet.atlas'");
  refused("/version", 2, "version: got 2");
  refused("/extra", 1, "expected no member 'extra'");
  refused("/entries", 7, "a.json: entries: got 7, expected a list");
  refused("/entries/0", nullptr, "entries[0]: got nothing");
  refused("/entries/0/harm", 7, "entries[0].harm: got 7, expected a string");
  refused("/entries/1/model/sha256", nullptr, "entries[1].model.sha256: got nothing, expected a string");
  refused("/entries/1/model/layers", 1e9, "entries[1].model.layers");
  refused("/entries/1/colour", "red", "entries[1]: got an object, expected no member 'colour'");
  refused("/entries/0/circuit/units/2/kind", "edge",
          "entries[0].circuit.units[2].kind: got the string 'edge'");
  refused("/entries/0/circuit/units/2/layer", -1, "entries[0].circuit.units[2].layer: got -1");
  refused("/entries/0/circuit/units/2/layer", 30, "a layer below the model's 30");
  refused("/entries/0/circuit/units/2/neuron", 3,
          "entries[0].circuit.units[2].neuron: got 3, expected nothing here");
  refused("/entries/0/circuit/units", nullptr, "entries[0].circuit.units: got nothing, expected a list");
  refused("/entries/0/validation/harm/low", "x",
          "entries[0].validation.harm.low: got the string 'x', expected a number");
  refused("/entries/0/validation/verdict/significant", 1,
          "entries[0].validation.verdict.significant: got 1, expected true or false");
  refused("/entries/0/provenance", 1, "entries[0].provenance: got 1, expected an object");
  refused("/entries/0/circuit/units/0/effect", 9.5, "entries[0].id: got the string");
  json twice = good;
  twice["entries"].push_back(twice["entries"][0]);
  check_throws<lancet::file_error>([&] { static_cast<void>(atlas::from_json(twice, "a.json")); },
                                   "entries[3]: got an object, expected an entry that is not already there");
}

BOOST_AUTO_TEST_CASE(every_value_replaced_by_another_type_is_read_or_refused) {
  atlas small;
  small.add(other_model());
  json const flat = small.to_json().flatten();
  std::size_t refused = 0, read = 0;
  for (auto const& [pointer, value] : flat.items()) {
    for (json const& other : {json(nullptr), json(true), json("text"), json(-1), json(1e300), json(1e99),
                              json::array(), json::object(), json::array({1, "x"})}) {
      json document = flat.unflatten();
      document[json::json_pointer(pointer)] = other;
      document["entries"][0].erase("id");
      try {
        static_cast<void>(render_atlas_html(atlas::from_json(document, "a.json")));
        ++read;
      } catch (lancet::file_error const&) {
        ++refused;
      }
    }
  }
  BOOST_TEST(refused > 200u);
  BOOST_TEST(read > 50u);
}

BOOST_AUTO_TEST_CASE(pages) {
  atlas const a = three();
  std::string const page = render_atlas_html(a);
  write_page(page);
  bool linked = false;
  for (auto const& e : lancet_test::read_html(page)) {
    if (e.attributes.contains("href"))
      linked = linked || e.attributes.at("href") == "occupations/report.html";
  }
  BOOST_TEST(linked);
  BOOST_TEST(page.find("harm changed by -82%") != page.npos);
  BOOST_TEST(page.find("http") == page.find("http-equiv"));
  std::string const empty = render_atlas_html(atlas());
  write_page(empty);
  BOOST_TEST(empty.find("This atlas has no entries yet.") != empty.npos);
  lancet_test::read_html(empty);
  std::string const text = render_atlas_markdown(a);
  BOOST_TEST(text.find("| Nationality stereotypes | gpt2 | head 8.6, mlp 10, neuron 5.1021 |") != text.npos);
  BOOST_TEST(text.find("the circuits share 9 of 11 units") != text.npos);
  BOOST_TEST(render_atlas_markdown(atlas()).find("no entries yet") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(hostile_atlases_stay_text) {
  atlas a;
  for (std::string const& text : lancet_test::hostile_texts) {
    atlas_entry e = first_entry();
    e.harm = e.model.name = e.model.sha256 = e.circuit.rule = e.effects.estimator = e.created = text;
    e.interventions[0].kind = e.interventions[0].path = text;
    e.validation->keep[0].name = e.validation->controls[0].name = text;
    e.validation->verdict[text] = true;
    e.validation->report = text;
    a.add(e);
  }
  std::string const page = render_atlas_html(a);
  write_page(page);
  for (auto const& e : lancet_test::read_html(page)) {
    for (auto const& [key, value] : e.attributes) {
      BOOST_TEST(key.substr(0, 2) != "on");
      if (key == "href") BOOST_TEST((value[0] == '#' || value == "data:,"), value);
    }
  }
  std::string const markdown = render_atlas_markdown(a);
  BOOST_TEST(std::count(markdown.begin(), markdown.end(), '<') == 0);
  BOOST_TEST(markdown.find("://") == markdown.npos);
  // One line an entry, eight bars each: nothing in a text breaks the table.
  std::istringstream lines(markdown);
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] != '|') continue;
    ++rows;
    std::size_t bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i) bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    BOOST_TEST(bars == 8u);
  }
  BOOST_TEST(rows == lancet_test::hostile_texts.size() + 2);
}

BOOST_AUTO_TEST_CASE(links_go_nowhere_but_below) {
  for (char const* const good : {"report.html", "a/b-c/report_1.html"})
    BOOST_TEST(lancet::is_safe_link(good));
  for (char const* const bad : {"", "/etc/passwd", "../report.html", "a/../../b", "javascript:alert(1)",
                                "//evil.example", "a//b", "a b", "http://x", "x\\y", "x?y", "%2e%2e/x"}) {
    BOOST_TEST(!lancet::is_safe_link(bad));
  }
}
