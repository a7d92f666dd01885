// SPDX-License-Identifier: Apache-2.0
// An atlas as a web page in one file: all findings in a table, where in the depth they lie, and where they
// disagree.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/atlas.hpp"
#include "lancet/atlas/html/circuit_graph.hpp"
#include "lancet/atlas/html/graph_panel.hpp"
#include "lancet/atlas/html/headline.hpp"
#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/page.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/scale.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"
#include "lancet/atlas/html/units.hpp"

namespace lancet {

/// A path that may stand in a link: relative, below the atlas, of letters, digits and ._-/ only. Others are
/// shown as text.
[[nodiscard]] inline bool is_safe_link(std::string_view path) {
  auto const plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/';
  };
  return !path.empty() && path[0] != '/' && path.find("..") == path.npos && path.find("//") == path.npos &&
         std::all_of(path.begin(), path.end(), plain);
}

namespace detail {

/// The entry's units as the report's pictures take them.
[[nodiscard]] inline std::vector<html::unit> units_of(atlas_entry const& e) {
  std::vector<html::unit> out;
  for (atlas_unit const& u : e.circuit.units) {
    html::unit shown;
    shown.kind = name(u.unit.kind);
    shown.layer = u.unit.layer;
    if (u.unit.kind == unit_kind::head) shown.head = u.unit.number;
    if (u.unit.kind == unit_kind::neuron) shown.neuron = u.unit.number;
    if (u.unit.position >= 0) shown.position = u.unit.position;
    shown.effect = u.effect;
    out.push_back(std::move(shown));
  }
  return out;
}

[[nodiscard]] inline html::markup report_link(atlas_entry const& e) {
  std::string const path = e.validation ? e.validation->report : "";
  if (path.empty()) return "–";
  return is_safe_link(path) ? html::html("<a href=\"", path, "\">report</a>") : html::html(path);
}

/// "−82% (−85% to −78%)".
[[nodiscard]] inline html::markup shown_change(atlas_change const& c) {
  if (!c.change) return "not measured";
  html::markup out = html::html(html::change_percent(*c.change));
  if (c.low && c.high) {
    append(out, " <small>(", html::change_percent(*c.low), " to ", html::change_percent(*c.high),
           ")</small>");
  }
  return out;
}

/// The first digits of an id: enough for the program to find the entry.
[[nodiscard]] inline std::string brief_id(atlas const& a, std::size_t i) { return a.id(i).substr(0, 8); }

[[nodiscard]] inline html::table entries_table(atlas const& a, std::size_t linked) {
  html::table t(
      "table-entries", "All findings",
      {"Harm", "Model", "Units", "Harm change", "95% low", "95% high", "Capability", "Report", "Id"});
  auto const share = [](double x) { return html::change_percent(x); };
  for (std::size_t i = 0; i < a.entries().size(); ++i) {
    atlas_entry const& e = a.entries()[i];
    atlas_change const none, &harm = e.validation ? e.validation->harm : none;
    bool const kept = e.validation && !e.validation->keep.empty();
    html::markup const name =
        i < linked ? html::html("<a href=\"#entry-", a.id(i), "\">", e.harm, "</a>") : html::html(e.harm);
    t.row({name, e.model.name, html::whole_cell(static_cast<double>(e.circuit.units.size())),
           html::number_cell(harm.change, share), html::number_cell(harm.low, share),
           html::number_cell(harm.high, share),
           html::number_cell(kept ? e.validation->keep.front().change : none.change, share), report_link(e),
           html::html("<code>", brief_id(a, i), "</code>")});
  }
  return t;
}

/// One line an entry, its units where they lie in the model's depth: models of different size under each
/// other.
[[nodiscard]] inline html::markup depth_picture(atlas const& a, std::size_t most) {
  constexpr double width = 860, left = 330, right = 30, top = 34, row = 26;
  std::size_t const rows = std::min(most, a.entries().size());
  html::scale const x{{"", 0, 1}, left, width - right};
  double const bottom = top + row * static_cast<double>(rows);
  html::markup out = html::html(
      "<svg class=\"plot\" role=\"img\" aria-label=\"Depth of the units of each circuit\" viewBox=\"0 0 ",
      width, " ", bottom + 30, "\"><text class=\"axis-title\" x=\"", left,
      "\" y=\"14\">depth in the model</text>");
  for (double const t : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    append(out, "<path class=\"grid\" d=\"M", x(t), " ", top - 6, "V", bottom,
           "\"></path><text class=\"tick\" x=\"", x(t), "\" y=\"", bottom + 18, "\" text-anchor=\"middle\">",
           html::percent(t, 0), "</text>");
  }
  for (std::size_t i = 0; i < rows; ++i) {
    atlas_entry const& e = a.entries()[i];
    auto const units = units_of(e);
    double const y = top + row * (static_cast<double>(i) + 0.5), full = html::largest_effect(units);
    append(out, "<text class=\"name\" x=\"0\" y=\"", y + 4, "\">",
           html::shorten(e.harm, 28) + ", " + html::shorten(e.model.name, 18),
           "</text><path class=\"grid\" d=\"M", left, " ", y, "H", width - right, "\"></path>");
    for (html::unit const& u : units) {
      double const depth = (static_cast<double>(*u.layer) + 0.5) /
                           static_cast<double>(std::max<std::int64_t>(1, e.model.layers));
      double const r = 3 + (full > 0 ? 5 * std::sqrt(u.size() / full) : 1);
      append(out, "<g class=\"node\">",
             marker(html::detail::node_shape(u), x(depth), y, r, u.effect.value_or(0) < 0 ? "neg" : "pos",
                    u.name()),
             "</g>");
    }
  }
  out += "</svg>";
  return out;
}

/// Everything about one entry.
[[nodiscard]] inline html::section entry_section(atlas const& a, std::size_t i) {
  atlas_entry const& e = a.entries()[i];
  html::section s{.id = "entry-" + a.id(i),
                  .title = e.harm + " in " + e.model.name,
                  .lede = {},
                  .body = {},
                  .absent = {}};
  s.lede = "Finding " + brief_id(a, i) + (e.created.empty() ? "" : ", " + e.created) + ".";
  bool const repeated = std::count_if(a.entries().begin(), a.entries().end(), [&](atlas_entry const& other) {
                          return other.harm == e.harm && other.model.name == e.model.name;
                        }) > 1;
  if (repeated) s.title += " (" + brief_id(a, i) + ")";
  html::markup facts;
  auto const say = [&](std::string_view name, html::markup const& value) {
    if (!value.empty()) append(facts, html::fact(name, value));
  };
  if (e.validation) {
    say("Change of harm", shown_change(e.validation->harm));
    for (atlas_change const& k : e.validation->keep)
      say("change of " + html::report_view::words(k.name), shown_change(k));
    for (atlas_change const& c : e.validation->controls) say("control, " + c.name, shown_change(c));
    for (auto const& [name, passed] : e.validation->verdict)
      say(html::detail::verdict_name(name), passed ? html::markup("✓ yes") : html::markup("✗ no"));
  } else {
    say("Change of harm", "not validated");
  }
  say("Circuit",
      html::html(html::plural(static_cast<std::int64_t>(e.circuit.units.size()), "unit", "units")));
  say("Selected by", html::html(e.circuit.rule));
  if (e.circuit.faithfulness) say("Faithfulness", html::html(html::fixed(*e.circuit.faithfulness, 2)));
  say("Effects", html::html(e.effects.estimator, ", ", e.effects.metric,
                            e.effects.change.empty() ? "" : ", " + e.effects.change));
  for (atlas_intervention const& v : e.interventions) {
    say("Intervention", html::html(v.kind, ", ", html::count(v.trainable), " parameters",
                                   v.path.empty() ? "" : ", " + v.path));
  }
  say("Report", report_link(e));
  say("Model hash", html::html("<code>", html::shorten(e.model.sha256, 64), "</code>"));
  append(s.body, "<dl class=\"facts\">", facts, "</dl>");
  auto const units = units_of(e);
  if (!units.empty()) {
    html::graph_input in{.circuit = units,
                         .others = {},
                         .edges = {},
                         .layers = e.model.layers,
                         .heads = e.model.heads,
                         .effect_unit = ""};
    html::table t("table-" + a.id(i), "Units", {"Unit", "Effect"}, 300);
    for (html::unit const& u : html::ranked(units)) t.row({u.name(), html::number_cell(u.effect)});
    append(s.body, html::detail::graph_with_panel(html::circuit_graph(in), "", "Circuit of " + s.title),
           t.folded());
  }
  return s;
}

[[nodiscard]] inline html::section disagreement_section(atlas const& a) {
  html::section s{
      .id = "disagreements", .title = "Where findings disagree", .lede = {}, .body = {}, .absent = {}};
  auto const all = a.disagreements();
  if (all.empty()) {
    s.absent = "No two findings about the same harm in the same model disagree.";
    return s;
  }
  s.lede = "Pairs of findings about the same harm in the same model that do not say the same. Both are kept.";
  for (atlas_disagreement const& d : all) {
    append(s.body, "<h3>", a.entries()[d.first].harm, " in ", a.entries()[d.first].model.name,
           "</h3><p class=\"how\"><a href=\"#entry-", a.id(d.first), "\">", brief_id(a, d.first),
           "</a> against <a href=\"#entry-", a.id(d.second), "\">", brief_id(a, d.second),
           "</a>; circuits overlap by ", html::percent(d.comparison.overlap, 0), "</p><ul>");
    for (std::string const& line : d.comparison.differences) append(s.body, "<li>", line, "</li>");
    s.body += "</ul>";
  }
  return s;
}

}  // namespace detail

