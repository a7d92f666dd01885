// SPDX-License-Identifier: Apache-2.0
// A grid of signed values on a diverging scale centred at zero, with numbers in the cells where they fit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/number.hpp"

namespace lancet::html {

/// A cell: grid place, value, and the sentence shown on hovering or choosing it.
struct heat_cell {
  std::size_t row = 0;
  std::size_t column = 0;
  double value = 0;
  bool kept = true;     ///< survives the false discovery control
  bool marked = false;  ///< member of the circuit: outlined
  std::string text;
  std::string head = {};  ///< "26.2" where it stands for that head: the page's script shows where it looks
};

/// The grid's names. `largest` is the absolute value of the full colour, shared by maps that are compared.
struct heat_map_options {
  std::string description;
  std::string row_title;
  std::string column_title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  double largest = 1;
  std::string unit;        ///< written under the colour scale
  bool one_sided = false;  ///< values from 0 up only: attention patterns
  double cell_width = 0;   ///< 0: chosen by the number of columns
};

/// The map. Colour is the page's blue or orange at an opacity of |value| / largest, so that 0 is the page
/// itself in light and in dark. Where numbers do not fit, negative cells carry a stroke, so that sign never
/// rests on colour.
[[nodiscard]] inline markup heat_map(std::vector<heat_cell> const& cells, heat_map_options const& o) {
  double const columns = static_cast<double>(o.columns.size());
  double const w = o.cell_width > 0 ? o.cell_width : std::clamp(640 / std::max(columns, 1.0), 11.0, 46.0);
  double const h = o.cell_width > 0 ? o.cell_width : std::clamp(w * 0.5, 11.0, 19.0);
  std::size_t longest = 2;
  for (std::string const& name : o.rows) longest = std::max(longest, name.size());
  double const left = 16 + 7.2 * static_cast<double>(std::min<std::size_t>(longest, 14));
  bool const slanted = std::any_of(o.columns.begin(), o.columns.end(), [&](std::string const& s) {
    return 7.2 * static_cast<double>(s.size()) > w + 4;
  });
  constexpr double top = 28;
  double const grid_width = w * columns, grid_height = h * static_cast<double>(o.rows.size());
  double const below = slanted ? 62 : 22;
  double const scale_end = left + 190 + 6.6 * static_cast<double>(o.unit.size());
  double const width = std::max(left + grid_width + 12, scale_end), legend = top + grid_height + below + 12;
  double const full = o.largest > 0 ? o.largest : 1;

  markup out = html("<svg class=\"heat\" role=\"group\" aria-label=\"", o.description, "\" viewBox=\"0 0 ",
                    width, " ", legend + 30, "\" width=\"", width, "\" height=\"", legend + 30,
                    "\"><text class=\"axis-title\" x=\"", left - 8, "\" y=\"14\" text-anchor=\"start\">",
                    o.row_title, " ↓  ", o.column_title, " →</text><rect class=\"frame\" x=\"", left,
                    "\" y=\"", top, "\" width=\"", grid_width, "\" height=\"", grid_height, "\"></rect>");
  std::size_t const every_row = h < 13 ? 2 : 1;
  for (std::size_t i = 0; i < o.rows.size(); i += every_row) {
    append(out, "<text class=\"tick\" x=\"", left - 8, "\" y=\"",
           top + h * (static_cast<double>(i) + 0.5) + 4, "\" text-anchor=\"end\">", shorten(o.rows[i], 14),
           "</text>");
  }
  std::size_t const every_column = !slanted && w < 18 ? 2 : 1;
  for (std::size_t i = 0; i < o.columns.size(); i += every_column) {
    double const x = left + w * (static_cast<double>(i) + 0.5), y = top + grid_height + (slanted ? 12 : 16);
    if (slanted) {
      append(out, "<text class=\"tick\" transform=\"translate(", x + 4, " ", y,
             ") rotate(-45)\" text-anchor=\"end\">", shorten(o.columns[i], 12), "</text>");
    } else {
      append(out, "<text class=\"tick\" x=\"", x, "\" y=\"", y, "\" text-anchor=\"middle\">", o.columns[i],
             "</text>");
    }
  }
  bool const numbers = w >= 38 && !o.one_sided;
  for (heat_cell const& c : cells) {
    double const x = left + w * static_cast<double>(c.column), y = top + h * static_cast<double>(c.row);
    double const strength = std::min(1.0, std::abs(c.value) / full);
    append(out, "<g class=\"cell", c.marked ? markup(" in") : markup(), c.kept ? markup() : markup(" weak"),
           "\" data-x=\"", c.column, "\" data-y=\"", c.row,
           c.head.empty() ? markup() : html("\" data-head=\"", c.head), "\"><title>", c.text,
           "</title><rect class=\"", std::string_view(c.value < 0 ? "neg" : "pos"), "\" fill-opacity=\"",
           strength, "\" x=\"", x + 0.5, "\" y=\"", y + 0.5, "\" width=\"", w - 1, "\" height=\"", h - 1,
           "\"></rect>");
    if (numbers && strength >= 0.06) {
      append(out, "<text class=\"", std::string_view(strength > 0.78 ? "on" : "off"), "\" x=\"", x + w / 2,
             "\" y=\"", y + h / 2 + 3.5, "\" text-anchor=\"middle\">",
             signed_number(c.value, full >= 10 ? 1 : 2), "</text>");
    } else if (!numbers && c.value < 0 && strength >= 0.06) {
      append(out, "<path class=\"minus", strength > 0.78 ? markup(" on") : markup(), "\" d=\"M",
             x + w / 2 - 2.5, " ", y + h / 2, "h5\"></path>");
    }
    out += "</g>";
  }
  constexpr int steps = 20;
  constexpr double step = 9;
  int const first = o.one_sided ? 0 : -steps / 2;
  int const last = o.one_sided ? steps : steps / 2;
  double const span = static_cast<double>(last - first);
  for (int i = first; i < last; ++i) {
    double const middle = (i + 0.5) / (o.one_sided ? steps : steps / 2.0);
    append(out, "<rect class=\"", std::string_view(middle < 0 ? "neg" : "pos"), "\" fill-opacity=\"",
           std::abs(middle), "\" x=\"", left + step * (i - first), "\" y=\"", legend, "\" width=\"", step,
           "\" height=\"8\"></rect>");
  }
  append(out, "<text class=\"tick\" x=\"", left, "\" y=\"", legend + 22, "\">",
         short_number(o.one_sided ? 0 : -full), "</text><text class=\"tick\" x=\"", left + step * span,
         "\" y=\"", legend + 22, "\" text-anchor=\"end\">", o.one_sided ? std::string() : std::string("+"),
         short_number(full), "</text>");
  if (!o.one_sided) {
    append(out, "<text class=\"tick\" x=\"", left + step * span / 2, "\" y=\"", legend + 22,
           "\" text-anchor=\"middle\">0</text>");
  }
  append(out, "<text class=\"tick\" x=\"", left + step * span + 10, "\" y=\"", legend + 8, "\">", o.unit,
         "</text></svg>");
  return out;
}

}  // namespace lancet::html
