// SPDX-License-Identifier: Apache-2.0
// The element types of stored tensors: one table row for each, with its block size and its numbers in the
// file formats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/checked.hpp"
#include "lancet/io/half.hpp"

namespace lancet {

/// Plain types, then ggml's block formats (a block of elements shares scales). A new block format is one
/// enumerator, one row of tensor_types and one function in dequantize.hpp.
enum class tensor_type : std::uint8_t {
  f32,
  f16,
  bf16,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
};

struct tensor_type_row {
  tensor_type type;
  std::string_view name;         // as in GGUF tools; for errors and listings
  std::int32_t ggml;             // number in GGUF, -1: not there
  std::string_view safetensors;  // name in safetensors, empty: not there
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

// clang-format off
inline constexpr std::array tensor_types{
    tensor_type_row{tensor_type::f32,     "F32",   0, "F32",  1,  4},
    tensor_type_row{tensor_type::f16,     "F16",   1, "F16",  1,  2},
    tensor_type_row{tensor_type::bf16,    "BF16", 30, "BF16", 1,  2},
    tensor_type_row{tensor_type::f64,     "F64",  28, "F64",  1,  8},
    tensor_type_row{tensor_type::i8,      "I8",   24, "I8",   1,  1},
    tensor_type_row{tensor_type::i16,     "I16",  25, "I16",  1,  2},
    tensor_type_row{tensor_type::i32,     "I32",  26, "I32",  1,  4},
    tensor_type_row{tensor_type::i64,     "I64",  27, "I64",  1,  8},
    tensor_type_row{tensor_type::u8,      "U8",   -1, "U8",   1,  1},
    tensor_type_row{tensor_type::u16,     "U16",  -1, "U16",  1,  2},
    tensor_type_row{tensor_type::u32,     "U32",  -1, "U32",  1,  4},
    tensor_type_row{tensor_type::u64,     "U64",  -1, "U64",  1,  8},
    tensor_type_row{tensor_type::boolean, "BOOL", -1, "BOOL", 1,  1},
    tensor_type_row{tensor_type::q4_0,    "Q4_0",  2, "",    32, 18},
    tensor_type_row{tensor_type::q4_1,    "Q4_1",  3, "",    32, 20},
    tensor_type_row{tensor_type::q5_0,    "Q5_0",  6, "",    32, 22},
    tensor_type_row{tensor_type::q5_1,    "Q5_1",  7, "",    32, 24},
    tensor_type_row{tensor_type::q8_0,    "Q8_0",  8, "",    32, 34},
    tensor_type_row{tensor_type::q2_k,    "Q2_K", 10, "",   256, 84},
    tensor_type_row{tensor_type::q3_k,    "Q3_K", 11, "",   256, 110},
    tensor_type_row{tensor_type::q4_k,    "Q4_K", 12, "",   256, 144},
    tensor_type_row{tensor_type::q5_k,    "Q5_K", 13, "",   256, 176},
    tensor_type_row{tensor_type::q6_k,    "Q6_K", 14, "",   256, 210},
    tensor_type_row{tensor_type::iq4_nl,  "IQ4_NL", 20, "",  32, 18},
    tensor_type_row{tensor_type::iq4_xs,  "IQ4_XS", 23, "", 256, 136},
};
// clang-format on

[[nodiscard]] constexpr tensor_type_row const& row_of(tensor_type type) {
  return tensor_types[static_cast<std::size_t>(type)];
}

static_assert(
    [] {
      for (std::size_t i = 0; i < tensor_types.size(); ++i) {
        if (static_cast<std::size_t>(tensor_types[i].type) != i) return false;
      }
      return true;
    }(),
    "lancet::tensor_types: rows must stand in the order of the enumerators");

[[nodiscard]] constexpr std::string_view name_of(tensor_type type) { return row_of(type).name; }

/// Bytes that `elements` elements take. Throws file_error(where, ...) for a part of a block or a size beyond
/// 64 bits.
[[nodiscard]] inline checked_size bytes_of(tensor_type type, checked_size elements, std::string_view where) {
  auto const& row = row_of(type);
  if (elements.value() % row.block_elements != 0) {
    throw file_error(where, "got " + std::to_string(elements.value()) + " elements of type " +
                                std::string(row.name) + ", expected a multiple of " +
                                std::to_string(row.block_elements));
  }
  return checked_size(elements.value() / row.block_elements, where) * row.block_bytes;
}

/// The tensor_type whose elements are stored as a T, for writing and for typed access.
template <typename T>
inline constexpr tensor_type tensor_type_of = [] {
  static_assert(sizeof(T) == 0, "lancet::tensor_type_of<T>: T is no element type of tensor files");
  return tensor_type::f32;
}();
template <>
inline constexpr tensor_type tensor_type_of<float> = tensor_type::f32;
template <>
inline constexpr tensor_type tensor_type_of<double> = tensor_type::f64;
template <>
inline constexpr tensor_type tensor_type_of<float16> = tensor_type::f16;
template <>
inline constexpr tensor_type tensor_type_of<bfloat16> = tensor_type::bf16;
template <>
inline constexpr tensor_type tensor_type_of<bool> = tensor_type::boolean;
template <>
inline constexpr tensor_type tensor_type_of<std::int8_t> = tensor_type::i8;
template <>
inline constexpr tensor_type tensor_type_of<std::int16_t> = tensor_type::i16;
template <>
inline constexpr tensor_type tensor_type_of<std::int32_t> = tensor_type::i32;
template <>
inline constexpr tensor_type tensor_type_of<std::int64_t> = tensor_type::i64;
template <>
inline constexpr tensor_type tensor_type_of<std::uint8_t> = tensor_type::u8;
template <>
inline constexpr tensor_type tensor_type_of<std::uint16_t> = tensor_type::u16;
template <>
inline constexpr tensor_type tensor_type_of<std::uint32_t> = tensor_type::u32;
template <>
inline constexpr tensor_type tensor_type_of<std::uint64_t> = tensor_type::u64;

}  // namespace lancet
