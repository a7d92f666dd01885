// SPDX-License-Identifier: Apache-2.0
// A value out of bytes at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace lancet::detail {

static_assert(std::endian::native == std::endian::little,
              "lancet reads and writes little-endian files in place");

/// The T whose bytes begin at `from`.
template <typename T>
[[nodiscard]] inline T load(std::byte const* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace lancet::detail
