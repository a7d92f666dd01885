// SPDX-License-Identifier: Apache-2.0
// Heat maps: layer × head, layer × position, and the attention patterns of single heads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/circuit_graph.hpp"
#include "lancet/atlas/html/effects_section.hpp"
#include "lancet/atlas/html/heat_map.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

inline constexpr std::size_t most_cells =
    6000;  ///< a map beyond this is not drawn: the page would be too large

[[nodiscard]] inline std::vector<std::string> numbered(std::int64_t n) {
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < n; ++i) out.push_back(std::to_string(i));
  return out;
}

/// A map of units by layer and `column`. Where several units share a cell (a head at several positions) the
/// strongest is shown. Empty if there are none; words if there are too many.
[[nodiscard]] inline markup unit_map(report_view const& r, std::vector<unit> const& units,
                                     std::optional<std::int64_t> unit::*column,
                                     std::vector<std::string> columns, std::string_view column_title,
                                     std::string const& description, double largest,
                                     std::string const& unit_name) {
  std::map<std::pair<std::int64_t, std::int64_t>, unit const*> strongest;
  std::int64_t layers = r.layers, width = static_cast<std::int64_t>(columns.size());
  bool shared = false;
  for (unit const& u : units) {
    if (!u.layer || !(u.*column) || !u.effect) continue;
    layers = std::max(layers, *u.layer + 1);
    width = std::max(width, *(u.*column) + 1);
    auto& place = strongest[{*u.layer, *(u.*column)}];
    shared = shared || place != nullptr;
    if (place == nullptr || place->size() < u.size()) place = &u;
  }
  if (strongest.empty()) return {};
  if (static_cast<std::size_t>(layers * width) > most_cells) {
    return html("<p class=\"aside\">", description, ": ", count(layers), " × ", count(width),
                " cells are too many to draw; the table has the strongest and the data at the end of the "
                "page all.</p>");
  }
  auto const rest = numbered(width);
  columns.insert(columns.end(), rest.begin() + static_cast<std::ptrdiff_t>(columns.size()), rest.end());
  std::vector<heat_cell> cells;
  for (auto const& [place, u] : strongest) {
    bool const in = contains(r.circuit, *u);
    cells.push_back({static_cast<std::size_t>(place.first), static_cast<std::size_t>(place.second),
                     *u->effect, u->significant(r.level), in, describe_unit(*u, unit_name, in, r.level),
                     u->head ? std::to_string(*u->layer) + "." + std::to_string(*u->head) : std::string()});
  }
  markup const picture = heat_map(cells, {.description = description,
                                          .row_title = "layer",
                                          .column_title = std::string(column_title),
                                          .rows = numbered(layers),
                                          .columns = std::move(columns),
                                          .largest = largest,
                                          .unit = "effect" + (unit_name.empty() ? "" : ", " + unit_name)});
  std::string caption = "Blue raises the metric, orange lowers it. Outlined cells are in the circuit.";
  if (shared) caption += " Where a cell stands for several positions, the strongest is shown.";
  return html("<div><h3>", description, "</h3>", figure(picture, html(caption), description, "heat-figure"),
              "</div>");
}

/// Positions by name: the tokens of the document's example, "3 nurse", else numbers.
[[nodiscard]] inline std::vector<std::string> position_names(field const& document) {
  std::vector<std::string> out;
  for (field const& token : document["tokens"].items()) out.push_back(token.text_or(""));
  return out;
}

/// Attention patterns of the first heads of the list: rows attend to columns. The page's script draws any of
/// them beside its chosen cell.
[[nodiscard]] inline markup patterns(report_view const& r, std::size_t most = 6) {
  markup pictures;
  std::size_t drawn = 0;
  for (field const& a : r.root["attention"].items()) {
    auto const tokens = position_names(a);
    std::vector<heat_cell> cells;
    std::size_t row = 0;
    for (field const& line : a["pattern"].items()) {
      std::size_t column = 0;
      for (field const& weight : line.items()) {
        double const w = weight.number().value_or(0);
        if (row < tokens.size() && column < tokens.size() && w > 0.005) {
          cells.push_back({row, column, w, true, false,
                           tokens[row] + " attends to " + tokens[column] + ": " + percent(w)});
        }
        ++column;
      }
      ++row;
    }
    if (cells.empty() || tokens.size() > 40 || ++drawn > most) continue;
    std::string const name = read_unit(a, "head").name();
    append(pictures, figure(heat_map(cells, {.description = "Attention of " + name,
                                             .row_title = "from",
                                             .column_title = "to",
                                             .rows = tokens,
                                             .columns = tokens,
                                             .largest = 1,
                                             .unit = "share of attention",
                                             .one_sided = true,
                                             .cell_width = 22}),
                            html(name), "Attention of " + name, "heat-figure"));
  }
  return pictures.empty() ? pictures : html("<h3>Where these heads look</h3>", side_by_side(pictures));
}

}  // namespace detail

/// All maps that the document has data for.
[[nodiscard]] inline section maps_section(report_view const& r) {
  section s{.id = "maps", .title = "Where it happens", .lede = {}, .body = {}, .absent = {}};
  field const heads = r.root["effects"], positions = r.root["positions"];
  auto const by_position = read_units(positions);
  bool const main_has_positions =
      std::any_of(r.effects.begin(), r.effects.end(), [](unit const& u) { return u.position && !u.head; });
  // One colour scale for all maps, unless it would leave the weaker map without colour.
  double const by_head = largest_effect(r.effects), by_place = largest_effect(by_position);
  bool const comparable =
      r.unit_of(heads) == r.unit_of(positions) && by_head < 2 * by_place && by_place < 2 * by_head;
  double const largest = comparable ? std::max(by_head, by_place) : by_head;
  markup pictures = detail::unit_map(r, r.effects, &unit::head, detail::numbered(r.heads), "head",
                                     "Effect by layer and head", largest, r.unit_of(heads));
  if (main_has_positions) {
    pictures += detail::unit_map(r, r.effects, &unit::position, detail::position_names(heads), "position",
                                 "Effect by layer and position", largest, r.unit_of(heads));
  }
  markup numbers;
  if (!by_position.empty()) {
    std::string const kind = positions["unit"].text_or("resid");
    std::string const title =
        "Effect of the " + (kind == "resid" ? "residual stream" : kind) + " by layer and position";
    pictures += detail::unit_map(r, by_position, &unit::position, detail::position_names(positions),
                                 "position", title, comparable ? largest : by_place, r.unit_of(positions));
    numbers = detail::effects_table("table-positions", title, ranked(by_position), r.unit_of(positions), r)
                  .folded();
  }
  if (!pictures.empty()) append(s.body, "<div class=\"maps\">", pictures, "</div>", numbers);
  s.body += detail::patterns(r);
  if (s.body.empty()) {
    s.absent = "There are no effects by head or by position to map in this run.";
  } else {
    s.lede =
        "Rows are layers, from the input at the top to the output at the bottom. Every number is in the "
        "tables.";
    if (by_head > 0 && by_place > 0)
      s.lede += comparable ? " The maps share one colour scale." : " Each map has its own colour scale.";
    if (!r.effects.empty() && !r.root["attention"].items().empty())
      s.lede += " Choose a head's cell to see where it looks.";
  }
  return s;
}

}  // namespace lancet::html