/// The page. The first `most` entries are drawn one by one; the table and the embedded document have all. All
/// strings of the atlas are hostile text and are escaped.
[[nodiscard]] inline std::string render_atlas_html(atlas const& a,
                                                   std::string_view title = "Atlas of circuits",
                                                   std::size_t most = 60) {
  html::page page;
  page.title = title;
  page.about = html::plural(static_cast<std::int64_t>(a.entries().size()), "finding: ", "findings: ") +
               "which circuit of which model carries a harm, and what changing it did.";
  html::section all{.id = "entries", .title = "All findings", .lede = {}, .body = {}, .absent = {}};
  if (a.entries().empty()) {
    all.absent = "This atlas has no entries yet.";
  } else {
    all.body = html::html(
        figure(detail::depth_picture(a, most),
               "Circles are heads, squares MLP blocks, triangles neurons; larger marks have larger effects.",
               "Depth of each circuit", "wide"),
        detail::entries_table(a, most).finish());
  }
  page.sections.push_back(std::move(all));
  page.sections.push_back(detail::disagreement_section(a));
  for (std::size_t i = 0; i < std::min(most, a.entries().size()); ++i)
    page.sections.push_back(detail::entry_section(a, i));
  page.document = html::script_json(a.to_json());
  return html::write_page(page);
}

}  // namespace lancet
