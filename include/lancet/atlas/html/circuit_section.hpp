// SPDX-License-Identifier: Apache-2.0
// The circuit as a graph with a threshold slider, its rule, and how faithful it is as it grows.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/circuit_graph.hpp"
#include "lancet/atlas/html/effects_section.hpp"
#include "lancet/atlas/html/graph_panel.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

/// "0.86 (0.81 to 0.90)" from {value, low, high} or a bare number.
[[nodiscard]] inline markup with_interval(field const& f) {
  if (f && f.json()->is_number()) return html(fixed(*f.number(), 2));
  auto const value = f["value"].number(), low = f["low"].number(), high = f["high"].number();
  if (!value) return {};
  markup out = html(fixed(*value, 2));
  if (low && high) append(out, " <small>(", fixed(*low, 2), " to ", fixed(*high, 2), ")</small>");
  return out;
}

[[nodiscard]] inline markup circuit_facts(report_view const& r) {
  field const circuit = r.root["circuit"];
  markup out;
  auto const say = [&](std::string_view name, markup const& value) {
    if (!value.empty()) append(out, fact(name, value));
  };
  say("Units", html(r.circuit_size()));
  if (!r.edges.empty()) {
    auto const total = circuit["total_edges"].integer();
    auto const n = static_cast<std::int64_t>(r.edges.size());
    say("Edges", total ? html(count(n), " of ", count(*total)) : html(count(n)));
  }
  if (auto const rule = circuit["rule"].text()) say("Selected by", html(*rule));
  say("Faithfulness", with_interval(circuit["faithfulness"]));
  say("Completeness", with_interval(circuit["completeness"]));
  say("Minimality", with_interval(circuit["minimality"]));
  if (auto const x = circuit["cpr"].number()) say("CPR", html(fixed(*x, 3)));
  if (auto const x = circuit["cmd"].number()) say("CMD", html(fixed(*x, 3)));
  return out.empty() ? out : html("<dl class=\"facts\">", out, "</dl>");
}

[[nodiscard]] inline table edge_table(report_view const& r) {
  table t("table-edges", "Edges of the circuit", {"From", "To", "Input", "Effect"}, 400);
  for (edge const& e : r.edges) {
    t.row({e.source.name(), e.target.name(), e.input,
           number_cell(e.effect, [](double x) { return signed_number(x); })});
  }
  return t;
}

}  // namespace detail

/// The graph, the slider, a panel for the chosen unit, and tables of units and edges.
[[nodiscard]] inline section circuit_section(report_view const& r) {
  section s{.id = "circuit", .title = "The circuit", .lede = {}, .body = {}, .absent = {}};
  if (r.circuit.empty()) {
    s.absent = "No circuit was selected in this run.";
    return s;
  }
  s.lede =
      "Every unit at its own place: layers from left to right, heads and blocks from top to bottom. Larger "
      "marks have larger "
      "effects; ringed marks are in the circuit.";
  nlohmann::json const nothing;
  graph_input in{.circuit = r.circuit,
                 .others = {},
                 .edges = r.edges,
                 .layers = r.layers,
                 .heads = r.heads,
                 .effect_unit = r.unit_of(r.root["effects"]),
                 .level = r.level};
  for (unit const& u : r.effects) {
    if (!contains(r.circuit, u)) in.others.push_back(u);
  }
  // Whole MLPs are measured apart from heads, but are units of the same grid where the circuit has some.
  bool const has_mlp =
      std::any_of(r.circuit.begin(), r.circuit.end(), [](unit const& u) { return u.kind == "mlp"; });
  for (unit const& u : read_units(has_mlp ? r.root["mlp"] : field(nothing, ""))) {
    if (!contains(r.circuit, u)) in.others.push_back(u);
  }
  graph_picture const picture = circuit_graph(in);
  s.body += detail::circuit_facts(r);
  std::string caption;
  if (r.edges.empty()) {
    caption =
        "The circuit is given as units: each reads what all earlier ones wrote, and no single edges were "
        "measured. ";
  } else {
    caption =
        "Lines are edges, thicker for larger effects. Dashes say what they feed: solid other inputs, long q, "
        "short k, dotted v. ";
  }
  caption +=
      "Circles are heads, squares MLP blocks, triangles neurons, diamonds other blocks; blue raises the "
      "metric, orange lowers it.";
  if (picture.nodes_left_out > 0) {
    caption +=
        " " +
        plural(static_cast<std::int64_t>(picture.nodes_left_out), "weaker unit is", "weaker units are") +
        " not drawn.";
  }
  if (picture.edges_left_out > 0) {
    caption +=
        " " +
        plural(static_cast<std::int64_t>(picture.edges_left_out), "weaker edge is", "weaker edges are") +
        " not drawn.";
  }
  append(s.body, detail::graph_with_panel(picture, caption, "The circuit"),
         detail::effects_table("table-circuit", "Units of the circuit", ranked(r.circuit), in.effect_unit, r)
             .folded());
  if (!r.edges.empty()) s.body += detail::edge_table(r).folded();
  return s;
}

/// Faithfulness against the number of units, with CPR and CMD as MIB defines them.
[[nodiscard]] inline section faithfulness_section(report_view const& r) {
  section s{.id = "faithfulness", .title = "Faithfulness", .lede = {}, .body = {}, .absent = {}};
  field const circuit = r.root["circuit"];
  std::vector<point> points;
  table t("table-faithfulness", "Faithfulness by circuit size",
          {"Units", "Faithfulness", "95% low", "95% high"});
  extent x, y;
  y.add(0), y.add(1);
  for (field const& f : circuit["faithfulness_curve"].items()) {
    auto const units = f["units"].number(), value = f["faithfulness"].number(), low = f["low"].number(),
               high = f["high"].number();
    t.row({whole_cell(units), number_cell(value), number_cell(low), number_cell(high)});
    if (!units || !value || *units <= 0) continue;
    points.push_back({*units, *value, low.value_or(NAN), high.value_or(NAN),
                      whole_number(*units) + " units: " + short_number(*value)});
    x.add(*units), y.add(*value), y.add(low.value_or(NAN)), y.add(high.value_or(NAN));
  }
  if (points.empty()) {
    s.absent = "Faithfulness was not measured over circuit sizes in this run.";
    return s;
  }
  s.lede =
      "The model is run with only the circuit intact. 1 is the whole model's behaviour, 0 that of the model "
      "with nothing intact.";
  y = y.padded();
  plot p(
      {.description = "Faithfulness against circuit size",
       .x = {"units in the circuit (logarithmic)", x.low, std::max(x.high, x.low * 2), notation::whole, true},
       .y = {"faithfulness", y.low, y.high},
       .width = 720,
       .height = 300});
  p.horizontal(1, "whole model");
  p.band(points, "found");
  p.line(points, "found", shape::circle);
  if (!r.circuit.empty()) p.vertical(static_cast<double>(r.circuit.size()), "the circuit");
  std::string caption = "The band is the 95% interval.";
  if (auto const cpr = circuit["cpr"].number()) {
    caption += " CPR, the area under this curve over the share of units kept: " + fixed(*cpr, 3) + ".";
  }
  if (auto const cmd = circuit["cmd"].number()) {
    caption += " CMD, the area between this curve and 1, where 0 is best: " + fixed(*cmd, 3) + ".";
  }
  append(s.body, figure(p.finish(), html(caption), "Faithfulness by circuit size", "wide"), t.folded());
  return s;
}

}  // namespace lancet::html
