// SPDX-License-Identifier: Apache-2.0
// Signed horizontal bars from zero with intervals as whiskers.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/scale.hpp"

namespace lancet::html {

/// One bar. `kept` is false for what the false discovery control rejects: such bars are grey and hollow.
struct bar {
  std::string label;
  double value = 0;
  double low = NAN;
  double high = NAN;
  bool kept = true;
  bool marked = false;  ///< a dot before the label: member of the circuit
  std::string text;     ///< shown on hovering
};

/// The chart; `title` names the axis and its unit.
[[nodiscard]] inline markup bar_chart(std::vector<bar> const& bars, std::string_view title,
                                      std::string_view description) {
  constexpr double width = 760, left = 172, right = 40, name = 15, number = 154, top = 34, row = 23;
  extent range;
  range.add(0);
  for (bar const& b : bars) range.add(b.value), range.add(b.low), range.add(b.high);
  range = range.padded(0.03);
  scale const x{{std::string(title), range.low, range.high}, left, width - right};
  double const bottom = top + row * static_cast<double>(bars.size());
  markup out =
      html("<svg class=\"plot bars\" role=\"img\" aria-label=\"", description, "\" viewBox=\"0 0 ", width,
           " ", bottom + 12, "\"><text class=\"axis-title\" x=\"", left, "\" y=\"10\">", title, "</text>");
  auto const at = ticks(x.of, 7);
  int const decimals = tick_decimals(at, x.of.style);
  for (double const t : at) {
    append(out, "<path class=\"grid\" d=\"M", x(t), " ", top - 4, "V", bottom,
           "\"></path><text class=\"tick\" x=\"", x(t), "\" y=\"", top - 9, "\" text-anchor=\"middle\">",
           tick_text(t, x.of, decimals), "</text>");
  }
  append(out, "<path class=\"baseline\" d=\"M", x(0), " ", top - 4, "V", bottom, "\"></path>");
  double y = top;
  for (bar const& b : bars) {
    std::string_view const style = !b.kept ? "dim" : b.value < 0 ? "neg" : "pos";
    double const middle = y + row / 2;
    append(out, "<g><title>", b.text, "</title>",
           b.marked ? html("<text x=\"0\" y=\"", middle + 4, "\">●</text>") : markup(), "<text class=\"name",
           b.marked ? markup(" strong") : markup(), "\" x=\"", name, "\" y=\"", middle + 4, "\">", b.label,
           "</text><rect class=\"bar ", style, "\" x=\"", std::min(x(0), x(b.value)), "\" y=\"", y + 4,
           "\" width=\"", std::max(0.5, std::abs(x(b.value) - x(0))), "\" height=\"", row - 8,
           "\" rx=\"1.5\"></rect>");
    if (std::isfinite(b.low) && std::isfinite(b.high)) {
      append(out, "<path class=\"whisker\" d=\"M", x(b.low), " ", middle, "H", x(b.high), "M", x(b.low), " ",
             middle - 4, "v8M", x(b.high), " ", middle - 4, "v8\"></path>");
    }
    append(out, "<text class=\"value\" x=\"", number, "\" y=\"", middle + 4, "\" text-anchor=\"end\">",
           signed_number(b.value), "</text>");
    if (!b.kept) {
      double const end = std::max({x(0), x(b.value), std::isfinite(b.high) ? x(b.high) : 0.0});
      append(out, "<text class=\"note\" x=\"", end + 7, "\" y=\"", middle + 4, "\">n.s.</text>");
    }
    out += "</g>";
    y += row;
  }
  out += "</svg>";
  return out;
}

}  // namespace lancet::html
