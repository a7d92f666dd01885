// SPDX-License-Identifier: Apache-2.0
// The class of a character, as far as tokenizer patterns ask for it: \p{L}, \p{M}, \p{N}, \p{P}, \p{S}, \s.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "lancet/io/unicode_tables.hpp"

namespace lancet {

/// `upper` is \p{Lu} and \p{Lt}, `lower` \p{Ll}, `letter` \p{Lm} and \p{Lo}; `space` is the property
/// White_Space and takes precedence; `other` is the rest: \p{C} and ill-formed bytes.
enum class char_class : std::uint8_t {
  other,
  space,
  number,
  mark,
  punctuation,
  symbol,
  upper,
  lower,
  letter
};

/// \p{L}
[[nodiscard]] constexpr bool is_letter(char_class c) noexcept { return c >= char_class::upper; }

/// The class of a code point; `other` above U+10FFFF.
[[nodiscard]] inline char_class classify(char32_t code) noexcept {
  if (code < 0x80) {
    if ((code | 0x20u) - U'a' < 26u) return code & 0x20u ? char_class::lower : char_class::upper;
    if (code == U' ') return char_class::space;
  }
  auto const key = code > 0x10ffff ? 0x10ffffu : static_cast<std::uint32_t>(code);
  auto const* const after =
      std::upper_bound(std::begin(detail::unicode_ranges), std::end(detail::unicode_ranges),
                       key << 4 | 0xfu);  // the first entry starts at 0: there is one before
  std::uint32_t const kind = *(after - 1) & 0xfu;
  constexpr std::uint32_t upper_even = 9;
  if (kind < upper_even) return static_cast<char_class>(kind);
  return (key % 2 == 0) == (kind == upper_even) ? char_class::upper : char_class::lower;
}

}  // namespace lancet
