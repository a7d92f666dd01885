// SPDX-License-Identifier: Apache-2.0
// Where what a reader takes for one character ends (Unicode Standard Annex 29), as far as short clusters need
// it: flags, joined emoji and Indic conjuncts, all of more than five bytes, may be cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "lancet/io/detail/cluster_tables.hpp"
#include "lancet/io/text.hpp"

namespace lancet::detail {

enum class cluster_class : std::uint8_t { other, joins_before, joins_after, apart };

[[nodiscard]] inline cluster_class cluster_class_of(char32_t code) noexcept {
  if (code < 0x20) return cluster_class::apart;
  auto const* const after = std::upper_bound(std::begin(cluster_ranges), std::end(cluster_ranges),
                                             static_cast<std::uint32_t>(code) << 2 | 3u);
  return static_cast<cluster_class>(*(after - 1) & 3u);
}

/// The part of a Korean syllable that a character is.
enum class syllable_part : std::uint8_t { none, leading, vowel, trailing, open, closed };

[[nodiscard]] constexpr syllable_part syllable_part_of(char32_t c) noexcept {
  if ((c >= 0x1100 && c <= 0x115f) || (c >= 0xa960 && c <= 0xa97c)) return syllable_part::leading;
  if ((c >= 0x1160 && c <= 0x11a7) || (c >= 0xd7b0 && c <= 0xd7c6)) return syllable_part::vowel;
  if ((c >= 0x11a8 && c <= 0x11ff) || (c >= 0xd7cb && c <= 0xd7fb)) return syllable_part::trailing;
  if (c < 0xac00 || c > 0xd7a3) return syllable_part::none;
  return (c - 0xac00) % 28 == 0 ? syllable_part::open : syllable_part::closed;
}

[[nodiscard]] constexpr bool syllable_goes_on(char32_t before, char32_t after) noexcept {
  using enum syllable_part;
  auto const a = syllable_part_of(before);
  auto const b = syllable_part_of(after);
  if (a == leading) return b == leading || b == vowel || b == open || b == closed;
  if (a == vowel || a == open) return b == vowel || b == trailing;
  return (a == trailing || a == closed) && b == trailing;
}

[[nodiscard]] inline bool cluster_goes_on(char32_t before, char32_t after) noexcept {
  if (before == U'\r' && after == U'\n') return true;
  auto const a = cluster_class_of(before);
  auto const b = cluster_class_of(after);
  if (a == cluster_class::apart || b == cluster_class::apart) return false;
  return b == cluster_class::joins_before || a == cluster_class::joins_after ||
         syllable_goes_on(before, after);
}

/// The end of the cluster that begins at byte `at`. Precondition: at < text.size(). Ill-formed parts count as
/// U+FFFD.
[[nodiscard]] inline std::size_t cluster_end(std::string_view text, std::size_t at) noexcept {
  auto c = read_utf8(text, at);
  for (at += c.size; at < text.size(); at += c.size) {
    auto const next = read_utf8(text, at);
    if (!cluster_goes_on(c.code, next.code)) break;
    c = next;
  }
  return at;
}

}  // namespace lancet::detail
