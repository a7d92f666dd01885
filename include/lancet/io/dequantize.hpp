// SPDX-License-Identifier: Apache-2.0
// Stored elements to float: ggml's block formats (ggml-quants.c), half precision and double.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/k_quants.hpp"
#include "lancet/io/detail/load.hpp"
#include "lancet/io/half.hpp"
#include "lancet/io/tensor_type.hpp"

namespace lancet {

namespace detail {

using code_bytes_16 = std::array<std::uint8_t, 16>;
using code_bytes_32 = std::array<std::uint8_t, 32>;

// Each function turns `blocks` blocks at `in` into floats at `out`. The codes are copied into a local
// array first: it cannot alias the output, so the inner loops, whose lengths are constants, become vector
// code. Products of a scale (11 bits) and a code (at most 8) are exact in float, so results do not depend on
// whether the compiler fuses the addition.

/// Elements that need no scale: half precision and double.
template <typename Stored>
void dequantize_plain(std::byte const* in, std::ptrdiff_t count, float* out) {
  constexpr std::ptrdiff_t chunk = 64;
  std::array<Stored, chunk> local;
  auto const convert = [](Stored value) {
    if constexpr (std::is_floating_point_v<Stored>) {
      return static_cast<float>(value);
    } else {
      return to_float(value);
    }
  };
  for (; count >= chunk; count -= chunk, in += chunk * sizeof(Stored), out += chunk) {
    std::memcpy(local.data(), in, sizeof local);
    for (std::size_t i = 0; i < chunk; ++i) out[i] = convert(local[i]);
  }
  for (std::ptrdiff_t i = 0; i < count; ++i)
    out[i] = convert(load<Stored>(in + i * std::ptrdiff_t{sizeof(Stored)}));
}

/// float16 d, 16 bytes of codes, low halves first: (code - 8) d.
inline void dequantize_q4_0(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 18, out += 32) {
    float const scale = to_float(load<float16>(in));
    auto const codes = load<code_bytes_16>(in + 2);
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<float>((codes[i] & 15) - 8) * scale;
    for (std::size_t i = 0; i < 16; ++i) out[i + 16] = static_cast<float>((codes[i] >> 4) - 8) * scale;
  }
}

/// float16 d, float16 m, 16 bytes of codes, low halves first: code d + m.
inline void dequantize_q4_1(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 20, out += 32) {
    float const scale = to_float(load<float16>(in));
    float const lowest = to_float(load<float16>(in + 2));
    auto const codes = load<code_bytes_16>(in + 4);
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<float>(codes[i] & 15) * scale + lowest;
    for (std::size_t i = 0; i < 16; ++i) out[i + 16] = static_cast<float>(codes[i] >> 4) * scale + lowest;
  }
}

/// The 32 five-bit codes of a block: bit i of the four bytes `fifth` is the high bit of element i.
[[nodiscard]] inline code_bytes_32 five_bit_codes(std::byte const* fifth, std::byte const* low_halves) {
  auto const high = load<std::array<std::uint8_t, 4>>(fifth);
  auto const low = load<code_bytes_16>(low_halves);
  code_bytes_32 codes;
  for (std::size_t i = 0; i < 32; ++i)
    codes[i] = static_cast<std::uint8_t>(((high[i / 8] >> (i % 8)) & 1) << 4);
  for (std::size_t i = 0; i < 16; ++i) {
    codes[i] = static_cast<std::uint8_t>(codes[i] | (low[i] & 15));
    codes[i + 16] = static_cast<std::uint8_t>(codes[i + 16] | (low[i] >> 4));
  }
  return codes;
}

/// float16 d, 32 fifth bits, 16 bytes of low codes: (code - 16) d.
inline void dequantize_q5_0(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 22, out += 32) {
    float const scale = to_float(load<float16>(in));
    auto const codes = five_bit_codes(in + 2, in + 6);
    for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<float>(codes[i] - 16) * scale;
  }
}

