// SPDX-License-Identifier: Apache-2.0
// 16-bit floating-point storage: IEEE 754 binary16 and bfloat16, converted to and from float without tables
// or branches.
#pragma once

#include <bit>
#include <cstdint>

#include "lancet/core/bfloat16.hpp"

namespace lancet {

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. Storage only.
struct float16 {
  std::uint16_t bits = 0;
  friend constexpr bool operator==(float16,
                                   float16) = default;  // of the bits: NaN equals itself, 0 is not -0
};

/// Exact.
[[nodiscard]] constexpr float to_float(bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// Exact; the three cases are selected by masks rather than branches, so that loops over it become vector
/// code.
[[nodiscard]] constexpr float to_float(float16 value) {
  std::uint32_t const sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  std::uint32_t const rest = static_cast<std::uint32_t>(value.bits & 0x7fffu) << 13;
  std::uint32_t const normal = rest + (112u << 23);  // exponent bias 15 becomes 127
  // Subnormal: put the fraction behind a one at 2^-14, then take that one away. No float subnormal is
  // touched, so this also holds where those are flushed to zero.
  auto const subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest + (113u << 23)) -
                                                      std::bit_cast<float>(113u << 23));
  std::uint32_t const is_subnormal = 0u - static_cast<std::uint32_t>(rest < (1u << 23));
  std::uint32_t const is_special = 0u - static_cast<std::uint32_t>(rest >= (31u << 23));  // infinity, NaN
  return std::bit_cast<float>(sign | (is_subnormal & subnormal) | (~is_subnormal & normal) |
                              (is_special & (255u << 23)));
}

/// Rounded to nearest, ties to even; overflow gives infinity, NaN stays NaN.
[[nodiscard]] constexpr bfloat16 to_bfloat16(float value) {
  auto const bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

/// Rounded to nearest, ties to even; overflow gives infinity, NaN stays NaN, tiny values become subnormal or
/// 0.
[[nodiscard]] constexpr float16 to_float16(float value) {
  auto const bits = std::bit_cast<std::uint32_t>(value);
  std::uint32_t const sign = (bits >> 16) & 0x8000u;
  std::uint32_t const magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
  } else if (magnitude >= 0x47800000u) {  // from 2^16 on
    half = 0x7c00u;
  } else if (magnitude >=
             0x38800000u) {  // 2^-14: normal; a carry out of the fraction rightly raises the exponent
    half = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  } else {
    // 0.5 has a unit in the last place of 2^-24, that of the subnormals: the addition rounds to it.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
           std::bit_cast<std::uint32_t>(0.5f);
  }
  return {static_cast<std::uint16_t>(sign | half)};
}

}  // namespace lancet
