// SPDX-License-Identifier: Apache-2.0
// Floats to stored elements, the inverse of dequantize.hpp for the types that lancet writes: F32, F16, BF16
// and Q8_0 (ggml's blocks of 32 codes with one float16 scale).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/finite.hpp"
#include "lancet/io/half.hpp"
#include "lancet/io/tensor_type.hpp"

namespace lancet {

/// True where encode() can make the type.
[[nodiscard]] constexpr bool is_encodable(tensor_type type) {
  return type == tensor_type::f32 || type == tensor_type::f16 || type == tensor_type::bf16 ||
         type == tensor_type::q8_0;
}

namespace detail {

/// d = max |x| / 127 as float16, codes round(x / d); the scale that divides is the one before it was rounded.
inline void encode_q8_0(std::span<float const> values, std::byte* out) {
  for (std::size_t block = 0; block < values.size(); block += 32, out += 34) {
    float most = 0;
    for (float const x : values.subspan(block, 32)) most = std::max(most, std::abs(x));
    float const scale = most / 127.0F, inverse = scale > 0 ? 1.0F / scale : 0.0F;
    float16 const stored = to_float16(scale);
    std::memcpy(out, &stored, 2);
    for (std::size_t i = 0; i < 32; ++i)
      out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(std::round(values[block + i] * inverse)));
  }
}

}  // namespace detail

/// The bytes of `values` stored as `type`, rounded to nearest. Throws usage_error(what, …) for a type that is
/// not written, a part of a block, and a value that the type cannot hold (not finite, or beyond float16).
[[nodiscard]] inline std::vector<std::byte> encode(tensor_type type, std::span<float const> values,
                                                   std::string_view what) {
  if (!is_encodable(type))
    fail_expected(what, "type " + std::string(name_of(type)), "F32, F16, BF16 or Q8_0");
  auto const& row = row_of(type);
  if (values.size() % row.block_elements != 0)
    fail_expected(what, std::to_string(values.size()) + " elements of type " + std::string(row.name),
                  "a multiple of " + std::to_string(row.block_elements));
  if (!all_finite(values)) fail_expected(what, "a value that is NaN or infinite", "numbers");
  std::vector<std::byte> out(values.size() / row.block_elements * row.block_bytes);
  std::byte* at = out.data();
  auto const put = [&](auto stored) {
    std::memcpy(at, &stored, sizeof stored);
    at += sizeof stored;
  };
  auto const beyond = [&](float x) {
    fail_expected(what, std::to_string(x), "values that " + std::string(row.name) + " can hold");
  };
  switch (type) {
    case tensor_type::f32:
      if (!values.empty()) std::memcpy(at, values.data(), out.size());
      break;
    case tensor_type::f16:
      for (float const x : values) {
        if (std::abs(x) >= 65520.0F) beyond(x);
        put(to_float16(x));
      }
      break;
    case tensor_type::bf16:
      for (float const x : values) {
        bfloat16 const stored = to_bfloat16(x);
        if ((stored.bits & 0x7f80u) == 0x7f80u) beyond(x);
        put(stored);
      }
      break;
    default:
      for (float const x : values)
        if (std::abs(x) >= 127.0F * 65504.0F) beyond(x);
      detail::encode_q8_0(values, at);
  }
  return out;
}

}  // namespace lancet
