// SPDX-License-Identifier: Apache-2.0
// bfloat16 as storage: the upper half of a float. Arithmetic is done in float.
#pragma once

#include <cstdint>
#include <cstring>

#include "lancet/core/device.hpp"

namespace lancet {

/// The upper half of a binary32. Storage only.
struct bfloat16 {
  std::uint16_t bits;

  friend constexpr bool operator==(bfloat16, bfloat16) = default;  // of the bits

  /// To nearest, ties to even. NaN stays NaN.
  LANCET_HOST_DEVICE static bfloat16 round(float x) {
    std::uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>(u >> 16 | 0x40U)};
    return {static_cast<std::uint16_t>((u + 0x7FFFU + (u >> 16 & 1U)) >> 16)};
  }
  LANCET_HOST_DEVICE explicit operator float() const {
    std::uint32_t const u = std::uint32_t{bits} << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
  }
};

}  // namespace lancet
