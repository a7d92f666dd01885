// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE half
#include "lancet/io/half.hpp"

#include <Eigen/Core>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using lancet::bfloat16;
using lancet::float16;

namespace {
bool same(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

// Every value of the 16-bit type, their midpoints, the neighbours of both, and random floats.
template <typename Half>
std::vector<float> interesting() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    float const a = lancet::to_float(Half{static_cast<std::uint16_t>(bits)});
    float const b = lancet::to_float(Half{static_cast<std::uint16_t>(bits + 1)});
    for (float const x : {a, a + (b - a) / 2}) {
      values.push_back(x);
      values.push_back(std::nextafter(x, std::numeric_limits<float>::infinity()));
      values.push_back(std::nextafter(x, -std::numeric_limits<float>::infinity()));
    }
  }
  std::mt19937 random(20260725);
  for (int i = 0; i < 1'000'000; ++i)
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  return values;
}
}  // namespace

BOOST_AUTO_TEST_CASE(all_65536_values_against_eigen) {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    auto const bits = static_cast<std::uint16_t>(i);
    float const half = lancet::to_float(float16{bits});
    float const brain = lancet::to_float(bfloat16{bits});
    wrong += same(half, static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits))) ? 0 : 1;
    wrong += same(brain, static_cast<float>(Eigen::numext::bit_cast<Eigen::bfloat16>(bits))) ? 0 : 1;
    // And back: the same bits, but for the payload of NaN.
    wrong += std::isnan(half) || lancet::to_float16(half).bits == bits ? 0 : 1;
    wrong += std::isnan(brain) || lancet::to_bfloat16(brain).bits == bits ? 0 : 1;
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(rounding_against_eigen) {
  int wrong = 0;
  for (float const x : interesting<float16>()) {
    auto const ours = lancet::to_float16(x).bits;
    auto const theirs = Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(x));
    wrong += std::isnan(x) ? (std::isnan(lancet::to_float(float16{ours})) ? 0 : 1) : ours == theirs ? 0 : 1;
  }
  BOOST_TEST(wrong == 0);
  for (float const x : interesting<bfloat16>()) {
    auto const ours = lancet::to_bfloat16(x).bits;
    auto const theirs = Eigen::numext::bit_cast<std::uint16_t>(Eigen::bfloat16(x));
    wrong += std::isnan(x) ? (std::isnan(lancet::to_float(bfloat16{ours})) ? 0 : 1) : ours == theirs ? 0 : 1;
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(known_values) {
  static_assert(lancet::to_float(float16{0x3c00}) == 1.0f);
  static_assert(lancet::to_float(float16{0x7bff}) == 65504.0f);
  static_assert(lancet::to_float(float16{0x0001}) == 0x1p-24f);
  static_assert(lancet::to_float(float16{0xc000}) == -2.0f);
  static_assert(lancet::to_float(bfloat16{0x3f80}) == 1.0f);
  static_assert(lancet::to_float16(65519.0f).bits == 0x7bff);
  static_assert(lancet::to_float16(65520.0f).bits == 0x7c00);  // the tie goes to the even one: infinity
  static_assert(lancet::to_float16(0x1p-25f).bits == 0);       // the tie goes to 0
  static_assert(lancet::to_float16(-0.0f).bits == 0x8000);
  static_assert(float16{1} == float16{1});
  BOOST_TEST(std::isinf(lancet::to_float(float16{0xfc00})));
}
