// SPDX-License-Identifier: Apache-2.0
// Weights with NaN or infinities, found where they are loaded: later they only show as a strange result.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/quoted.hpp"

namespace lancet {

/// True where no value is NaN or infinite. Looks at bits, so that -ffast-math cannot assume the answer.
[[nodiscard]] inline bool all_finite(std::span<float const> values) {
  constexpr std::uint32_t exponent = 0x7f800000u;
  constexpr std::size_t chunk = 1024;
  std::size_t i = 0;
  for (; i + chunk <= values.size();
       i += chunk) {  // a constant length and no exit: this loop becomes vector code
    std::uint32_t bad = 0;
    for (std::size_t j = 0; j < chunk; ++j) {
      bad |= (std::bit_cast<std::uint32_t>(values[i + j]) & exponent) == exponent ? 1u : 0u;
    }
    if (bad != 0) return false;
  }
  for (; i < values.size(); ++i) {
    if ((std::bit_cast<std::uint32_t>(values[i]) & exponent) == exponent) return false;
  }
  return true;
}

/// Throws file_error(where, ...) naming the tensor and its first value that is NaN or infinite; `first` is
/// the number of values[0] within the tensor, for callers that look at it row by row.
inline void check_finite(std::span<float const> values, std::string_view tensor, std::string_view where,
                         std::size_t first = 0) {
  if (all_finite(values)) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto const bits = std::bit_cast<std::uint32_t>(values[i]);
    if ((bits & 0x7f800000u) != 0x7f800000u) continue;
    throw file_error(where, "tensor " + detail::in_quotes(tensor) + ": element " + std::to_string(first + i) +
                                " is " + ((bits & 0x7fffffu) != 0 ? "NaN" : "infinite") +
                                ", expected a number");
  }
}

}  // namespace lancet
