// SPDX-License-Identifier: Apache-2.0
// A small x-y chart as static SVG: bands, lines, points, reference lines, labels at the lines' ends.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/scale.hpp"

namespace lancet::html {

/// A point, with an interval and a text that is shown on hovering and read aloud.
struct point {
  double x = 0;
  double y = 0;
  double low = NAN;
  double high = NAN;
  std::string text;
};

/// Shapes tell series apart without colour.
enum class shape { circle, ring, square, diamond, triangle };

/// A marker of about `r` units radius around (x, y).
[[nodiscard]] inline markup marker(shape s, double x, double y, double r, std::string_view style,
                                   std::string_view text = {}) {
  markup const title = text.empty() ? markup() : html("<title>", text, "</title>");
  switch (s) {
    case shape::square:
      return html("<rect class=\"", style, "\" x=\"", x - r * 0.9, "\" y=\"", y - r * 0.9, "\" width=\"",
                  1.8 * r, "\" height=\"", 1.8 * r, "\">", title, "</rect>");
    case shape::diamond:
      return html("<path class=\"", style, "\" d=\"M", x, " ", y - 1.3 * r, "l", 1.3 * r, " ", 1.3 * r, "l",
                  -1.3 * r, " ", 1.3 * r, "l", -1.3 * r, " ", -1.3 * r, "z\">", title, "</path>");
    case shape::triangle:
      return html("<path class=\"", style, "\" d=\"M", x, " ", y - 1.2 * r, "l", 1.15 * r, " ", 2.1 * r, "h",
                  -2.3 * r, "z\">", title, "</path>");
    case shape::circle:
    case shape::ring:
      break;
  }
  return html("<circle class=\"", style, "\" cx=\"", x, "\" cy=\"", y, "\" r=\"", r, "\">", title,
              "</circle>");
}

/// An x-y chart under construction. Coordinates given to its members are data values.
class plot {
 public:
  struct options {
    std::string description;  ///< what a screen reader says instead of the picture
    axis x;
    axis y;
    double width = 560;
    double height = 260;
    double right = 24;  ///< room for labels at the lines' ends
  };

  explicit plot(options o)
      : options_(std::move(o)),
        x_{options_.x, left, options_.width - options_.right},
        y_{options_.y, options_.height - bottom, top} {
    grid();
  }

  [[nodiscard]] scale const& x() const { return x_; }
  [[nodiscard]] scale const& y() const { return y_; }
  /// For what the members below do not draw, in the picture's coordinates.
  [[nodiscard]] markup& body() { return body_; }

  /// The area between `low` and `high` of each point.
  void band(std::vector<point> const& points, std::string_view style) {
    std::string there, back;
    for (point const& p : points) {
      if (!std::isfinite(p.low) || !std::isfinite(p.high)) continue;
      there += (there.empty() ? "M" : "L") + at(p.x, p.high);
      back = "L" + at(p.x, p.low) + back;
    }
    if (!there.empty()) append(body_, "<path class=\"band ", style, "\" d=\"", there, back, "z\"></path>");
  }

  /// A line through the points, with markers and, if `label` is not empty, a label at its end.
  void line(std::vector<point> const& points, std::string_view style, shape s, std::string_view label = {}) {
    std::string path;
    point const* last = nullptr;
    for (point const& p : points) {
      if (!std::isfinite(p.y)) continue;
      path += (path.empty() ? "M" : "L") + at(p.x, p.y);
      last = &p;
    }
    if (last == nullptr) return;
    append(body_, "<path class=\"line ", style, "\" d=\"", path, "\"></path>");
    if (points.size() <= 60) markers(points, style, s);
    if (!label.empty())
      ends_.push_back({x_(last->x) + 9, y_(last->y), std::string(label), std::string(style)});
  }

  /// Vertical whiskers from `low` to `high`.
  void whiskers(std::vector<point> const& points, std::string_view style) {
    for (point const& p : points) {
      if (!std::isfinite(p.low) || !std::isfinite(p.high)) continue;
      append(body_, "<path class=\"whisker ", style, "\" d=\"M", x_(p.x), " ", y_(p.low), "V", y_(p.high),
             "\"></path>");
    }
  }

  void markers(std::vector<point> const& points, std::string_view style, shape s, double radius = 3.6) {
    std::string const name = (s == shape::ring ? "ring " : "dot ") + std::string(style);
    for (point const& p : points) {
      if (std::isfinite(p.y)) append(body_, marker(s, x_(p.x), y_(p.y), radius, name, p.text));
    }
  }

