// SPDX-License-Identifier: Apache-2.0
// One scanner for each family of tokenizer patterns; each returns the end of the piece that begins at `at`.
#pragma once

#include <cstddef>
#include <string_view>

#include "lancet/io/detail/scan.hpp"

namespace lancet::detail {

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
  if (c.number()) return scan_digits(text, at, numbers);
  if (!c.newline() && scan_at(text, at + c.size).letter()) return letters(at + c.size);
  std::size_t const begin = c.code == U' ' ? at + 1 : at;
  if (scan_at(text, begin).remaining()) {
    auto const end = scan_run(text, begin, [](scan_char d) { return d.remaining(); });
    return scan_run(text, end, [](scan_char d) { return d.newline(); });
  }
  return scan_space(text, at, true);
}

/// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+, else the same with + and *; `from` where
/// neither matches. `lower_needed` leaves the second out.
[[nodiscard]] inline std::size_t scan_cased_word(std::string_view text, std::size_t from,
                                                 bool lower_needed) noexcept {
  std::size_t end = from;
  std::size_t after_both = from;  // behind the last character that is in both classes
  auto c = scan_at(text, end);
  for (; c.letter() || c.kind == char_class::mark; c = scan_at(text, end)) {
    if (c.kind == char_class::lower) {
      return scan_run(text, end, [](scan_char d) {
        return d.kind == char_class::lower || d.kind == char_class::letter || d.kind == char_class::mark;
      });
    }
    end += c.size;
    if (c.kind != char_class::upper) after_both = end;
  }
  // No lower case follows: the second class has to take what it can from the run.
  if (after_both > from) return after_both;
  return lower_needed ? from : end;
}

/// The families gpt4o and tekken: words end before a capital letter that follows a small one.
[[nodiscard]] inline std::size_t scan_gpt4o(std::string_view text, std::size_t at, std::size_t numbers,
                                            bool contractions) noexcept {
  auto const c = scan_at(text, at);
  if (c.number()) return scan_digits(text, at, numbers);
  // With one other character before it, else without: a mark can be that character or begin the word.
  auto const word = [&](bool lower_needed) {
    auto const begin = at + c.size;
    if (!c.letter() && !c.newline()) {
      if (auto const end = scan_cased_word(text, begin, lower_needed); end > begin) return end;
    }
    return scan_cased_word(text, at, lower_needed);
  };
  for (bool const lower_needed : {true, false}) {
    if (auto const end = word(lower_needed); end > at)
      return contractions ? scan_contraction(text, end, true) : end;
  }
  std::size_t const begin = c.code == U' ' ? at + 1 : at;
  if (scan_at(text, begin).remaining()) {
    auto const end = scan_run(text, begin, [](scan_char d) { return d.remaining(); });
    return scan_run(text, end, [](scan_char d) { return d.newline() || d.code == U'/'; });
  }
  return scan_space(text, at, true);
}

/// [一-龥぀-ゟ゠-ヿ]+ and what lies between.
[[nodiscard]] inline std::size_t scan_cjk(std::string_view text, std::size_t at) noexcept {
  auto const cjk = [](scan_char c) {
    return (c.code >= 0x4e00 && c.code <= 0x9fa5) || (c.code >= 0x3040 && c.code <= 0x30ff);
  };
  if (cjk(scan_at(text, at))) return scan_run(text, at, cjk);
  return scan_run(text, at, [&](scan_char c) { return !cjk(c); });
}

/// A match of the family deepseek3 at `at`, or `at`: this pattern leaves gaps (digits, control characters).
[[nodiscard]] inline std::size_t match_deepseek3(std::string_view text, std::size_t at) noexcept {
  auto const ascii_letter = [](scan_char c) { return (c.code | 0x20u) - U'a' < 26u; };
  auto const word = [](scan_char c) { return c.letter() || c.kind == char_class::mark; };
  auto const sign = [](scan_char c) {
    return c.kind == char_class::punctuation || c.kind == char_class::symbol;
  };
  auto const c = scan_at(text, at);
  if (c.code < 0x80 && sign(c) && ascii_letter(scan_at(text, at + 1)))
    return scan_run(text, at + 1, ascii_letter);
  if (!c.newline() && !c.letter() && !sign(c) && word(scan_at(text, at + c.size))) {
    return scan_run(text, at + c.size, word);
  }
  if (word(c)) return scan_run(text, at, word);
  std::size_t const begin = c.code == U' ' ? at + 1 : at;
  if (sign(scan_at(text, begin))) {
    return scan_run(text, scan_run(text, begin, sign), [](scan_char d) { return d.newline(); });
  }
  return c.space() ? scan_space(text, at, true) : at;
}

[[nodiscard]] inline std::size_t scan_deepseek3(std::string_view text, std::size_t at) noexcept {
  if (auto const end = match_deepseek3(text, at); end > at) return end;
  do {
    at += scan_at(text, at).size;
  } while (at < text.size() && match_deepseek3(text, at) == at);
  return at;
}

}  // namespace lancet::detail
