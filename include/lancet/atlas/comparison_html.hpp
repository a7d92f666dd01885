// SPDX-License-Identifier: Apache-2.0
// Two reports on one page: what each reached, which units they share, and which settings differ.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/atlas_compare.hpp"
#include "lancet/atlas/entry_of_report.hpp"
#include "lancet/atlas/html/headline.hpp"
#include "lancet/atlas/html/page.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"
#include "lancet/io/json.hpp"

namespace lancet {

namespace html::detail {

/// One quantity of both runs. `share` is written as per cent.
inline void compared_row(table& t, std::string const& name, std::optional<double> a, std::optional<double> b,
                         bool share) {
  auto const write = [&](double x) { return share ? percent(x) : short_number(x, 4); };
  std::optional<double> difference;
  if (a && b) difference = *b - *a;
  t.row({name, number_cell(a, write), number_cell(b, write), number_cell(difference, [&](double x) {
           return share ? signed_number(100 * x, 1) + " points" : signed_number(x);
         })});
}

[[nodiscard]] inline section results_section(report_view const& a, report_view const& b) {
  section s{.id = "results", .title = "What each reached", .lede = {}, .body = {}, .absent = {}};
  table t("table-results", "Results of both runs", {"Quantity", "First", "Second", "Difference"});
  auto const both = [&](std::string const& name, char const* part, char const* key, bool share) {
    auto const x = a.root[part][key].number(), y = b.root[part][key].number();
    if (x || y) compared_row(t, name, x, y, share);
  };
  both("harm before", "harm", "before", false);
  both("harm after", "harm", "after", false);
  both("harm reduction", "harm", "reduction", true);
  both("harm reduction, 95% low", "harm", "low", true);
  both("harm reduction, 95% high", "harm", "high", true);
  std::map<std::string, std::optional<double>> kept;
  for (field const& k : b.root["keep"].items()) kept[k["name"].text_or("capability")] = k["change"].number();
  for (field const& k : a.root["keep"].items()) {
    std::string const name = k["name"].text_or("capability");
    auto const other = kept.find(name);
    compared_row(t, "change of " + report_view::words(name), k["change"].number(),
                 other == kept.end() ? std::nullopt : other->second, true);
    if (other != kept.end()) kept.erase(other);
  }
  for (auto const& [name, change] : kept)
    compared_row(t, "change of " + report_view::words(name), {}, change, true);
  if (!a.circuit.empty() || !b.circuit.empty()) {
    compared_row(t, "units in the circuit", static_cast<double>(a.circuit.size()),
                 static_cast<double>(b.circuit.size()), false);
  }
  both("parameters trained", "intervention", "trainable", false);
  both("training, seconds", "cost", "training_seconds", false);
  if (t.rows() == 0) {
    s.absent = "Neither run holds results to compare.";
  } else {
    s.body = t.finish();
  }
  return s;
}

/// Units measured or selected in both runs: the effects against each other, and who selected what.
[[nodiscard]] inline section shared_section(report_view const& a, report_view const& b) {
  section s{.id = "units", .title = "The same units in both runs", .lede = {}, .body = {}, .absent = {}};
  bool const same_model = a.root["model"]["sha256"].text() == b.root["model"]["sha256"].text();
  std::map<std::string, unit const*> second;
  for (unit const& u : b.effects) second[u.kind + " " + u.name()] = &u;
  table t("table-units", "Effects in both runs",
          {"Unit", "First", "Second", "In first circuit", "In second circuit"}, 500);
  std::vector<point> points;
  extent range;
  auto const in = [](report_view const& r, unit const& u) {
    return std::string(contains(r.circuit, u) ? "yes" : "no");
  };
  for (unit const& u : ranked(a.effects)) {
    auto const other = second.find(u.kind + " " + u.name());
    if (other == second.end() || !u.effect || !other->second->effect) continue;
    double const x = *u.effect, y = *other->second->effect;
    points.push_back(
        {x, y, NAN, NAN, u.name() + ": first " + signed_number(x) + ", second " + signed_number(y)});
    range.add(x), range.add(y);
    auto const three = [](double v) { return signed_number(v); };
    t.row({u.name(), number_cell(x, three), number_cell(y, three), in(a, u), in(b, u)});
  }
  if (!same_model || points.empty()) {
    s.absent = same_model ? "The runs measured no unit in common."
                          : "The runs are of different models: their units cannot be compared one by one.";
    return s;
  }
  range = range.padded();
  plot p({.description = "Effects in the second run against the first",
          .x = {"effect in the first run", range.low, range.high},
          .y = {"effect in the second run", range.low, range.high},
          .width = 440,
          .height = 300,
          .right = 56});
  p.diagonal(range.low, range.high, "equal");
  p.markers(points, "found", shape::circle, 3.2);
  std::size_t const shared = static_cast<std::size_t>(std::count_if(
      a.circuit.begin(), a.circuit.end(), [&](unit const& u) { return contains(b.circuit, u); }));
  s.lede = "The circuits share " + count(static_cast<std::int64_t>(shared)) + " of " +
           plural(static_cast<std::int64_t>(a.circuit.size() + b.circuit.size() - shared), "unit", "units") +
           ".";
  s.body = html(figure(p.finish(), "One point for each unit that both runs measured.", "Effects in both runs",
                       "medium"),
                t.folded());
  return s;
}

/// Options, command, versions and hashes that are not the same.
[[nodiscard]] inline section settings_section(report_view const& a, report_view const& b) {
  section s{.id = "settings", .title = "Settings that differ", .lede = {}, .body = {}, .absent = {}};
  table t("table-settings", "Settings that differ", {"Setting", "First", "Second"});
  for (char const* const part : {"model", "provenance", "intervention", "training", "cost"}) {
    auto const flat = [&](report_view const& r) {
      nlohmann::json settings = nlohmann::json::object();
      for (auto const& [key, value] : r.root[part].members()) {
        if (key != "curve") settings[key] = *value.json();
      }
      return settings.flatten();
    };
    nlohmann::json const first = flat(a), second = flat(b);
    nlohmann::json names = first;
    names.update(second);
    for (auto const& [name, unused] : names.items()) {
      std::string const path = "/" + name.substr(std::min<std::size_t>(1, name.size()));
      field const x = field(first, "first")[path], y = field(second, "second")[path];
      if (x.shown() != y.shown()) {
        t.row({report_view::words(std::string(part) + name), shorten(x ? x.shown() : "–", 300),
               shorten(y ? y.shown() : "–", 300)});
      }
    }
  }
  if (t.rows() == 0) {
    s.absent = "All recorded settings are the same.";
  } else {
    s.body = t.finish();
  }
  return s;
}

[[nodiscard]] inline section agreement_section(nlohmann::json const& a, nlohmann::json const& b,
                                               std::string_view where_a, std::string_view where_b) {
  section s{.id = "agreement", .title = "Do they agree", .lede = {}, .body = {}, .absent = {}};
  atlas_comparison c;
  try {
    c = compare(entry_of_report(a, "", where_a), entry_of_report(b, "", where_b));
  } catch (file_error const& e) {
    s.absent = "The findings cannot be compared: " + std::string(e.what()) + ".";
    return s;
  }
  s.lede = c.differences.empty() ? "Both runs say the same." : "What the runs say differently:";
  if (!c.differences.empty()) {
    s.body += "<ul>";
    for (std::string const& line : c.differences) append(s.body, "<li>", line, "</li>");
    s.body += "</ul>";
  }
  append(s.body, "<p class=\"how\">Depths at which the circuits lie overlap by ", percent(c.depth_overlap, 0),
         ".</p>");
  return s;
}

}  // namespace html::detail

/// Two reports on one page, for runs of the same harm with other settings, or the same settings on other
/// models. The names say where each came from. Throws as render_report does.
[[nodiscard]] inline std::string render_comparison(nlohmann::json const& first, nlohmann::json const& second,
                                                   std::string_view first_name = "first",
                                                   std::string_view second_name = "second") {
  static_cast<void>(require_format(first, "lancet.report", 1, first_name));
  static_cast<void>(require_format(second, "lancet.report", 1, second_name));
  html::report_view const a(first, first_name), b(second, second_name);
  html::page page;
  page.title = "Two runs compared";
  page.about = "First: " + std::string(first_name) + ". Second: " + std::string(second_name) + ".";
  page.top = html::html("<h2>First</h2>", html::headline(a), "<h2>Second</h2>", html::headline(b));
  page.sections = {html::detail::results_section(a, b),
                   html::detail::agreement_section(first, second, first_name, second_name),
                   html::detail::shared_section(a, b), html::detail::settings_section(a, b)};
  return html::write_page(page);
}

}  // namespace lancet
