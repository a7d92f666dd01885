// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE dequantize
#include "lancet/io/dequantize.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lancet/io/sha256.hpp"
#include "lancet/io/tensor_type.hpp"
#include "support/errors.hpp"

using lancet::dequantize;
using lancet::tensor_type;
using lancet_test::check_throws;

namespace {

/// The bytes of splitmix64's numbers.
std::vector<std::byte> random_bytes(std::uint64_t state, std::size_t count) {
  std::vector<std::byte> bytes;
  while (bytes.size() < count) {
    state += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    for (int i = 0; i < 64 && bytes.size() < count; i += 8) bytes.push_back(static_cast<std::byte>(z >> i));
  }
  return bytes;
}

struct reference {
  tensor_type type;
  std::vector<std::size_t> halves;  // where 16-bit floats stand in a block
  std::string sha256;               // of the floats, -0 counted as 0
};

// Hashes of what the Python package gguf 0.19.0 (gguf.quants.dequantize) makes of the same bytes: 50 blocks,
// 333 of plain types.
std::vector<reference> const references{
    {tensor_type::f16, {0}, "84320aa37c7c58d326387770ae2bda026fe02ab1b865bce771103663ff40d0a6"},
    {tensor_type::bf16, {0}, "697433a5bcd56193526f6bf0d28c689345c9da4226738c92caf955bc1957c882"},
    {tensor_type::q4_0, {0}, "93f5cebae71fc6ba2042ade251c4008005a8b4fb2c1c5f3bdb5eee57c288f65b"},
    {tensor_type::q4_1, {0, 2}, "24071c8124ded0fe0c69b92e04a16a1ce90a9a42a90c9772c56f93ab29e7bf8f"},
    {tensor_type::q5_0, {0}, "35a00708d82e522106ad90a54d54340bd96fb198db484738b5d9324f6ac62b02"},
    {tensor_type::q5_1, {0, 2}, "cdd1275d3313d49581b32f8782dd93bd093912505d78ea28a6b3813a05b556e0"},
    {tensor_type::q8_0, {0}, "fee631650b8fb37fa04519229d3d3aac6e68660fedec9c60776dc0936004304f"},
    {tensor_type::q2_k, {80, 82}, "0f71eed0b21d646d2761074b0602fa9f46647fe97677357791057c193827eaf5"},
    {tensor_type::q3_k, {108}, "31935b85272cac9daa6675a418ea295fc770081a7e5b700aca2da8766c42630c"},
    {tensor_type::q4_k, {0, 2}, "ceb299946852a9d90a196de6373d916ff4e4640425d2f9ff13e6fefda769997c"},
    {tensor_type::q5_k, {0, 2}, "5d11b149fb3e92c7683da0cf9db06ec9c58c3e91df8caf0c143dac53a9fc3455"},
    {tensor_type::q6_k, {208}, "7e9498929aaa8e4adc97985c6e95215a437d1eb5d5bcb5ddf0fda4034f2795fa"},
    {tensor_type::iq4_nl, {0}, "0dac806ffd2671ea7177ff13d706c5e166b3c11f50a7e504ef29d52cbad43d1c"},
    {tensor_type::iq4_xs, {0}, "c7fb942304d4b6603aeba14a7cd155ac2bd74a00f0ee792a84989c418b09100d"},
};

template <typename... Parts>
std::vector<std::byte> pack(Parts const&... parts) {
  std::vector<std::byte> bytes;
  auto const add = [&](auto const& part) {
    auto const view = std::as_bytes(std::span(&part, 1));
    bytes.insert(bytes.end(), view.begin(), view.end());
  };
  (add(parts), ...);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_format_against_ggmls_python_package) {
  for (reference const& expected : references) {
    auto const& row = row_of(expected.type);
    BOOST_TEST_CONTEXT(std::string(row.name)) {
      std::size_t const blocks = row.block_elements > 1 ? 50 : 333;
      auto bytes = random_bytes(static_cast<std::uint64_t>(row.ggml) + 1, blocks * row.block_bytes);
      for (std::size_t block = 0; block < blocks; ++block) {
        // Without the topmost bit of its exponent a 16-bit float is finite.
        for (std::size_t const half : expected.halves)
          bytes[block * row.block_bytes + half + 1] &= std::byte{0xbf};
      }
      std::vector<float> all(blocks * row.block_elements);
      dequantize(expected.type, bytes, all);
      for (float& x : all) x += 0.0f;
      BOOST_TEST(lancet::sha256(std::as_bytes(std::span(all))) == expected.sha256);
      // Any division into whole blocks gives the same numbers.
      for (std::size_t const step : {1u, 7u}) {
        std::vector<float> parts(all.size());
        for (std::size_t at = 0; at < blocks; at += step) {
          std::size_t const count = std::min(step, blocks - at);
          dequantize(expected.type, std::span(bytes).subspan(at * row.block_bytes, count * row.block_bytes),
                     std::span(parts).subspan(at * row.block_elements, count * row.block_elements));
        }
        for (float& x : parts) x += 0.0f;
        BOOST_TEST((parts == all));
      }
      // And so does any alignment of the bytes.
      for (std::size_t shift = 1; shift < 4; ++shift) {
        std::vector<std::byte> shifted(shift);
        shifted.insert(shifted.end(), bytes.begin(), bytes.end());
        std::vector<float> out(all.size());
        dequantize(expected.type, std::span(shifted).subspan(shift), out);
        for (float& x : out) x += 0.0f;
        BOOST_TEST((out == all));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_format_is_tested) {
  for (auto const& row : lancet::tensor_types) {
    bool tested =
        row.type == tensor_type::f32 || row.type == tensor_type::f64 || !lancet::is_dequantizable(row.type);
    for (auto const& expected : references) tested = tested || expected.type == row.type;
    BOOST_TEST(tested, std::string(row.name));
  }
}

BOOST_AUTO_TEST_CASE(blocks_by_hand) {
  std::vector<float> out(32);
  std::array<std::uint8_t, 16> codes{};
  codes[0] = 0xf0;  // element 0: code 0, element 16: code 15
  codes[3] = 0x08;
  dequantize(tensor_type::q4_1, pack(lancet::to_float16(0.5f), lancet::to_float16(-1.0f), codes), out);
  BOOST_TEST(out[0] == -1.0f);
  BOOST_TEST(out[16] == 6.5f);
  BOOST_TEST(out[3] == 3.0f);
  dequantize(tensor_type::q4_0, pack(lancet::to_float16(0.5f), codes), out);
  BOOST_TEST(out[0] == -4.0f);
  BOOST_TEST(out[16] == 3.5f);
  BOOST_TEST(out[3] == 0.0f);
  dequantize(tensor_type::q5_1,
             pack(lancet::to_float16(2.0f), lancet::to_float16(1.0f), std::uint32_t{0x10001}, codes), out);
  BOOST_TEST(out[0] == 33.0f);   // code 16
  BOOST_TEST(out[16] == 63.0f);  // code 31
  BOOST_TEST(out[1] == 1.0f);
  std::array<std::int8_t, 32> bytes{};
  bytes[0] = -128;
  bytes[31] = 127;
  dequantize(tensor_type::q8_0, pack(lancet::to_float16(0.25f), bytes), out);
  BOOST_TEST(out[0] == -32.0f);
  BOOST_TEST(out[31] == 31.75f);
}

BOOST_AUTO_TEST_CASE(plain_types) {
  std::vector<float> const floats{1.5f, -0.0f, 3e38f};
  std::vector<float> out(3);
  dequantize(tensor_type::f32, std::as_bytes(std::span(floats)), out);
  BOOST_TEST((out == floats));
  std::vector<double> doubles(131, 1.0 / 3.0);
  doubles[130] = 1e300;
  out.resize(131);
  dequantize(tensor_type::f64, std::as_bytes(std::span(doubles)), out);
  BOOST_TEST(out[0] == 1.0f / 3.0f);
  BOOST_TEST(out[129] == 1.0f / 3.0f);
  BOOST_TEST(std::isinf(out[130]));
  dequantize(tensor_type::q8_0, {}, std::span<float>());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit) {
  std::vector<std::byte> bytes(40);
  std::vector<float> out(64);
  check_throws<lancet::usage_error>(
      [&] { dequantize(tensor_type::q4_1, std::span(bytes).first(39), out); },
      "dequantize to 64 floats from Q4_1: got 39 bytes, expected 20 for each 32 elements");
  check_throws<lancet::usage_error>([&] { dequantize(tensor_type::q4_1, bytes, std::span(out).first(63)); },
                                    "63 floats");
  check_throws<lancet::usage_error>([&] { dequantize(tensor_type::q4_1, bytes, std::span(out).first(32)); },
                                    "got 40 bytes");
  check_throws<lancet::usage_error>([&] { dequantize(tensor_type::i32, bytes, std::span(out).first(10)); },
                                    "got elements of type I32, expected a floating-point or block format");
}
