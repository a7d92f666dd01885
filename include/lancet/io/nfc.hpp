// SPDX-License-Identifier: Apache-2.0
// Unicode's normalisation forms D and C (Unicode Standard Annex 15): decompose, order the marks; for C, join
// what can be joined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/detail/nfc_tables.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

namespace detail {

/// A character on its way; ill-formed bytes take codes above Unicode's, so that nothing joins with them.
struct nfc_char {
  char32_t code;
  std::uint8_t combining;
};

inline constexpr char32_t nfc_raw_byte = 0x110000;

/// Hangul: syllable = (leading * 21 + vowel) * 28 + trailing, as offsets from these.
inline constexpr char32_t hangul_syllable = 0xac00, hangul_leading = 0x1100, hangul_vowel = 0x1161,
                          hangul_trailing = 0x11a7;
inline constexpr char32_t hangul_leadings = 19, hangul_vowels = 21, hangul_trailings = 28;
inline constexpr char32_t hangul_syllables = hangul_leadings * hangul_vowels * hangul_trailings;

[[nodiscard]] inline std::uint8_t combining_class(char32_t code) noexcept {
  if (code < 0x300 || code >= nfc_raw_byte) return 0;
  auto const* const after = std::upper_bound(std::begin(combining_ranges), std::end(combining_ranges),
                                             static_cast<std::uint32_t>(code) << 8 | 0xffu);
  return static_cast<std::uint8_t>(*(after - 1) & 0xffu);
}

inline void nfc_decompose(char32_t code, std::vector<nfc_char>& out) {
  if (auto const i = code - hangul_syllable; i < hangul_syllables) {
    out.push_back({hangul_leading + i / (hangul_vowels * hangul_trailings), 0});
    out.push_back({hangul_vowel + i / hangul_trailings % hangul_vowels, 0});
    if (i % hangul_trailings != 0) out.push_back({hangul_trailing + i % hangul_trailings, 0});
    return;
  }
  auto const find = [](char32_t wanted) -> std::uint64_t {
    auto const key = static_cast<std::uint64_t>(wanted) << 42;
    auto const* const found = std::lower_bound(std::begin(decompositions), std::end(decompositions), key);
    return found != std::end(decompositions) && *found >> 42 == wanted ? *found : 0;
  };
  // Only the first part of a pair is decomposed further.
  char32_t tail[8];
  std::size_t n = 0;
  if (code >= 0xc0) {
    for (auto entry = find(code); entry != 0 && n < std::size(tail); entry = find(code)) {
      code = static_cast<char32_t>(entry >> 21 & 0x1fffff);
      if (auto const second = static_cast<char32_t>(entry & 0x1fffff)) tail[n++] = second;
    }
  }
  out.push_back({code, combining_class(code)});
  while (n > 0) {
    --n;
    out.push_back({tail[n], combining_class(tail[n])});
  }
}

/// The character that `first` and `second` join to, 0 where they do not.
[[nodiscard]] inline char32_t nfc_compose(char32_t first, char32_t second) noexcept {
  auto const leading = first - hangul_leading;
  auto const vowel = second - hangul_vowel;
  if (leading < hangul_leadings && vowel < hangul_vowels) {
    return hangul_syllable + (leading * hangul_vowels + vowel) * hangul_trailings;
  }
  auto const syllable = first - hangul_syllable;
  auto const trailing = second - hangul_trailing;
  if (syllable < hangul_syllables && syllable % hangul_trailings == 0 && trailing > 0 &&
      trailing < hangul_trailings) {
    return first + trailing;
  }
  constexpr std::uint64_t pair_bits = (std::uint64_t{1} << 42) - 1;
  auto const pair = static_cast<std::uint64_t>(first) << 21 | second;
  auto const* const found = std::lower_bound(
      std::begin(compositions), std::end(compositions), pair,
      [](std::uint16_t i, std::uint64_t wanted) { return (decompositions[i] & pair_bits) < wanted; });
  if (found == std::end(compositions) || (decompositions[*found] & pair_bits) != pair) return 0;
  return static_cast<char32_t>(decompositions[*found] >> 42);
}

inline void nfc_join(std::vector<nfc_char>& chars) {
  std::size_t n = 0;  // characters kept so far
  std::size_t starter = 0;
  bool have_starter = false;
  int last =
      -1;  // the combining class of what stands between the starter and the next character, -1: nothing
  for (auto const c : chars) {
    if (have_starter && last < static_cast<int>(c.combining)) {
      if (auto const joined = nfc_compose(chars[starter].code, c.code)) {
        chars[starter].code = joined;
        continue;
      }
    }
    if (c.combining == 0) {
      starter = n;
      have_starter = true;
    }
    last = c.combining == 0 ? -1 : static_cast<int>(c.combining);
    chars[n++] = c;
  }
  chars.resize(n);
}

}  // namespace detail

namespace detail {

/// Decomposed, marks in order.
[[nodiscard]] inline std::vector<nfc_char> decomposed(std::string_view text) {
  std::vector<nfc_char> chars;
  chars.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    if (c.valid) {
      nfc_decompose(c.code, chars);
    } else {
      for (char32_t const byte : unsigned_bytes(text.substr(at, c.size)))
        chars.push_back({nfc_raw_byte + byte, 0});
    }
    at += c.size;
  }
  for (auto begin = chars.begin(); begin != chars.end();) {
    auto const end = std::find_if(begin, chars.end(), [](nfc_char c) { return c.combining == 0; });
    std::stable_sort(begin, end, [](auto a, auto b) { return a.combining < b.combining; });
    begin = end == chars.end() ? end : end + 1;
  }
  return chars;
}

[[nodiscard]] inline std::string text_of(std::vector<nfc_char> const& chars) {
  std::string out;
  out.reserve(chars.size());
  for (auto const c : chars) {
    if (c.code < nfc_raw_byte)
      append_utf8(out, c.code);
    else
      out.push_back(static_cast<char>(c.code - nfc_raw_byte));
  }
  return out;
}

/// Whether all characters are below those whose first byte is `lead`.
[[nodiscard]] inline bool all_below(std::string_view text, unsigned char lead) noexcept {
  auto const bytes = unsigned_bytes(text);
  return std::all_of(bytes.begin(), bytes.end(), [&](unsigned char b) { return b < lead; });
}

}  // namespace detail

/// `text` in normalisation form C. Ill-formed bytes stay as they are and nothing is joined across them.
[[nodiscard]] inline std::string to_nfc(std::string_view text) {
  // Below U+0300, whose first byte is 0xcc, text is in form C already.
  if (detail::all_below(text, 0xcc)) return std::string(text);
  auto chars = detail::decomposed(text);
  detail::nfc_join(chars);
  return detail::text_of(chars);
}

/// `text` in normalisation form D. Ill-formed bytes stay as they are.
[[nodiscard]] inline std::string to_nfd(std::string_view text) {
  // Below U+00C0, whose first byte is 0xc3, there is nothing to decompose.
  return detail::all_below(text, 0xc3) ? std::string(text) : detail::text_of(detail::decomposed(text));
}

}  // namespace lancet
