// SPDX-License-Identifier: Apache-2.0
// ggml's super-blocks of 256 elements (Q2_K to Q6_K, IQ4_XS) and its non-linear 4-bit codes (IQ4_NL) to
// float.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lancet/io/detail/load.hpp"
#include "lancet/io/half.hpp"

namespace lancet::detail {

// A super-block is unpacked in two steps: its packed codes into `codes`, its packed scales into one scale
// (and one offset) for each run of 16 elements. Both steps are loops of constant length over local arrays,
// hence vector code. The products of scale, block scale and code have at most 25 significant bits and are
// rounded once, as ggml does.
using super_codes = std::array<std::int8_t, 256>;
using run_values = std::array<float, 16>;

inline void write_super_block(super_codes const& codes, run_values const& scales, float* out) {
  for (std::size_t run = 0; run < 16; ++run) {
    for (std::size_t i = 0; i < 16; ++i)
      out[16 * run + i] = scales[run] * static_cast<float>(codes[16 * run + i]);
  }
}

inline void write_super_block(super_codes const& codes, run_values const& scales, run_values const& offsets,
                              float* out) {
  for (std::size_t run = 0; run < 16; ++run) {
    for (std::size_t i = 0; i < 16; ++i) {
      out[16 * run + i] = scales[run] * static_cast<float>(codes[16 * run + i]) - offsets[run];
    }
  }
}

/// Q2_K: 16 bytes (4-bit scale, 4-bit offset), 64 bytes of 2-bit codes, float16 d, float16 m: d scale code -
/// m offset.
inline void dequantize_q2_k(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 84, out += 256) {
    auto const packed_scales = load<std::array<std::uint8_t, 16>>(in);
    auto const packed = load<std::array<std::uint8_t, 64>>(in + 16);
    float const d = to_float(load<float16>(in + 80));
    float const m = to_float(load<float16>(in + 82));
    super_codes codes;
    for (std::size_t part = 0; part < 8; ++part) {  // 32 elements each: byte half part / 4, bits 2 (part % 4)
      for (std::size_t i = 0; i < 32; ++i) {
        codes[32 * part + i] = static_cast<std::int8_t>((packed[part / 4 * 32 + i] >> (2 * (part % 4))) & 3);
      }
    }
    run_values scales, offsets;
    for (std::size_t run = 0; run < 16; ++run) {
      scales[run] = d * static_cast<float>(packed_scales[run] & 15);
      offsets[run] = m * static_cast<float>(packed_scales[run] >> 4);
    }
    write_super_block(codes, scales, offsets, out);
  }
}

/// Q3_K: 32 bytes of high bits, 64 bytes of 2-bit codes, 12 bytes of 6-bit scales, float16 d: d (scale - 32)
/// (code - 4).
inline void dequantize_q3_k(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 110, out += 256) {
    auto const high = load<std::array<std::uint8_t, 32>>(in);
    auto const packed = load<std::array<std::uint8_t, 64>>(in + 32);
    auto const packed_scales = load<std::array<std::uint8_t, 12>>(in + 96);
    float const d = to_float(load<float16>(in + 108));
    super_codes codes;
    for (std::size_t part = 0; part < 8; ++part) {
      for (std::size_t i = 0; i < 32; ++i) {
        int const low = (packed[part / 4 * 32 + i] >> (2 * (part % 4))) & 3;
        codes[32 * part + i] = static_cast<std::int8_t>(low + ((high[i] >> part) & 1) * 4 - 4);
      }
    }
    run_values scales;
    for (std::size_t run = 0; run < 16; ++run) {
      int const low = (packed_scales[run % 8] >> (run / 8 * 4)) & 15;
      int const top = (packed_scales[8 + run % 4] >> (run / 4 * 2)) & 3;
      scales[run] = d * static_cast<float>((low | (top << 4)) - 32);
    }
    write_super_block(codes, scales, out);
  }
}

struct scales_and_offsets {
  run_values scales, offsets;
};

/// The eight 6-bit scales and offsets of Q4_K and Q5_K in 12 bytes, times d and m; each is that of two runs.
/// The first four lie in the low six bits of bytes 0-3 and 4-7, the others in the halves of bytes 8-11 and
/// the top bits left over.
[[nodiscard]] inline scales_and_offsets unpack_k_scales(std::byte const* in, float d, float m) {
  auto const packed = load<std::array<std::uint8_t, 12>>(in);
  scales_and_offsets result;
  for (std::size_t i = 0; i < 4; ++i) {
    auto const first_scale = static_cast<float>(packed[i] & 63);
    auto const first_offset = static_cast<float>(packed[i + 4] & 63);
    auto const later_scale = static_cast<float>((packed[i + 8] & 15) | ((packed[i] >> 6) << 4));
    auto const later_offset = static_cast<float>((packed[i + 8] >> 4) | ((packed[i + 4] >> 6) << 4));
    for (std::size_t run = 2 * i; run < 2 * i + 2; ++run) {
      result.scales[run] = d * first_scale;
      result.offsets[run] = m * first_offset;
      result.scales[run + 8] = d * later_scale;
      result.offsets[run + 8] = m * later_offset;
    }
  }
  return result;
}

