// SPDX-License-Identifier: Apache-2.0
// What the scanners of tokenizer patterns share: a cursor, runs of characters, white space, contractions,
// digits.
#pragma once

#include <cstddef>
#include <string_view>

#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet::detail {

/// A cursor over text. Past the end, and only there, `size` is 0. An ill-formed part counts as one character
/// `other`.
struct scan_char {
  char32_t code = 0;
  std::size_t size = 0;
  char_class kind = char_class::other;

  [[nodiscard]] bool none() const noexcept { return size == 0; }
  [[nodiscard]] bool letter() const noexcept { return is_letter(kind); }
  [[nodiscard]] bool number() const noexcept { return kind == char_class::number; }
  [[nodiscard]] bool space() const noexcept { return kind == char_class::space; }
  [[nodiscard]] bool newline() const noexcept { return code == U'\r' || code == U'\n'; }
  /// [^\s\p{L}\p{N}]
  [[nodiscard]] bool remaining() const noexcept { return !none() && !letter() && !number() && !space(); }
};

[[nodiscard]] inline scan_char scan_at(std::string_view text, std::size_t at) noexcept {
  if (at >= text.size()) return {};
  auto const c = read_utf8(text, at);
  return {c.code, c.size, c.valid ? classify(c.code) : char_class::other};
}

/// The end of the run of characters from `at` on that satisfy `wanted`, of at most `most` characters.
template <typename Predicate>
[[nodiscard]] std::size_t scan_run(std::string_view text, std::size_t at, Predicate wanted,
                                   std::size_t most = static_cast<std::size_t>(-1)) {
  for (auto c = scan_at(text, at); most > 0 && !c.none() && wanted(c); --most)
    c = scan_at(text, at += c.size);
  return at;
}

/// \s+(?!\S)|\s+ at a white-space character: the run, less its last character where something follows and
/// more than one is there. With `newlines`, \s*[\r\n]+ is tried before: the run up to its last line break.
[[nodiscard]] inline std::size_t scan_space(std::string_view text, std::size_t at, bool newlines) noexcept {
  std::size_t end = at;
  std::size_t last = at;           // where the last character begins
  std::size_t after_newline = at;  // where the last line break ends
  for (auto c = scan_at(text, at); c.space(); c = scan_at(text, end)) {
    last = end;
    end += c.size;
    if (c.newline()) after_newline = end;
  }
  if (newlines && after_newline > at) return after_newline;
  return end == text.size() || last == at ? end : last;
}

/// 's|'t|'re|'ve|'m|'ll|'d at an apostrophe: the end, or `at` where there is none. Ignoring case, U+017F
/// (long s) is an s too.
[[nodiscard]] inline std::size_t scan_contraction(std::string_view text, std::size_t at,
                                                  bool ignore_case) noexcept {
  auto const letter = [&](std::size_t i) -> char {
    if (i >= text.size()) return '\0';
    char const c = text[i];
    return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  if (letter(at) != '\'') return at;
  char const a = letter(at + 1);
  char const b = letter(at + 2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
  if (ignore_case && text.substr(at + 1, 2) == "\u017f") return at + 3;
  return at;
}

/// \p{N}{1,most} and what lies between.
[[nodiscard]] inline std::size_t scan_digits(std::string_view text, std::size_t at,
                                             std::size_t most) noexcept {
  auto const number = [](scan_char d) { return d.number(); };
  if (scan_at(text, at).number()) return scan_run(text, at, number, most);
  return scan_run(text, at, [](scan_char d) { return !d.number(); });
}

}  // namespace lancet::detail
