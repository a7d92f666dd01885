// SPDX-License-Identifier: Apache-2.0
// Cutting text into the words that byte-pair merges never cross: scanners for the known families of patterns.
#pragma once

#include <cstddef>
#include <string_view>

#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet {

/// How a text is cut. Each rule cuts without a gap: the pieces add up to the text.
enum class split_rule {
  gpt2,    ///< 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  llama3,  ///< (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
           ///< \s*[\r\n]+|\s+(?!\S)|\s+
  qwen2,   ///< llama3 with \p{N} in place of \p{N}{1,3}
  digits,  ///< each \p{N} on its own
  digit_runs,    ///< \p{N}+
  digit_triples  ///< \p{N}{1,3}
};

namespace detail {

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

[[nodiscard]] inline std::size_t scan_gpt2(std::string_view text, std::size_t at) noexcept {
  if (auto const end = scan_contraction(text, at, false); end > at) return end;
  std::size_t const begin = text[at] == ' ' ? at + 1 : at;
  auto const c = scan_at(text, begin);
  if (c.letter()) return scan_run(text, begin, [](scan_char d) { return d.letter(); });
  if (c.number()) return scan_run(text, begin, [](scan_char d) { return d.number(); });
  if (c.remaining()) return scan_run(text, begin, [](scan_char d) { return d.remaining(); });
  return scan_space(text, at, false);
}

/// The families llama3 (`numbers` = 3) and qwen2 (1).
[[nodiscard]] inline std::size_t scan_llama3(std::string_view text, std::size_t at,
                                             std::size_t numbers) noexcept {
  auto const letters = [&](std::size_t from) {
    return scan_run(text, from, [](scan_char d) { return d.letter(); });
  };
  if (auto const end = scan_contraction(text, at, true); end > at) return end;
  auto const c = scan_at(text, at);
  if (c.letter()) return letters(at);
  if (c.number())
    return scan_run(
        text, at, [](scan_char d) { return d.number(); }, numbers);
  if (!c.newline() && scan_at(text, at + c.size).letter()) return letters(at + c.size);
  std::size_t const begin = c.code == U' ' ? at + 1 : at;
  if (scan_at(text, begin).remaining()) {
    auto const end = scan_run(text, begin, [](scan_char d) { return d.remaining(); });
    return scan_run(text, end, [](scan_char d) { return d.newline(); });
  }
  return scan_space(text, at, true);
}

/// \p{N}{1,most} and what lies between.
[[nodiscard]] inline std::size_t scan_digits(std::string_view text, std::size_t at,
                                             std::size_t most) noexcept {
  if (scan_at(text, at).number())
    return scan_run(
        text, at, [](scan_char d) { return d.number(); }, most);
  return scan_run(text, at, [](scan_char d) { return !d.number(); });
}

}  // namespace detail

/// The end of the piece of `text` that begins at byte `at`. Precondition: at < text.size(), and `at` begins a
/// piece. Text may be ill-formed UTF-8. No recursion; linear in the text over all its pieces.
[[nodiscard]] inline std::size_t piece_end(split_rule rule, std::string_view text, std::size_t at) noexcept {
  switch (rule) {
    case split_rule::gpt2:
      return detail::scan_gpt2(text, at);
    case split_rule::llama3:
      return detail::scan_llama3(text, at, 3);
    case split_rule::qwen2:
      return detail::scan_llama3(text, at, 1);
    case split_rule::digits:
      return detail::scan_digits(text, at, 1);
    case split_rule::digit_runs:
      return detail::scan_digits(text, at, static_cast<std::size_t>(-1));
    case split_rule::digit_triples:
      return detail::scan_digits(text, at, 3);
  }
  return text.size();
}

}  // namespace lancet
