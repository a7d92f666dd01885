// SPDX-License-Identifier: Apache-2.0
// Numbers as a reader wants them: few digits, true minus signs, units, and the same text in every locale.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

namespace lancet::html {

namespace detail {
/// "-" as U+2212, so that columns of signed numbers line up.
[[nodiscard]] inline std::string with_true_minus(std::string text) {
  return !text.empty() && text[0] == '-' ? "−" + text.substr(1) : text;
}
[[nodiscard]] inline std::string to_decimals(double x, int decimals) {
  char buffer[400];
  auto const end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::fixed, decimals).ptr;
  std::string text(buffer, end);
  bool const zero = text.find_first_of("123456789") == std::string::npos;
  return zero && text[0] == '-' ? text.substr(1) : text;
}
[[nodiscard]] inline std::string superscript(int n) {
  constexpr std::string_view digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = n < 0 ? "⁻" : "";
  for (char const c : std::to_string(std::abs(n))) out += digits[c - '0'];
  return out;
}
/// a × 10ⁿ with one decimal.
[[nodiscard]] inline std::string power_of_ten(double x) {
  int exponent = static_cast<int>(std::floor(std::log10(std::abs(x))));
  double mantissa = x / std::pow(10.0, exponent);
  if (std::abs(mantissa) >= 9.95) mantissa /= 10, ++exponent;
  return with_true_minus(to_decimals(mantissa, 1)) + " × 10" + superscript(exponent);
}
}  // namespace detail

/// Fixed decimals: −0.14.
[[nodiscard]] inline std::string fixed(double x, int decimals) {
  if (!std::isfinite(x)) return std::isnan(x) ? "not a number" : x > 0 ? "∞" : "−∞";
  if (std::abs(x) >= 1e15) return detail::power_of_ten(x);
  return detail::with_true_minus(detail::to_decimals(x, decimals));
}

/// Three significant digits: 0.0123, 1.23, 123, 4.5 × 10⁻⁷.
[[nodiscard]] inline std::string short_number(double x, int digits = 3) {
  if (!std::isfinite(x) || x == 0) return fixed(x, 0);
  double const size = std::abs(x);
  if (size >= 1e6 || size < 1e-4) return detail::power_of_ten(x);
  int const whole = static_cast<int>(std::floor(std::log10(size))) + 1;
  return fixed(x, std::max(0, digits - whole));
}

/// With an explicit sign: +0.31, −0.02.
[[nodiscard]] inline std::string signed_number(double x, int decimals = 3) {
  std::string const text = fixed(x, decimals);
  bool const zero = text.find_first_of("123456789") == std::string::npos;
  return x > 0 && !zero ? "+" + text : text;
}

/// A share as per cent: 0.824 is 82.4%.
[[nodiscard]] inline std::string percent(double share, int decimals = 1) {
  return fixed(100 * share, decimals) + "%";
}

/// A relative change as per cent, signed. Changes too small for the decimals keep two significant digits.
[[nodiscard]] inline std::string change_percent(double change, int decimals = 1) {
  double const points = 100 * change;
  int shown = decimals;
  while (points != 0 && shown < 4 && std::abs(points) < std::pow(10.0, -shown)) ++shown;
  return signed_number(points, shown) + "%";
}

/// A p value without its "p": "0.032", "3.1 × 10⁻¹²", "< 10⁻³⁰⁰".
[[nodiscard]] inline std::string p_value(double p) {
  if (p <= 0) return "< 10" + detail::superscript(-300);
  return p < 1e-3 ? detail::power_of_ten(p) : fixed(p, p < 0.1 ? 3 : 2);
}

/// The same as an equation: "p = 0.032", "p < 10⁻³⁰⁰".
[[nodiscard]] inline std::string p_text(double p) { return (p <= 0 ? "p " : "p = ") + p_value(p); }

/// An integer with thousands separated: 134,515,008.
[[nodiscard]] inline std::string count(std::int64_t n) {
  std::string digits = std::to_string(n);
  std::string const sign = digits[0] == '-' ? "−" : "";
  if (!sign.empty()) digits.erase(0, 1);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return sign + digits;
}

/// The nearest integer to a number of any size.
[[nodiscard]] inline std::string whole_number(double x) {
  return std::abs(x) < 1e15 ? count(std::llround(x)) : short_number(x);
}

/// "1 unit", "3 units".
[[nodiscard]] inline std::string plural(std::int64_t n, std::string_view one, std::string_view many) {
  return count(n) + " " + std::string(n == 1 ? one : many);
}

/// Bytes in binary units: 1.30 GiB.
[[nodiscard]] inline std::string bytes(double n) {
  constexpr char const* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  for (; n >= 1024 && unit + 1 < std::size(units); ++unit) n /= 1024;
  return (unit == 0 ? fixed(n, 0) : short_number(n)) + " " + units[unit];
}

/// A duration: 0.42 s, 71 s, 5 min 10 s, 2 h 5 min.
[[nodiscard]] inline std::string duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e12) return short_number(seconds) + " s";
  if (seconds < 100) return short_number(seconds, seconds < 10 ? 2 : 3) + " s";
  auto const whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return count(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

}  // namespace lancet::html