/// float16 d, float16 m, 32 fifth bits, 16 bytes of low codes: code d + m.
inline void dequantize_q5_1(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 24, out += 32) {
    float const scale = to_float(load<float16>(in));
    float const lowest = to_float(load<float16>(in + 2));
    auto const codes = five_bit_codes(in + 4, in + 8);
    for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<float>(codes[i]) * scale + lowest;
  }
}

/// float16 d, 32 signed codes: code d.
inline void dequantize_q8_0(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 34, out += 32) {
    float const scale = to_float(load<float16>(in));
    auto const codes = load<std::array<std::int8_t, 32>>(in + 2);
    for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<float>(codes[i]) * scale;
  }
}

}  // namespace detail

/// True where dequantize() takes the type: floating-point and block formats, not integers.
[[nodiscard]] constexpr bool is_dequantizable(tensor_type type) {
  return type <= tensor_type::f64 || type > tensor_type::boolean;
}

/// out[i] = element i of `in`, which holds out.size() elements of `type` at any alignment. Any whole number
/// of blocks may be converted, so callers share rows out among threads. Doubles are rounded to float,
/// everything else is exact. Throws usage_error for sizes that do not fit and for integer types (a weight
/// stored as an integer is damage).
inline void dequantize(tensor_type type, std::span<std::byte const> in, std::span<float> out) {
  auto const& row = row_of(type);
  if (!is_dequantizable(type)) {
    fail_expected("dequantize", "elements of type " + std::string(row.name),
                  "a floating-point or block format");
  }
  std::size_t const blocks = out.size() / row.block_elements;
  if (out.size() % row.block_elements != 0 || in.size() % row.block_bytes != 0 ||
      in.size() / row.block_bytes != blocks) {
    fail_expected(
        "dequantize to " + std::to_string(out.size()) + " floats from " + std::string(row.name),
        std::to_string(in.size()) + " bytes",
        std::to_string(row.block_bytes) + " for each " + std::to_string(row.block_elements) + " elements");
  }
  if (out.empty()) return;
  auto const count = static_cast<std::ptrdiff_t>(blocks);
  switch (type) {
    case tensor_type::f32:
      std::memcpy(out.data(), in.data(), in.size());
      break;
    case tensor_type::f16:
      detail::dequantize_plain<float16>(in.data(), count, out.data());
      break;
    case tensor_type::bf16:
      detail::dequantize_plain<bfloat16>(in.data(), count, out.data());
      break;
    case tensor_type::f64:
      detail::dequantize_plain<double>(in.data(), count, out.data());
      break;
    case tensor_type::q4_0:
      detail::dequantize_q4_0(in.data(), count, out.data());
      break;
    case tensor_type::q4_1:
      detail::dequantize_q4_1(in.data(), count, out.data());
      break;
    case tensor_type::q5_0:
      detail::dequantize_q5_0(in.data(), count, out.data());
      break;
    case tensor_type::q5_1:
      detail::dequantize_q5_1(in.data(), count, out.data());
      break;
    case tensor_type::q8_0:
      detail::dequantize_q8_0(in.data(), count, out.data());
      break;
    case tensor_type::q2_k:
      detail::dequantize_q2_k(in.data(), count, out.data());
      break;
    case tensor_type::q3_k:
      detail::dequantize_q3_k(in.data(), count, out.data());
      break;
    case tensor_type::q4_k:
      detail::dequantize_q4_k(in.data(), count, out.data());
      break;
    case tensor_type::q5_k:
      detail::dequantize_q5_k(in.data(), count, out.data());
      break;
    case tensor_type::q6_k:
      detail::dequantize_q6_k(in.data(), count, out.data());
      break;
    case tensor_type::iq4_nl:
      detail::dequantize_iq4_nl(in.data(), count, out.data());
      break;
    case tensor_type::iq4_xs:
      detail::dequantize_iq4_xs(in.data(), count, out.data());
      break;
    case tensor_type::i8:
    case tensor_type::i16:
    case tensor_type::i32:
    case tensor_type::i64:
    case tensor_type::u8:
    case tensor_type::u16:
    case tensor_type::u32:
    case tensor_type::u64:
    case tensor_type::boolean:
      break;  // refused above
  }
}

}  // namespace lancet
