// SPDX-License-Identifier: Apache-2.0
// Which units carry the behaviour: bars with intervals, rankings, and how far the estimator is from the exact
// effect.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/bars.hpp"
#include "lancet/atlas/html/circuit_graph.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

/// How many of the weakest units a document leaves out.
[[nodiscard]] inline std::int64_t omitted_units(field const& e) {
  return std::max<std::int64_t>(0, e["units_omitted"].integer().value_or(0));
}

/// "exact estimator, denoise by resample, 24 examples, 270 units measured".
[[nodiscard]] inline std::string how_measured(field const& e, std::size_t units) {
  std::string out = e["estimator"].text_or("unnamed") + " estimator";
  if (auto const d = e["direction"].text()) out += ", " + *d;
  if (auto const d = e["do"].text()) out += " by " + *d;
  if (auto const n = e["examples"].integer()) out += ", " + plural(*n, "example", "examples");
  return out + ", " + plural(static_cast<std::int64_t>(units) + omitted_units(e), "unit", "units") +
         " measured";
}

[[nodiscard]] inline table effects_table(std::string_view id, std::string_view caption,
                                         std::vector<unit> const& units, std::string const& effect_unit,
                                         report_view const& r) {
  table t(id, caption,
          {"Unit", "Effect" + (effect_unit.empty() ? "" : " (" + effect_unit + ")"), "s.e.", "95% low",
           "95% high", "p", "p adjusted", "In circuit"},
          500);
  for (unit const& u : units) {
    bool const in = contains(r.circuit, u);
    auto const three = [](double x) { return signed_number(x); };
    t.row({u.name(), number_cell(u.effect, three), number_cell(u.se), number_cell(u.low, three),
           number_cell(u.high, three), p_cell(u.p), p_cell(u.p_adjusted), std::string(in ? "yes" : "no")},
          in ? "in" : "");
  }
  return t;
}

/// The strongest units as bars. Effects of single units overlap, so the bars all start at zero and are not
/// stacked.
[[nodiscard]] inline markup effect_bars(std::vector<unit> const& units, std::size_t most,
                                        std::int64_t omitted, std::string const& effect_unit,
                                        std::string_view description, report_view const& r) {
  std::vector<bar> bars;
  for (unit const& u : units) {
    if (bars.size() == most || !u.effect) break;
    bool const in = contains(r.circuit, u);
    bars.push_back({u.name(), *u.effect, u.low.value_or(NAN), u.high.value_or(NAN), u.significant(r.level),
                    in, describe_unit(u, effect_unit, in, r.level)});
  }
  std::string caption;
  std::int64_t const others = static_cast<std::int64_t>(units.size() - bars.size()) + omitted;
  if (others > 0 && !bars.empty()) {
    double const next = units.size() > bars.size() ? units[bars.size()].size() : std::abs(bars.back().value);
    caption = "The other " + plural(others, "unit has", "units have") + " an effect of at most " +
              short_number(next) + " either way. ";
  }
  bool const intervals =
      std::any_of(bars.begin(), bars.end(), [](bar const& b) { return std::isfinite(b.low); });
  bool const grey = std::any_of(bars.begin(), bars.end(), [](bar const& b) { return !b.kept; });
  if (intervals) caption += "Whiskers are 95% intervals. ";
  if (grey)
    caption += "Grey, n.s.: not kept when the false discovery rate is held at " + percent(r.level, 0) + ". ";
  if (std::any_of(bars.begin(), bars.end(), [](bar const& b) { return b.marked; }))
    caption += "● is in the circuit.";
  return figure(bar_chart(bars, "effect" + (effect_unit.empty() ? "" : ", " + effect_unit), description),
                html(caption), description, "wide");
}

/// A ranking of neurons or of whole MLPs.
[[nodiscard]] inline markup ranking(report_view const& r, std::string_view key, std::string_view title) {
  field const document = r.root[key];
  auto const units = ranked(read_units(document));
  if (units.empty()) return {};
  std::string const unit_name = r.unit_of(document), id = "table-" + std::string(key);
  return html("<h3>", title, "</h3><p class=\"how\">", how_measured(document, units.size()), "</p>",
              effect_bars(units, 12, omitted_units(document), unit_name, title, r),
              effects_table(id, title, units, unit_name, r).folded());
}