/// Q4_K: float16 d, float16 m, 12 bytes of scales and offsets, 128 bytes of 4-bit codes: d scale code - m
/// offset.
inline void dequantize_q4_k(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 144, out += 256) {
    auto const [scales, offsets] =
        unpack_k_scales(in + 4, to_float(load<float16>(in)), to_float(load<float16>(in + 2)));
    auto const packed = load<std::array<std::uint8_t, 128>>(in + 16);
    super_codes codes;
    for (std::size_t part = 0; part < 4;
         ++part) {  // 32 bytes: 32 elements in the low halves, then 32 in the high ones
      for (std::size_t i = 0; i < 32; ++i) {
        codes[64 * part + i] = static_cast<std::int8_t>(packed[32 * part + i] & 15);
        codes[64 * part + 32 + i] = static_cast<std::int8_t>(packed[32 * part + i] >> 4);
      }
    }
    write_super_block(codes, scales, offsets, out);
  }
}

/// Q5_K: as Q4_K, with 32 bytes of fifth bits before the codes: bit k of byte i is that of element 32 k + i.
inline void dequantize_q5_k(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 176, out += 256) {
    auto const [scales, offsets] =
        unpack_k_scales(in + 4, to_float(load<float16>(in)), to_float(load<float16>(in + 2)));
    auto const fifth = load<std::array<std::uint8_t, 32>>(in + 16);
    auto const packed = load<std::array<std::uint8_t, 128>>(in + 48);
    super_codes codes;
    for (std::size_t part = 0; part < 4; ++part) {
      for (std::size_t i = 0; i < 32; ++i) {
        int const low = packed[32 * part + i] & 15;
        int const high = packed[32 * part + i] >> 4;
        codes[64 * part + i] = static_cast<std::int8_t>(low | (((fifth[i] >> (2 * part)) & 1) << 4));
        codes[64 * part + 32 + i] =
            static_cast<std::int8_t>(high | (((fifth[i] >> (2 * part + 1)) & 1) << 4));
      }
    }
    write_super_block(codes, scales, offsets, out);
  }
}

/// Q6_K: 128 bytes of low halves, 64 bytes of 2 high bits, 16 signed scales, float16 d: d scale (code - 32).
inline void dequantize_q6_k(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 210, out += 256) {
    auto const low = load<std::array<std::uint8_t, 128>>(in);
    auto const high = load<std::array<std::uint8_t, 64>>(in + 128);
    auto const packed_scales = load<std::array<std::int8_t, 16>>(in + 192);
    float const d = to_float(load<float16>(in + 208));
    super_codes codes;
    for (std::size_t part = 0; part < 8;
         ++part) {  // 32 elements each; four parts share 64 low and 32 high bytes
      std::size_t const half = part / 4, quarter = part % 4;
      for (std::size_t i = 0; i < 32; ++i) {
        int const four = (low[64 * half + 32 * (quarter % 2) + i] >> (quarter / 2 * 4)) & 15;
        int const two = (high[32 * half + i] >> (2 * quarter)) & 3;
        codes[32 * part + i] = static_cast<std::int8_t>((four | (two << 4)) - 32);
      }
    }
    run_values scales;
    for (std::size_t run = 0; run < 16; ++run) scales[run] = d * static_cast<float>(packed_scales[run]);
    write_super_block(codes, scales, out);
  }
}

/// What the 4-bit codes of the IQ4 formats stand for.
inline constexpr std::array<std::int8_t, 16> iq4_values{-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

/// IQ4_NL: blocks of 32, float16 d, 16 bytes of codes, low halves first: d value[code].
inline void dequantize_iq4_nl(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 18, out += 32) {
    float const d = to_float(load<float16>(in));
    auto const packed = load<std::array<std::uint8_t, 16>>(in + 2);
    for (std::size_t i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>(iq4_values[packed[i] & 15]);
      out[i + 16] = d * static_cast<float>(iq4_values[packed[i] >> 4]);
    }
  }
}

/// IQ4_XS: float16 d, 16 bits of high scale bits, 4 bytes of low ones, 128 bytes of codes: d (scale - 32)
/// value[code].
inline void dequantize_iq4_xs(std::byte const* in, std::ptrdiff_t blocks, float* out) {
  for (; blocks > 0; --blocks, in += 136, out += 256) {
    float const d = to_float(load<float16>(in));
    auto const high = load<std::uint16_t>(in + 2);
    auto const low = load<std::array<std::uint8_t, 4>>(in + 4);
    auto const packed = load<std::array<std::uint8_t, 128>>(in + 8);
    super_codes codes;
    run_values scales;
    for (std::size_t part = 0; part < 8;
         ++part) {  // 32 elements: 16 in the low halves of 16 bytes, 16 in the high ones
      int const scale = ((low[part / 2] >> (part % 2 * 4)) & 15) | (((high >> (2 * part)) & 3) << 4);
      scales[2 * part] = scales[2 * part + 1] = d * static_cast<float>(scale - 32);
      for (std::size_t i = 0; i < 16; ++i) {
        codes[32 * part + i] = iq4_values[packed[16 * part + i] & 15];
        codes[32 * part + 16 + i] = iq4_values[packed[16 * part + i] >> 4];
      }
    }
    write_super_block(codes, scales, out);
  }
}

}  // namespace lancet::detail
