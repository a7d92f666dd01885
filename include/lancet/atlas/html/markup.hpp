// SPDX-License-Identifier: Apache-2.0
// A piece of HTML that is safe by construction: string literals are markup, every other string is escaped.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/atlas/html/escape.hpp"

namespace lancet::html {

/// HTML text. The only ways into it are literals of the program, escaped strings, numbers, and other markup.
class markup {
 public:
  markup() = default;

  /// A literal of the program is trusted.
  template <std::size_t N>
  markup(char const (&literal)[N]) : text_(literal, N - 1) {}  // NOLINT: implicit on purpose

  [[nodiscard]] std::string const& str() const& { return text_; }
  [[nodiscard]] std::string str() && { return std::move(text_); }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  template <std::size_t N>
  void add(char const (&literal)[N]) {
    text_.append(literal, N - 1);
  }
  void add(markup const& other) { text_ += other.text_; }
  void add(std::string_view text) { escape_into(text_, text); }
  void add(std::integral auto number) { text_ += std::to_string(number); }

  /// A coordinate: at most two decimals, locale-independent; a number that is not finite is written as 0.
  void add(std::floating_point auto number) {
    double const rounded = std::isfinite(number) ? std::round(static_cast<double>(number) * 100) / 100 : 0.0;
    char buffer[32];
    auto const end = std::to_chars(buffer, buffer + sizeof buffer, rounded == 0 ? 0.0 : rounded).ptr;
    text_.append(buffer, end);
  }

  markup& operator+=(markup const& other) {
    add(other);
    return *this;
  }

 private:
  std::string text_;
};

/// The parts one after the other: `html("<td title=\"", hostile, "\">", 3, "</td>")`.
template <class... Parts>
[[nodiscard]] markup html(Parts const&... parts) {
  markup out;
  (out.add(parts), ...);
  return out;
}

/// Appends the parts to `out`.
template <class... Parts>
void append(markup& out, Parts const&... parts) {
  (out.add(parts), ...);
}

}  // namespace lancet::html