/// Estimated against exact effects on a sample, with the error in words.
[[nodiscard]] inline markup estimator_check(report_view const& r) {
  field const check = r.root["attribution_check"];
  if (!check) {
    bool const exact = r.root["effects"]["estimator"].text_or("") == "exact";
    return html("<p class=\"aside\">",
                exact ? markup("These effects are exact: each unit was changed and the model run again.")
                      : markup("The estimator was not checked against exact effects in this run."),
                "</p>");
  }
  std::string const estimator = check["estimator"].text_or("estimate"),
                    reference = check["reference"].text_or("exact");
  table t("table-check", estimator + " against " + reference, {"Unit", "Estimate", "Exact", "Error"});
  std::vector<point> points;
  extent range;
  for (field const& f : check["units"].items()) {
    auto const estimate = f["estimate"].number(), exact = f["exact"].number();
    if (!estimate || !exact) continue;
    unit const u = read_unit(f, r.root["effects"]["unit"].text_or("unit"));
    points.push_back(
        {*exact, *estimate, NAN, NAN,
         u.name() + ": exact " + signed_number(*exact) + ", estimate " + signed_number(*estimate)});
    range.add(*exact), range.add(*estimate);
    auto const three = [](double x) { return signed_number(x); };
    t.row({u.name(), number_cell(estimate, three), number_cell(exact, three),
           number_cell(*estimate - *exact, three)});
  }
  std::string words;
  auto const say = [&](std::string_view key, std::string_view name) {
    if (auto const x = check[key].number())
      words += (words.empty() ? "" : ", ") + std::string(name) + " " + short_number(*x);
  };
  say("pearson", "correlation");
  say("spearman", "rank correlation");
  say("mean_absolute_error", "mean absolute error");
  say("max_absolute_error", "largest error");
  markup out = html("<h3>How good the estimates are</h3>");
  if (!points.empty()) {
    range = range.padded();
    plot p({.description = estimator + " against " + reference + " effects of " +
                           std::to_string(points.size()) + " units",
            .x = {reference + " effect" + (r.unit.empty() ? "" : ", " + r.unit), range.low, range.high},
            .y = {estimator + " effect", range.low, range.high},
            .width = 440,
            .height = 280,
            .right = 56});
    p.diagonal(range.low, range.high, "equal");
    p.markers(points, "found", shape::circle, 3.2);
    append(out,
           figure(p.finish(),
                  html(words, words.empty() ? "" : ", on ",
                       plural(static_cast<std::int64_t>(points.size()), "unit", "units"), "."),
                  estimator + " against " + reference, "medium"),
           t.folded());
  } else {
    append(out, "<p class=\"how\">", words, "</p>");
  }
  return out;
}

}  // namespace detail

/// Bars of the main effects, rankings of neurons and MLPs, the check of the estimator.
[[nodiscard]] inline section effects_section(report_view const& r) {
  section s{.id = "effects", .title = "Which units carry it", .lede = {}, .body = {}, .absent = {}};
  field const document = r.root["effects"];
  markup const rankings =
      html(detail::ranking(r, "mlp", "MLP blocks"), detail::ranking(r, "neurons", "Neurons"));
  if (r.effects.empty() && rankings.empty()) {
    s.absent = "No effects of single units were measured in this run.";
    return s;
  }
  s.lede =
      "How far the metric moves when one unit alone is changed. Units overlap in what they do, so the "
      "effects do not add up.";
  if (!r.effects.empty()) {
    auto const units = ranked(r.effects);
    std::string const unit_name = r.unit_of(document);
    append(s.body, "<p class=\"how\">", detail::how_measured(document, units.size()), "</p>",
           detail::effect_bars(units, 24, detail::omitted_units(document), unit_name,
                               "Effect of single units, strongest first", r),
           detail::effects_table("table-effects", "Effects of single units", units, unit_name, r).folded(),
           detail::estimator_check(r));
  }
  s.body += rankings;
  return s;
}

}  // namespace lancet::html
