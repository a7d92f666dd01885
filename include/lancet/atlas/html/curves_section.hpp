// SPDX-License-Identifier: Apache-2.0
// Curves: harm and what was kept against strength and size, and what training did step by step.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

/// One curve drawn in its own small picture: what it is, which member holds it, and how.
struct curve {
  std::string_view key;
  std::string_view title;
  std::string_view style;
  shape mark = shape::circle;
  notation style_of_axis = notation::number;
  bool from_zero = false;
};

/// A small picture of one member of a list of rows against another; empty if no row has it.
[[nodiscard]] inline markup small_curve(std::vector<field> const& rows, std::string_view x_key, axis x_axis,
                                        curve const& c, std::optional<double> marked, std::string_view mark) {
  std::vector<point> points;
  extent x, y;
  if (c.from_zero) y.add(0);
  for (field const& f : rows) {
    auto const at = f[x_key].number(), value = f[c.key].number();
    if (!at || !value) continue;
    points.push_back(
        {*at, *value, NAN, NAN,
         std::string(c.title) + " " + written(*value, c.style_of_axis, 2) + " at " + short_number(*at)});
    x.add(*at), y.add(*value);
  }
  if (points.empty()) return {};
  std::stable_sort(points.begin(), points.end(), [](point const& a, point const& b) { return a.x < b.x; });
  x_axis.low = x.low, x_axis.high = x.high > x.low ? x.high : x.low + 1;
  bool const whole_is_most = c.style_of_axis == notation::share && y.high <= 1;
  y = y.padded();
  if (whole_is_most) y.high = std::min(y.high, 1.0);
  plot p({.description = std::string(c.title) + " against " + x_axis.title,
          .x = x_axis,
          .y = {std::string(c.title), y.low, y.high, c.style_of_axis},
          .width = 440,
          .height = 240});
  if (y.low < 0 && y.high > 0) p.horizontal(0, "");
  if (marked) p.vertical(*marked, mark);
  p.line(points, c.style, c.mark);
  return figure(p.finish(), markup(), std::string(c.title) + " against " + x_axis.title);
}

/// What the size curve compares: the found circuit, and random ones of the same size.
struct size_point {
  double units = 0;
  std::optional<double> found, mean, low, high;
  std::vector<double> draws;
};

[[nodiscard]] inline std::vector<size_point> size_points(field const& list, std::string_view found,
                                                         std::string_view random) {
  std::vector<size_point> out;
  for (field const& f : list.items()) {
    auto const units = f["units"].number();
    if (!units || *units <= 0) continue;
    size_point p{*units,
                 f["found"][found].number(),
                 f[random]["mean"].number(),
                 f[random]["low"].number(),
                 f[random]["high"].number(),
                 {}};
    for (field const& draw : f[random]["draws"].items()) {
      if (auto const x = draw.number()) p.draws.push_back(*x);
    }
    if (!p.mean && !p.draws.empty()) {
      double sum = 0;
      for (double const x : p.draws) sum += x;
      p.mean = sum / static_cast<double>(p.draws.size());
    }
    if (!p.low && !p.draws.empty()) p.low = *std::min_element(p.draws.begin(), p.draws.end());
    if (!p.high && !p.draws.empty()) p.high = *std::max_element(p.draws.begin(), p.draws.end());
    out.push_back(std::move(p));
  }
  std::stable_sort(out.begin(), out.end(), [](auto const& a, auto const& b) { return a.units < b.units; });
  return out;
}

[[nodiscard]] inline markup size_plot(std::vector<size_point> const& sizes, std::string const& title,
                                      notation style) {
  extent x, y;
  y.add(0);
  std::vector<point> found, random, draws;
  for (size_point const& s : sizes) {
    x.add(s.units);
    std::string const at = " at " + whole_number(s.units) + " units";
    if (s.found)
      found.push_back({s.units, *s.found, NAN, NAN, "found: " + written(*s.found, style) + at}),
          y.add(*s.found);
    if (s.mean) {
      random.push_back({s.units, *s.mean, s.low.value_or(NAN), s.high.value_or(NAN),
                        "random, mean: " + written(*s.mean, style) + at});
      y.add(*s.mean), y.add(s.low.value_or(NAN)), y.add(s.high.value_or(NAN));
    }
    for (double const d : s.draws)
      draws.push_back({s.units, d, NAN, NAN, "random draw: " + written(d, style) + at}), y.add(d);
  }
  if (found.empty() && random.empty()) return {};
  y = y.padded();
  plot p({.description = title + " against circuit size, found and random circuits",
          .x = {"units changed (logarithmic)", x.low, x.high > x.low ? x.high : 2 * x.low, notation::whole,
                true},
          .y = {title, y.low, y.high, style},
          .width = 440,
          .height = 250,
          .right = 66});
  if (y.low < 0 && y.high > 0) p.horizontal(0, "");
  p.band(random, "random");
  p.markers(draws, "random small", shape::ring, 1.8);
  p.line(random, "random", shape::square, "random");
  p.line(found, "found", shape::circle, "found");
  return figure(p.finish(), markup(), title + " against circuit size");
}

}  // namespace detail

