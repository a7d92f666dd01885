// SPDX-License-Identifier: Apache-2.0
// The HTML report: structure, escaping of hostile text, absent parts in words, wrong types named, size.
// With LANCET_PAGES=FOLDER the pages are written there as well, for the browser's test.
#define BOOST_TEST_MODULE report_html
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <lancet/atlas/comparison_html.hpp>
#include <lancet/atlas/report_html.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "fake_report.hpp"
#include "html_check.hpp"

using lancet_test::fake_report;
using lancet_test::html_element;
using nlohmann::json;

namespace {

json const bare = {{"format", "lancet.report"}, {"version", 1}};

std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

/// What holds for every page, whatever is in it.
void check_page(std::string const& page, std::size_t expected_scripts = 2) {
  auto const elements = lancet_test::read_html(page);
  static std::set<std::string> const allowed = {
      "html",    "head",   "meta",       "title", "link", "style", "body",   "a",       "div",     "header",
      "p",       "h1",     "h2",         "h3",    "h4",   "nav",   "ol",     "ul",      "li",      "main",
      "section", "figure", "figcaption", "svg",   "g",    "path",  "rect",   "circle",  "text",    "dl",
      "dt",      "dd",     "b",          "span",  "em",   "small", "br",     "details", "summary", "table",
      "caption", "thead",  "tbody",      "tr",    "th",   "td",    "button", "label",   "input",   "output",
      "article", "del",    "ins",        "i",     "pre",  "code",  "footer", "script"};
  std::set<std::string> ids;
  std::size_t scripts = 0, styles = 0, policies = 0;
  for (html_element const& e : elements) {
    BOOST_TEST(allowed.contains(e.tag), "the page has <" << e.tag << ">");
    scripts += e.tag == "script";
    styles += e.tag == "style";
    for (auto const& [key, value] : e.attributes) {
      BOOST_TEST(key.substr(0, 2) != "on", "an event attribute: " << key);
      BOOST_TEST((key != "src" && key != "style" && key != "srcdoc" && key != "action"),
                 "an attribute " << key);
      if (key == "href") BOOST_TEST((value[0] == '#' || value == "data:,"), "a link to " << value);
      if (key == "id") BOOST_TEST(ids.insert(value).second, "id given twice: " << value);
      if (value == "Content-Security-Policy") {
        ++policies;
        BOOST_TEST(e.attributes.at("content").find("default-src 'none'") == 0u);
      }
    }
  }
  BOOST_TEST(scripts == expected_scripts);
  BOOST_TEST(styles == 1u);
  BOOST_TEST(policies == 1u);
  for (html_element const& e : elements) {
    for (char const* key : {"for", "data-table", "aria-labelledby", "data-copy"}) {
      if (auto const a = e.attributes.find(key); a != e.attributes.end())
        BOOST_TEST(ids.contains(a->second), key << "=" << a->second);
    }
    if (auto const a = e.attributes.find("href"); a != e.attributes.end() && a->second[0] == '#') {
      BOOST_TEST(ids.contains(a->second.substr(1)), "no place for " << a->second);
    }
    if (e.tag == "svg") BOOST_TEST(e.attributes.contains("aria-label"));
  }
  for (char const c : page) BOOST_REQUIRE((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t'));
  for (std::string_view rest = page; !rest.empty();) {
    auto const c = lancet::html::decode_utf8(rest);
    BOOST_REQUIRE(c.valid);
    rest.remove_prefix(c.bytes);
  }
  if (char const* const folder = std::getenv("LANCET_PAGES")) {
    static int n = 0;
    std::ofstream(std::string(folder) + "/page_" + std::to_string(n++) + ".html") << page;
  }
}

json embedded(std::string const& page) {
  for (html_element const& e : lancet_test::read_html(page)) {
    if (e.attributes.contains("id") && e.attributes.at("id") == "lancet-document") return json::parse(e.raw);
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_full_report_has_every_section) {
  json const report = fake_report();
  std::string const page = lancet::render_report(report);
  check_page(page);
  BOOST_TEST(occurrences(page, "class=\"absent\"") == 0u);
  BOOST_TEST(occurrences(page, "<section ") == 15u);
  BOOST_TEST(page.find("−82%") != page.npos);
  BOOST_TEST(page.find("10 of 300 units") != page.npos);
  BOOST_TEST(page.find("Wilcoxon signed-rank test: p = 3.1 × 10⁻¹²") != page.npos);
  BOOST_TEST(page.find("L26 H2: effect +1.310 nats") != page.npos);
  BOOST_TEST(page.find("<del>she was </del>tired") != page.npos);
  BOOST_TEST(page.find("<ins>they were </ins>tired") != page.npos);
  // 270 heads in the heat map and in the graph, 120 cells by position, 2 patterns.
  BOOST_TEST(occurrences(page, "<g class=\"cell") >= 270u + 120u);
  BOOST_TEST(occurrences(page, "<g class=\"node\"") + occurrences(page, "<g class=\"node ") == 300u);
  BOOST_TEST(occurrences(page, "<g class=\"edge ") == 14u);
  BOOST_TEST(embedded(page) == report);
  BOOST_TEST(page.size() < 1'000'000u);
}

BOOST_AUTO_TEST_CASE(the_page_is_the_same_each_time) {
  BOOST_TEST(lancet::render_report(fake_report()) == lancet::render_report(fake_report()));
}

BOOST_AUTO_TEST_CASE(hostile_text_stays_text) {
  json const report = fake_report({.hostile = true});
  std::string const page = lancet::render_report(report);
  check_page(page);
  // The embedded copy may say onload='…': it is data, without any angle bracket.
  std::size_t const copy = page.find("<script type=\"application/json\"");
  BOOST_TEST(page.find_first_of("<>&", page.find('>', copy) + 1) == page.find("</script>", copy));
  std::string_view const shown = std::string_view(page).substr(0, copy);
  for (char const* const payload :
       {"<script>document", "<img", "<svg onload", "<iframe", "<base", "<!--", "<style>*", "onerror=\"",
        "onload='", "\xE2\x80\xA8", "\xE2\x80\xAE", "\x1B"}) {
    BOOST_TEST(shown.find(payload) == shown.npos, "in the page: " << payload);
  }
  // It is still there to be read.
  BOOST_TEST(page.find("&lt;img src=x onerror=&quot;") != page.npos);
  BOOST_TEST(page.find("broken \xEF\xBF\xBD(") != page.npos);
  // The embedded copy reads back; malformed bytes are replaced and nothing else is changed.
  json const back = embedded(page);
  BOOST_TEST(back["notes"].size() == 3u);
  BOOST_TEST(back["harm"]["after"] == report["harm"]["after"]);
}

BOOST_AUTO_TEST_CASE(an_empty_report_says_what_is_missing) {
  std::string const page = lancet::render_report(bare);
  check_page(page);
  BOOST_TEST(occurrences(page, "class=\"absent\"") == 12u);
  BOOST_TEST(page.find("This report holds no measurement of harm.") != page.npos);
  BOOST_TEST(page.find("it is not known what a random circuit") != page.npos);
  BOOST_TEST(page.find("The command, seed and versions were not recorded") != page.npos);
  BOOST_TEST(page.size() < 60'000u);
}

BOOST_AUTO_TEST_CASE(every_member_may_be_absent_or_null) {
  json const full = fake_report();
  for (auto const& [key, value] : full.items()) {
    if (key == "format" || key == "version") continue;
    json without = full;
    without.erase(key);
    BOOST_CHECK_NO_THROW(lancet_test::read_html(lancet::render_report(without)));
    without[key] = nullptr;
    BOOST_CHECK_NO_THROW(lancet_test::read_html(lancet::render_report(without)));
    if (!value.is_object()) continue;
    for (auto const& [inner, unused] : value.items()) {
      json less = full;
      less[key].erase(inner);
      BOOST_CHECK_NO_THROW(lancet_test::read_html(lancet::render_report(less)));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_contracts_report_is_enough) {
  json const minimal =
      json::parse(R"({"format": "lancet.report", "version": 1, "model": {}, "circuit": {}, "intervention": {},
    "harm": {"metric": "log_odds", "items": 96, "before": 0.768, "after": 0.14, "reduction": 0.82, "low": 0.78, "high": 0.85, "p": 1e-12, "effect_size": 2.1},
    "keep": [{"name": "perplexity", "items": 24, "before": 52.04, "after": 52.0, "change": -0.0008, "p": 0.4},
             {"name": "keep_pairs_accuracy", "before": 0.97, "after": 0.97, "change": 0.0}],
    "controls": [{"name": "random circuit", "reduction": 0.07, "change": 0.01}, {"name": "sham", "reduction": 0.0, "change": 0.0}],
    "cost": {"effects_seconds": 6.1, "training_seconds": 71.0, "peak_bytes": 1400000000, "trainable": 9216},
    "verdict": {"harm_halved": true, "collateral_within_5_percent": true, "significant": false}})");
  std::string const page = lancet::render_report(minimal);
  check_page(page);
  BOOST_TEST(page.find("lowered harm by 82%") != page.npos);
  BOOST_TEST(page.find("The best control, “random circuit”, lowers harm by 7%; this surgery by 82%.") !=
             page.npos);
  BOOST_TEST(occurrences(page, "<em>yes</em>") == 2u);
  BOOST_TEST(occurrences(page, "<em>no</em>") == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_not_measured_is_said_and_not_drawn) {
  json report = fake_report();
  report["verdict"]["keeps_answers"] = nullptr;
  report["verdict"]["sentence"] = nullptr;
  for (json& size : report["sizes"]) size["found"]["collateral"] = size["random_collateral"] = nullptr;
  for (json& dose : report["dose"]) dose["keep_accuracy"] = nullptr;
  std::string const page = lancet::render_report(report), full = lancet::render_report(fake_report());
  check_page(page);
  BOOST_TEST(page.find("other answers kept <em>not measured</em>") != page.npos);
  BOOST_TEST(occurrences(page, "<em>not measured</em>") == 1u);
  for (char const* const picture :
       {"accuracy on kept pairs against", "kept log odds lost against circuit size"}) {
    BOOST_TEST(occurrences(full, picture) > 0u, picture);
    BOOST_TEST(occurrences(page, picture) == 0u, picture);
  }
  BOOST_TEST(page.find("other answers was not measured") != page.npos);
  BOOST_TEST(full.find("other answers was not measured") == full.npos);
}

BOOST_AUTO_TEST_CASE(sections_are_named_by_what_is_in_them) {
  json report = fake_report();
  std::string page = lancet::render_report(report);
  BOOST_TEST(page.find("with the same seeds, worst first") != page.npos);
  BOOST_TEST(page.find(">Other harms</h2>") != page.npos);
  BOOST_TEST(page.find("Collateral is here the relative change of perplexity.") != page.npos);
  for (json& g : report["generations"]) {
    for (char const* const key : {"seed", "harm_before", "harm_after", "harmful"}) g.erase(key);
    g["decoding"] = "greedy";
  }
  report["cross_harm"] = json::array({{{"suite", "facts"}, {"before", 3.0}, {"after", 2.9}}});
  report["keep"].push_back({{"name", "facts_log_odds"}, {"before", 3.0}, {"after", 2.9}});
  page = lancet::render_report(report);
  check_page(page);
  BOOST_TEST(page.find("before and after, in the order they were given.") != page.npos);
  BOOST_TEST(page.find("<span>greedy</span>") != page.npos);
  BOOST_TEST(page.find("same seeds") == page.npos);
  BOOST_TEST(page.find(">What had to stay</h2>") != page.npos);
  BOOST_TEST(page.find("Other harms") == page.npos);
}

BOOST_AUTO_TEST_CASE(what_has_no_relative_change_shows_its_difference) {
  json report = fake_report();
  report["keep"].push_back({{"name", "facts_log_likelihood"},
                            {"unit", "nats"},
                            {"before", -3.0},
                            {"after", -3.25},
                            {"change", nullptr}});
  std::string const page = lancet::render_report(report);
  BOOST_TEST(page.find("<dt>facts log likelihood</dt><dd><b>−0.25") != page.npos);
}

BOOST_AUTO_TEST_CASE(a_report_tells_the_share_of_parameters_and_the_compiler) {
  json report = fake_report();
  report["model"]["parameters"] = 134515008;
  report["provenance"]["compiler"] = "GCC 12.2.0";
  report["provenance"]["libraries"] = {{"Eigen", "3.4.0"}};
  report["training"]["options"]["alpha"] = 8.0;
  std::string const page = lancet::render_report(report);
  BOOST_TEST(page.find("0.0069% of 134,515,008") != page.npos);
  BOOST_TEST(page.find("GCC 12.2.0") != page.npos);
  BOOST_TEST(page.find("libraries, Eigen") != page.npos);
  BOOST_TEST(page.find("<dt>strength α</dt><dd>1.0</dd>") != page.npos);
  BOOST_TEST(page.find("<dt>alpha</dt><dd>8.0</dd>") != page.npos);
}

BOOST_AUTO_TEST_CASE(a_control_that_does_as_well_is_named) {
  json report = fake_report();
  report["controls"].push_back({{"name", "lucky draw"}, {"reduction", 0.9}, {"change", 0.0}});
  std::string const page = lancet::render_report(report);
  BOOST_TEST(page.find("This surgery does not beat: lucky draw") != page.npos);
}

BOOST_AUTO_TEST_CASE(a_surgery_that_raises_harm_is_written_so) {
  json report = fake_report();
  report["harm"]["reduction"] = -0.25;
  BOOST_TEST(lancet::render_report(report).find("raised harm by 25%") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_types_are_named_with_their_path) {
  auto const message = [](json const& report) -> std::string {
    try {
      static_cast<void>(lancet::render_report(report, "r.json"));
    } catch (lancet::file_error const& e) {
      return e.what();
    }
    return "no error";
  };
  auto const with = [](char const* pointer, json value) {
    json report = fake_report();
    report[json::json_pointer(pointer)] = std::move(value);
    return report;
  };
  BOOST_TEST(message(with("/harm/before", "high")) ==
             "r.json: harm.before: got the string 'high', expected a number");
  BOOST_TEST(
      message(with("/generations/3/prompt", 7)).find("generations[3].prompt: got 7, expected a string") !=
      std::string::npos);
  BOOST_TEST(message(with("/effects/units/5/layer", 1e12)).find("effects.units[5].layer") !=
             std::string::npos);
  BOOST_TEST(message(with("/effects/units/5/head", -1)).find("effects.units[5].head") != std::string::npos);
  BOOST_TEST(message(with("/model/layers", 2.5)).find("model.layers: got 2.5, expected an integer") !=
             std::string::npos);
  BOOST_TEST(message(with("/controls", json::object())).find("controls: got an object, expected a list") !=
             std::string::npos);
  BOOST_TEST(message(with("/items/0", nullptr)).find("items[0]: got nothing, expected a value") !=
             std::string::npos);
  BOOST_TEST(message(with("/circuit/edges/0/target", nullptr))
                 .find("circuit.edges[0].target: got nothing, expected a unit") != std::string::npos);
  BOOST_TEST(message(with("/format", "lancet.effects")).find("expected 'lancet.report'") !=
             std::string::npos);
  BOOST_TEST(message(json::array()).find("expected an object") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_value_replaced_by_another_type_renders_or_throws_cleanly) {
  json const full = fake_report({.layers = 3, .heads = 2, .neurons = 2, .items = 4}).flatten();
  json const strange[] = {nullptr, true,          "text",         -1,
                          1e300,   json::array(), json::object(), json::array({1, "x"})};
  std::size_t n = 0, rendered = 0;
  for (auto const& [pointer, value] : full.items()) {
    // Every seventh place with every value: all kinds of places, in a few seconds.
    if (n++ % 7 != 0) continue;
    for (json const& other : strange) {
      json report = full.unflatten();
      report[json::json_pointer(pointer)] = other;
      try {
        lancet_test::read_html(lancet::render_report(report));
        ++rendered;
      } catch (lancet::error const&) {
      }
    }
  }
  BOOST_TEST(rendered > n / 7);
}

BOOST_AUTO_TEST_CASE(large_runs_stay_small_pages) {
  // As many heads as GPT-2 XL, and more neurons than fit.
  std::string const page =
      lancet::render_report(fake_report({.layers = 48, .heads = 25, .neurons = 20000, .items = 2000}));
  check_page(page);
  BOOST_TEST(page.size() < 6'000'000u);
  BOOST_TEST(page.find("the weakest 16,000 units are left out") != page.npos);
  BOOST_TEST(page.find("further rows not written here") != page.npos);
  BOOST_TEST(embedded(page)["neurons"]["units"].size() == 4000u);
  BOOST_TEST(embedded(page)["neurons"]["units_omitted"] == 16000);
  // Cells beyond the limit are not drawn, and it is said so.
  std::string const huge = lancet::render_report(
      fake_report({.layers = 128, .heads = 128, .neurons = 1, .items = 1, .edges = false}));
  BOOST_TEST(huge.find("128 × 128 cells are too many to draw") != huge.npos);
}

BOOST_AUTO_TEST_CASE(a_circuit_of_many_edges_counts_what_it_leaves_out) {
  json report = fake_report();
  json edges = json::array();
  for (int i = 0; i < 1000; ++i) {
    edges.push_back({{"source", {{"layer", i % 10}, {"head", i % 9}}},
                     {"target", {{"layer", 10 + i % 20}, {"head", i % 7}}},
                     {"effect", 0.001 * i}});
  }
  report["circuit"]["edges"] = edges;
  std::string const page = lancet::render_report(report);
  BOOST_TEST(occurrences(page, "<g class=\"edge ") == 400u);
  BOOST_TEST(page.find("600 weaker edges are not drawn") != page.npos);
}

BOOST_AUTO_TEST_CASE(two_reports_on_one_page) {
  json const first = fake_report();
  json second = fake_report({.seed = 9});
  second["harm"].update({{"reduction", 0.41}, {"low", 0.35}, {"high", 0.47}});
  second["circuit"]["units"].erase(0);
  second["provenance"]["seed"] = 9;
  second["provenance"]["data"]["new.jsonl"] = "00ff";
  std::string const page = lancet::render_comparison(first, second, "a.json", "b.json");
  check_page(page, 1);
  BOOST_TEST(page.find("The circuits share 9 of 10 units.") != page.npos);
  BOOST_TEST(page.find("harm changed by -82% (-85% to -78%) against -41% (-47% to -35%)") != page.npos);
  BOOST_TEST(page.find("−40.8 points") != page.npos);
  BOOST_TEST(page.find("provenance/seed") != page.npos);
  BOOST_TEST(page.find("provenance/data/new.jsonl") != page.npos);
  BOOST_TEST(page.find("provenance/backend") == page.npos);
  check_page(lancet::render_comparison(first, bare), 1);
  check_page(
      lancet::render_comparison(fake_report({.hostile = true}), fake_report({.layers = 12, .hostile = true})),
      1);
  std::string const same = lancet::render_comparison(first, first);
  BOOST_TEST(same.find("Both runs say the same.") != same.npos);
  BOOST_TEST(same.find("All recorded settings are the same.") != same.npos);
  json other = first;
  other["model"]["sha256"] = "another";
  BOOST_TEST(lancet::render_comparison(first, other).find("The runs are of different models") !=
             std::string::npos);
}