  /// A dashed line across the chart at y, with its meaning written on it.
  void horizontal(double y, std::string_view label) {
    if (y < options_.y.low || y > options_.y.high) return;
    append(body_, "<path class=\"mark\" d=\"M", left, " ", y_(y), "H", options_.width - options_.right,
           "\"></path>", "<text class=\"note\" x=\"", left + 6, "\" y=\"", y_(y) - 5, "\">", label,
           "</text>");
  }

  /// A dashed line up the chart at x, with its meaning written at the top.
  void vertical(double x, std::string_view label) {
    if (x < options_.x.low || x > options_.x.high) return;
    bool const flip = x_(x) > options_.width * 0.6;
    append(body_, "<path class=\"mark\" d=\"M", x_(x), " ", top - 14, "V", options_.height - bottom,
           "\"></path>", "<text class=\"note\" x=\"", x_(x) + (flip ? -6 : 6), "\" y=\"", top - 6,
           "\" text-anchor=\"", std::string_view(flip ? "end" : "start"), "\">", label, "</text>");
  }

  /// A dashed line from (from, from) to (to, to), with its meaning beside its end.
  void diagonal(double from, double to, std::string_view label) {
    append(body_, "<path class=\"mark\" d=\"M", x_(from), " ", y_(from), "L", x_(to), " ", y_(to),
           "\"></path>");
    ends_.push_back({x_(to) + 8, y_(to), std::string(label), "random"});
  }

  /// A shaded rectangle: the part of the chart where something holds.
  void region(double x0, double x1, double y0, double y1, std::string_view style) {
    append(body_, "<rect class=\"region ", style, "\" x=\"", x_(x0), "\" y=\"", y_(y1), "\" width=\"",
           std::abs(x_(x1) - x_(x0)), "\" height=\"", std::abs(y_(y0) - y_(y1)), "\"></rect>");
  }

  [[nodiscard]] markup finish() {
    std::stable_sort(ends_.begin(), ends_.end(), [](auto const& a, auto const& b) { return a.y < b.y; });
    double lowest = top - 4;
    for (auto& end : ends_) {
      end.y = std::max(end.y, lowest + 15);
      lowest = end.y;
    }
    double highest = options_.height - bottom + 8;
    for (auto end = ends_.rbegin(); end != ends_.rend(); ++end) {
      end->y = std::min(end->y, highest);
      highest = end->y - 15;
    }
    for (auto const& end : ends_) {
      append(body_, "<text class=\"end ", end.style, "\" x=\"", end.x, "\" y=\"", end.y + 4, "\">", end.text,
             "</text>");
    }
    return html("<svg class=\"plot\" role=\"img\" aria-label=\"", options_.description, "\" viewBox=\"0 0 ",
                options_.width, " ", options_.height, "\">", body_, "</svg>");
  }

  static constexpr double left = 56;
  static constexpr double top = 34;
  static constexpr double bottom = 42;

 private:
  struct end_label {
    double x;
    double y;
    std::string text;
    std::string style;
  };

  [[nodiscard]] std::string at(double x, double y) const { return html(x_(x), " ", y_(y)).str(); }

  void grid() {
    double const base = options_.height - bottom;
    double const right = options_.width - options_.right;
    append(body_, "<text class=\"axis-title\" x=\"4\" y=\"14\">", options_.y.title, "</text>");
    auto const rows = ticks(options_.y, 4);
    int const row_decimals = tick_decimals(rows, options_.y.style);
    for (double const y : rows) {
      append(body_, "<path class=\"grid\" d=\"M", left, " ", y_(y), "H", right,
             "\"></path><text class=\"tick\" x=\"", left - 8, "\" y=\"", y_(y) + 4, "\" text-anchor=\"end\">",
             tick_text(y, options_.y, row_decimals), "</text>");
    }
    append(body_, "<path class=\"baseline\" d=\"M", left, " ", base, "H", right, "\"></path>");
    auto const columns = ticks(options_.x, 7);
    int const column_decimals = tick_decimals(columns, options_.x.style);
    for (double const x : columns) {
      append(body_, "<path class=\"baseline\" d=\"M", x_(x), " ", base,
             "v4\"></path><text class=\"tick\" x=\"", x_(x), "\" y=\"", base + 18,
             "\" text-anchor=\"middle\">", tick_text(x, options_.x, column_decimals), "</text>");
    }
    append(body_, "<text class=\"axis-title\" x=\"", right, "\" y=\"", options_.height - 6,
           "\" text-anchor=\"end\">", options_.x.title, "</text>");
  }

  options options_;
  scale x_;
  scale y_;
  markup body_;
  std::vector<end_label> ends_;
};

}  // namespace lancet::html
