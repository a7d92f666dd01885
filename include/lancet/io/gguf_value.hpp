// SPDX-License-Identifier: Apache-2.0
// One metadata value of a GGUF file: its declared type, and typed access that believes nothing but that
// declaration.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/load.hpp"
#include "lancet/io/detail/quoted.hpp"

namespace lancet {

/// The value types of GGUF, with their numbers in the file.
enum class gguf_type : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

struct gguf_type_row {
  std::string_view name;
  std::uint32_t bytes;  // of one element; 0: it says so itself
};

inline constexpr std::array<gguf_type_row, 13> gguf_types{{{"uint8", 1},
                                                           {"int8", 1},
                                                           {"uint16", 2},
                                                           {"int16", 2},
                                                           {"uint32", 4},
                                                           {"int32", 4},
                                                           {"float32", 4},
                                                           {"bool", 1},
                                                           {"string", 0},
                                                           {"array", 0},
                                                           {"uint64", 8},
                                                           {"int64", 8},
                                                           {"float64", 8}}};

[[nodiscard]] constexpr gguf_type_row const& row_of(gguf_type type) {
  return gguf_types[static_cast<std::size_t>(type)];
}

namespace detail {
template <typename T>
concept gguf_number = std::is_arithmetic_v<T> && !std::same_as<T, bool> && !std::same_as<T, char>;
template <typename T>
concept gguf_text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;
template <typename T>
concept gguf_scalar = gguf_number<T> || gguf_text<T> || std::same_as<T, bool>;

/// What a consumer that asks for a T expects the file to declare.
template <typename T>
[[nodiscard]] std::string gguf_expected() {
  if constexpr (gguf_text<T>) return "string";
  if constexpr (std::same_as<T, bool>) return "bool";
  if constexpr (std::floating_point<T>) return "float32 or float64";
  if constexpr (std::integral<T>) {
    return "an integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  }
}
}  // namespace detail

/// A metadata entry. Key, bytes and the strings read from it are views into the file's bytes and live as long
/// as the gguf_file; gguf_file has checked all lengths.
struct gguf_value {
  std::string_view key;
  gguf_type type{};  // of the value, or of an array's elements
  bool is_array = false;
  std::uint64_t count = 1;  // elements
  std::span<std::byte const> bytes;
  std::uint64_t offset = 0;  // of the key, in the file

  /// "array of 49152 string"
  [[nodiscard]] std::string type_name() const {
    std::string const name(row_of(type).name);
    return is_array ? "array of " + std::to_string(count) + " " + name : name;
  }

  /// The single value as a T: bool, string or string_view, floating-point, or an integer type, for which any
  /// stored integer type will do if the value fits. A float is never an integer, nor the other way round.
  /// Throws file_error.
  template <detail::gguf_scalar T>
  [[nodiscard]] T as(std::string_view path) const {
    if (is_array) mismatch(path, type_name(), detail::gguf_expected<T>());
    return element<T>(bytes.data(), path).value;
  }

  /// The array's elements; string_view elements are not copied. Throws file_error.
  template <detail::gguf_scalar T>
  [[nodiscard]] std::vector<T> as_list(std::string_view path) const {
    if (!is_array) mismatch(path, type_name(), "array of " + detail::gguf_expected<T>());
    std::vector<T> list;
    list.reserve(count);
    std::byte const* at = bytes.data();
    for (std::uint64_t i = 0; i < count; ++i) {
      auto const next = element<T>(at, path);
      list.push_back(next.value);
      at += next.bytes;
    }
    return list;
  }

  [[noreturn]] void mismatch(std::string_view path, std::string const& got,
                             std::string const& expected) const {
    throw file_error(std::string(path) + " @ byte " + std::to_string(offset),
                     "metadata " + detail::in_quotes(key) + ": got " + got + ", expected " + expected);
  }

 private:
  template <typename T>
  struct read_element {
    T value;
    std::size_t bytes;
  };

  template <typename T>
  [[nodiscard]] read_element<T> element(std::byte const* at, std::string_view path) const {
    if constexpr (detail::gguf_text<T>) {
      if (type != gguf_type::string) mismatch(path, type_name(), "string");
      auto const size = string_size(at, path);
      return {T(reinterpret_cast<char const*>(at + 8), size), size + 8};
    } else if constexpr (std::same_as<T, bool>) {
      if (type != gguf_type::boolean) mismatch(path, type_name(), "bool");
      return {detail::load<std::uint8_t>(at) != 0, 1};
    } else {
      return {number<T>(at, path), row_of(type).bytes};
    }
  }

  /// The length of the string at `at`. It was checked when the file was opened; where another process has
  /// overwritten the mapped file since, it must still not lead out of the value.
  [[nodiscard]] std::size_t string_size(std::byte const* at, std::string_view path) const {
    auto const left = static_cast<std::size_t>(bytes.data() + bytes.size() - at);
    std::uint64_t const size = left < 8 ? ~std::uint64_t{0} : detail::load<std::uint64_t>(at);
    if (left < 8 || size > left - 8)
      mismatch(path, "another string", "that the file does not change while it is read");
    return static_cast<std::size_t>(size);
  }

  template <typename T>
  [[nodiscard]] T number(std::byte const* at, std::string_view path) const {
    switch (type) {
      case gguf_type::u8:
        return narrowed<T>(detail::load<std::uint8_t>(at), path);
      case gguf_type::i8:
        return narrowed<T>(detail::load<std::int8_t>(at), path);
      case gguf_type::u16:
        return narrowed<T>(detail::load<std::uint16_t>(at), path);
      case gguf_type::i16:
        return narrowed<T>(detail::load<std::int16_t>(at), path);
      case gguf_type::u32:
        return narrowed<T>(detail::load<std::uint32_t>(at), path);
      case gguf_type::i32:
        return narrowed<T>(detail::load<std::int32_t>(at), path);
      case gguf_type::u64:
        return narrowed<T>(detail::load<std::uint64_t>(at), path);
      case gguf_type::i64:
        return narrowed<T>(detail::load<std::int64_t>(at), path);
      case gguf_type::f32:
        return narrowed<T>(detail::load<float>(at), path);
      case gguf_type::f64:
        return narrowed<T>(detail::load<double>(at), path);
      case gguf_type::boolean:
      case gguf_type::string:
      case gguf_type::array:
        break;
    }
    mismatch(path, type_name(), detail::gguf_expected<T>());
  }

  template <typename T, typename Stored>
  [[nodiscard]] T narrowed(Stored stored, std::string_view path) const {
    if constexpr (std::floating_point<T> != std::floating_point<Stored>) {
      mismatch(path, type_name(), detail::gguf_expected<T>());
    } else if constexpr (std::floating_point<T>) {
      auto const value = static_cast<T>(stored);
      if (std::isfinite(stored) && !std::isfinite(value))
        mismatch(path, std::to_string(stored), "a value within float32");
      return value;
    } else {
      if (!std::in_range<T>(stored)) {
        mismatch(path, std::to_string(stored) + " (" + std::string(row_of(type).name) + ")",
                 detail::gguf_expected<T>());
      }
      return static_cast<T>(stored);
    }
  }
};

}  // namespace lancet
