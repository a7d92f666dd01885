// SPDX-License-Identifier: Apache-2.0
// The text normalisation of BERT (Devlin et al. 2019): controls out, spaces around Chinese characters,
// accents off, lower case.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "lancet/io/detail/bert_tables.hpp"
#include "lancet/io/nfc.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet {

/// Which parts of it a model has; in this order.
struct bert_normalizer {
  bool clean_text = true;            ///< control characters and U+FFFD go, each white space becomes a space
  bool space_around_chinese = true;  ///< each ideograph becomes a word
  bool strip_accents = true;         ///< decomposed (form D), without nonspacing marks
  bool lower_case = true;
};

namespace detail {

/// What BERT asks of a character, by the older Unicode that its reference implementation has.
enum class bert_class : std::uint8_t { other, control, nonspacing_mark, punctuation };

[[nodiscard]] inline bert_class bert_class_of(char32_t code) noexcept {
  if (code > 0x10ffff) return bert_class::other;
  auto const* const after = std::upper_bound(std::begin(bert_ranges), std::end(bert_ranges),
                                             static_cast<std::uint32_t>(code) << 2 | 3u);
  return static_cast<bert_class>(*(after - 1) & 3u);
}

/// As the reference implementation has the ranges.
[[nodiscard]] constexpr bool is_chinese(char32_t c) noexcept {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x2f800 && c <= 0x2fa1f);
}

/// The lower-case form of a character (the one that has two, U+0130, is not looked at here).
[[nodiscard]] inline char32_t lower_case(char32_t code) noexcept {
  auto const* const after =
      std::upper_bound(std::begin(lower_case_runs), std::end(lower_case_runs),
                       static_cast<std::uint64_t>(code) << 43 | ((std::uint64_t{1} << 43) - 1));
  if (after == std::begin(lower_case_runs)) return code;
  auto const run = *(after - 1);
  auto const offset = code - static_cast<char32_t>(run >> 43);
  bool const every_second = (run >> 21 & 1) != 0;
  if (code > static_cast<char32_t>(run >> 22 & 0x1fffff) || (every_second && offset % 2 != 0)) return code;
  return static_cast<char32_t>(run & 0x1fffff) + offset;
}

[[nodiscard]] inline bool is_space(char32_t code) noexcept { return classify(code) == char_class::space; }

/// `text` with each character replaced by what `change(out, code)` adds to `out`. Ill-formed parts count as
/// U+FFFD.
template <typename Change>
[[nodiscard]] std::string map_characters(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    change(out, c.code);
    at += c.size;
  }
  return out;
}

}  // namespace detail

/// `text` in lower case, character by character.
[[nodiscard]] inline std::string to_lower_case(std::string_view text) {
  return detail::map_characters(text, [](std::string& out, char32_t code) {
    if (code == 0x130)
      out += "i\xcc\x87";
    else
      append_utf8(out, detail::lower_case(code));
  });
}

/// `text` as BERT's vocabularies expect it.
[[nodiscard]] inline std::string normalize(bert_normalizer const& options, std::string_view text) {
  using detail::bert_class;
  auto out = detail::map_characters(text, [&](std::string& to, char32_t code) {
    if (options.clean_text) {
      bool const line = code == U'\t' || code == U'\n' || code == U'\r';
      if (code == 0 || code == 0xfffd || (!line && detail::bert_class_of(code) == bert_class::control))
        return;
      if (line || detail::is_space(code)) code = U' ';
    }
    bool const apart = options.space_around_chinese && detail::is_chinese(code);
    if (apart) to.push_back(' ');
    append_utf8(to, code);
    if (apart) to.push_back(' ');
  });
  if (options.strip_accents) {
    out = detail::map_characters(to_nfd(out), [](std::string& to, char32_t code) {
      if (detail::bert_class_of(code) != bert_class::nonspacing_mark) append_utf8(to, code);
    });
  }
  return options.lower_case ? to_lower_case(out) : out;
}

}  // namespace lancet
