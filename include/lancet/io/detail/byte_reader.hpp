// SPDX-License-Identifier: Apache-2.0
// A cursor over the bytes of an untrusted file: every read is first compared with what is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"

namespace lancet::detail {

/// Reads little-endian fields in order. `field` names what is read, for errors ("PATH @ byte N: FIELD: ...").
/// The bytes and the path must outlive the reader; strings are views into the bytes.
class byte_reader {
 public:
  byte_reader(std::span<std::byte const> bytes, std::string_view path) : bytes_(bytes), path_(path) {}

  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - offset_; }

  [[noreturn]] void fail(std::uint64_t at, std::string_view what) const {
    throw file_error(std::string(path_) + " @ byte " + std::to_string(at), what);
  }

  [[nodiscard]] std::span<std::byte const> take(std::uint64_t count, std::string_view field) {
    if (count > left()) {
      fail(offset_, std::string(field) + ": needs " + std::to_string(count) + " bytes, only " +
                        std::to_string(left()) + " are left in the file");
    }
    auto const taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

  template <typename T>
  [[nodiscard]] T number(std::string_view field) {
    T value;
    std::memcpy(&value, take(sizeof value, field).data(), sizeof value);
    return value;
  }

  /// A number of things of which each takes at least `smallest` bytes of what follows, and of which `limit`
  /// are allowed.
  [[nodiscard]] std::uint64_t count(std::string_view field, std::uint64_t smallest, std::uint64_t limit) {
    std::uint64_t const at = offset_;
    auto const value = number<std::uint64_t>(field);
    if (value > left() / smallest) {
      fail(at, std::string(field) + ": got " + std::to_string(value) + ", which need at least " +
                   std::to_string(smallest) + " bytes each, only " + std::to_string(left()) +
                   " are left in the file");
    }
    if (value > limit) {
      fail(at,
           std::string(field) + ": got " + std::to_string(value) + ", the limit is " + std::to_string(limit));
    }
    return value;
  }

  /// A string with its length before it.
  [[nodiscard]] std::string_view text(std::string_view field, std::uint64_t limit) {
    std::uint64_t const size = count(field, 1, limit);
    auto const taken = take(size, field);
    return {reinterpret_cast<char const*>(taken.data()), taken.size()};
  }

 private:
  std::span<std::byte const> bytes_;
  std::string_view path_;
  std::uint64_t offset_ = 0;
};

}  // namespace lancet::detail