/// Harm and what was kept against the strength of the change.
[[nodiscard]] inline section dose_section(report_view const& r) {
  section s{.id = "dose", .title = "Dose", .lede = {}, .body = {}, .absent = {}};
  auto const rows = r.root["dose"].items();
  auto const chosen = r.root["intervention"]["alpha"].number();
  constexpr detail::curve curves[] = {
      {"harm", "harm", "harmful", shape::diamond},
      {"reduction", "harm reduction", "found", shape::circle, notation::share, true},
      {"perplexity_change", "perplexity change", "plain", shape::square, notation::signed_share, true},
      {"keep_accuracy", "accuracy on kept pairs", "plain", shape::triangle, notation::share}};
  markup pictures;
  for (auto const& c : curves)
    pictures += detail::small_curve(rows, "alpha", {"strength α"}, c, chosen, "chosen");
  if (pictures.empty()) {
    s.absent = "The strength of the change was not varied in this run.";
    return s;
  }
  s.lede = "The same change at other strengths. At α = 0 the model is the original.";
  if (std::string const windows = control_windows(r); !windows.empty())
    s.lede += " Perplexity is here that" + windows + ".";
  table t("table-dose", "Dose", {"α", "Harm", "Reduction", "Perplexity change", "Accuracy on kept pairs"});
  for (field const& f : rows) {
    t.row({number_cell(f["alpha"].number()), number_cell(f["harm"].number()),
           number_cell(f["reduction"].number(), [](double x) { return percent(x); }),
           number_cell(f["perplexity_change"].number(), [](double x) { return change_percent(x); }),
           number_cell(f["keep_accuracy"].number(), [](double x) { return percent(x); })});
  }
  s.body = html(side_by_side(pictures), t.folded());
  return s;
}

/// Harm reduction and the loss of kept answers against circuit size, for the found circuit and random ones.
[[nodiscard]] inline section sizes_section(report_view const& r) {
  section s{.id = "sizes", .title = "What localisation is worth", .lede = {}, .body = {}, .absent = {}};
  auto const harm = detail::size_points(r.root["sizes"], "reduction", "random");
  auto const cost = detail::size_points(r.root["sizes"], "collateral", "random_collateral");
  if (harm.empty()) {
    s.absent = "Circuits of other sizes, and random ones to compare with, were not tried in this run.";
    return s;
  }
  s.lede =
      "The found circuit and random circuits of the same sizes, changed in the same way. The gap between the "
      "lines is what finding the "
      "circuit is worth; the band is the range over random draws.";
  bool const measured =
      std::any_of(cost.begin(), cost.end(), [](auto const& p) { return p.found.has_value(); });
  s.lede += measured
                ? " Kept log odds lost is the share of the mean log odds of the pairs to keep that is gone."
                : " What these changes did to other answers was not measured.";
  markup const pictures = html(detail::size_plot(harm, "harm reduction", notation::share),
                               detail::size_plot(cost, "kept log odds lost", notation::signed_share));
  table t("table-sizes", "Circuit sizes",
          {"Units", "Found: reduction", "Random: mean", "Random: lowest", "Random: highest", "Draws",
           "Found: kept log odds lost"});
  auto const share = [](double x) { return percent(x); };
  for (std::size_t i = 0; i < harm.size(); ++i) {
    t.row({whole_cell(harm[i].units), number_cell(harm[i].found, share), number_cell(harm[i].mean, share),
           number_cell(harm[i].low, share), number_cell(harm[i].high, share),
           whole_cell(static_cast<double>(harm[i].draws.size())),
           number_cell(cost[i].found, [](double x) { return change_percent(x); })});
  }
  s.body = html(side_by_side(pictures), t.folded());
  return s;
}

/// Training curves and options.
[[nodiscard]] inline section training_section(report_view const& r) {
  section s{.id = "training", .title = "Training", .lede = {}, .body = {}, .absent = {}};
  field const training = r.root["training"];
  auto const rows = training["curve"].items();
  auto const chosen = training["selected_step"].number();
  constexpr detail::curve curves[] = {{"loss", "loss", "plain", shape::circle},
                                      {"harm", "harm term", "harmful", shape::diamond},
                                      {"keep", "preservation term", "found", shape::square},
                                      {"validation", "validation", "plain", shape::triangle}};
  markup pictures;
  table t("table-training", "Training", {"Step", "Loss", "Harm term", "Preservation term", "Validation"},
          400);
  for (auto const& c : curves)
    pictures += detail::small_curve(rows, "step", {"step", 0, 1, notation::whole}, c, chosen, "kept");
  for (field const& f : rows) {
    t.row({whole_cell(f["step"].number()), number_cell(f["loss"].number()), number_cell(f["harm"].number()),
           number_cell(f["keep"].number()), number_cell(f["validation"].number())});
  }
  markup facts;
  field const intervention = r.root["intervention"];
  std::set<std::pair<std::string, std::string>> written;  // both tell of the rank, say
  for (field const& group : {intervention, intervention["options"], training["options"]}) {
    for (auto const& [key, value] : group.members()) {
      // The strength is not the α that scales a low-rank change.
      bool const strength = key == "alpha" && group.json() == intervention.json();
      std::string const name = strength ? "strength α" : report_view::words(key);
      if (!value.json()->is_structured() && written.emplace(name, value.shown()).second)
        append(facts, fact(name, html(shorten(value.shown(), 200))));
    }
  }
  if (pictures.empty() && facts.empty()) {
    s.absent = "Nothing was trained in this run, or its course was not recorded.";
    return s;
  }
  if (!facts.empty()) append(s.body, "<dl class=\"facts\">", facts, "</dl>");
  if (!pictures.empty()) {
    append(s.body, side_by_side(pictures), t.folded());
  } else {
    s.body += "<p class=\"aside\">The course of the training was not recorded.</p>";
  }
  return s;
}

}  // namespace lancet::html
