// SPDX-License-Identifier: Apache-2.0
// Sizes that come from files: 64-bit arithmetic that throws where plain arithmetic would wrap around.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"

namespace lancet {

/// A count of bytes or elements computed from numbers in a file. An operation whose true result does not fit
/// into 64 bits throws file_error(where, ...); `where` (a file, a tensor) must outlive the value.
class checked_size {
 public:
  constexpr checked_size(std::uint64_t value, std::string_view where) : value_(value), where_(where) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }

  /// The value as a signed index; throws where it exceeds the largest one.
  [[nodiscard]] std::ptrdiff_t as_index() const {
    constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
    if (value_ > largest) fail("the size " + std::to_string(value_) + " is beyond what can be addressed");
    return static_cast<std::ptrdiff_t>(value_);
  }

  constexpr checked_size& operator+=(std::uint64_t other) {
    if (value_ > std::numeric_limits<std::uint64_t>::max() - other) overflow(" + ", other);
    value_ += other;
    return *this;
  }

  constexpr checked_size& operator*=(std::uint64_t other) {
    if (other != 0 && value_ > std::numeric_limits<std::uint64_t>::max() / other) overflow(" * ", other);
    value_ *= other;
    return *this;
  }

  /// The smallest multiple of `alignment` (not 0) that is not below the value.
  [[nodiscard]] constexpr checked_size aligned_to(std::uint64_t alignment) const {
    std::uint64_t const rest = value_ % alignment;
    return rest == 0 ? *this : *this + (alignment - rest);
  }

  friend constexpr checked_size operator+(checked_size a, std::uint64_t b) { return a += b; }
  friend constexpr checked_size operator*(checked_size a, std::uint64_t b) { return a *= b; }

 private:
  [[noreturn]] void fail(std::string const& what) const { throw file_error(where_, what); }
  [[noreturn]] void overflow(std::string_view sign, std::uint64_t other) const {
    fail("the size " + std::to_string(value_) + std::string(sign) + std::to_string(other) +
         " does not fit into 64 bits");
  }

  std::uint64_t value_;
  std::string_view where_;
};

}  // namespace lancet
