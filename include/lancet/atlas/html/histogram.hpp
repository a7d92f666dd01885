// SPDX-License-Identifier: Apache-2.0
// Two distributions on one axis, one standing and one hanging, so that neither hides the other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/scale.hpp"

namespace lancet::html {

[[nodiscard]] inline double mean_of(std::vector<double> const& x) {
  return x.empty() ? 0 : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

/// `before` stands on the middle line, `after` hangs from it; both share their bins. Means are marked.
[[nodiscard]] inline markup mirrored_histogram(std::vector<double> const& before,
                                               std::vector<double> const& after, std::string_view title,
                                               std::string_view description) {
  constexpr double width = 440, height = 280, left = 12, right = 12, middle = 132, tall = 88;
  extent range;
  for (double const x : before) range.add(x);
  for (double const x : after) range.add(x);
  range = range.padded(0.04);
  std::size_t const bins = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::sqrt(static_cast<double>(before.size())) * 2.2), 8, 32);
  auto const counted = [&](std::vector<double> const& values) {
    std::vector<std::size_t> out(bins, 0);
    for (double const x : values) {
      double const at = (x - range.low) / (range.high - range.low) * static_cast<double>(bins);
      ++out[std::min(bins - 1, static_cast<std::size_t>(std::max(0.0, at)))];
    }
    return out;
  };
  auto const above = counted(before), below = counted(after);
  std::size_t const most = std::max({std::size_t{1}, *std::max_element(above.begin(), above.end()),
                                     *std::max_element(below.begin(), below.end())});
  scale const x{{std::string(title), range.low, range.high}, left, width - right};
  markup out = html("<svg class=\"plot\" role=\"img\" aria-label=\"", description, "\" viewBox=\"0 0 ", width,
                    " ", height, "\">");
  double const w = (width - left - right) / static_cast<double>(bins);
  auto const draw = [&](std::vector<std::size_t> const& counts, std::string_view style, bool up) {
    for (std::size_t i = 0; i < bins; ++i) {
      if (counts[i] == 0) continue;
      double const h = tall * static_cast<double>(counts[i]) / static_cast<double>(most);
      append(out, "<rect class=\"", style, "\" x=\"", left + w * static_cast<double>(i) + 0.75, "\" y=\"",
             up ? middle - h : middle, "\" width=\"", w - 1.5, "\" height=\"", h, "\"><title>",
             plural(static_cast<std::int64_t>(counts[i]), "example", "examples"), " from ",
             short_number(range.low +
                          (range.high - range.low) * static_cast<double>(i) / static_cast<double>(bins)),
             " to ",
             short_number(range.low +
                          (range.high - range.low) * static_cast<double>(i + 1) / static_cast<double>(bins)),
             "</title></rect>");
    }
  };
  draw(above, "bar before", true);
  draw(below, "bar after", false);
  append(out, "<path class=\"baseline\" d=\"M", left, " ", middle, "H", width - right, "\"></path>");
  if (range.low < 0 && range.high > 0) {
    append(out, "<path class=\"mark\" d=\"M", x(0), " 30V", middle + tall + 8, "\"></path>");
  }
  auto const mean = [&](std::vector<double> const& values, double from, double to, double text,
                        std::string_view name) {
    double const at = mean_of(values);
    bool const flip = x(at) > width * 0.62;
    append(out, "<path class=\"mean\" d=\"M", x(at), " ", from, "V", to,
           "\"></path><text class=\"note strong\" x=\"", x(at) + (flip ? -6 : 6), "\" y=\"", text,
           "\" text-anchor=\"", std::string_view(flip ? "end" : "start"), "\">", name, ": mean ",
           short_number(at), "</text>");
  };
  mean(before, 26, middle, 34, "Before");
  mean(after, middle, middle + tall + 14, middle + tall + 14, "After");
  auto const at = ticks(x.of, 7);
  int const decimals = tick_decimals(at, x.of.style);
  for (double const t : at) {
    append(out, "<text class=\"tick\" x=\"", x(t), "\" y=\"", height - 28, "\" text-anchor=\"middle\">",
           tick_text(t, x.of, decimals), "</text>");
  }
  append(out, "<text class=\"axis-title\" x=\"", width - right, "\" y=\"", height - 6,
         "\" text-anchor=\"end\">", title, "</text></svg>");
  return out;
}

}  // namespace lancet::html
