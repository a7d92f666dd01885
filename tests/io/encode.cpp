// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_encode
#include "lancet/io/encode.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "lancet/io/dequantize.hpp"
#include "support/errors.hpp"

using namespace lancet;
using lancet_test::check_throws;

namespace {

std::vector<float> there_and_back(tensor_type type, std::vector<float> const& values) {
  std::vector<float> out(values.size());
  dequantize(type, encode(type, values, "test"), out);
  return out;
}

std::vector<float> some_values() {
  std::vector<float> out;
  for (int i = 0; i < 96; ++i)
    out.push_back(std::sin(static_cast<float>(i)) * std::pow(2.0F, static_cast<float>(i % 9 - 4)));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_type_comes_back_within_its_precision) {
  std::vector<float> const values = some_values();
  BOOST_TEST(there_and_back(tensor_type::f32, values) == values);
  std::vector<float> const half = there_and_back(tensor_type::f16, values),
                           brain = there_and_back(tensor_type::bf16, values),
                           eight = there_and_back(tensor_type::q8_0, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    BOOST_TEST(half[i] == to_float(to_float16(values[i])));
    BOOST_TEST(brain[i] == to_float(to_bfloat16(values[i])));
    float most = 0;
    for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) most = std::max(most, std::abs(values[j]));
    // Half a step of most / 127, and 127 steps that are wrong by float16's rounding, 2^-11.
    BOOST_TEST(std::abs(eight[i] - values[i]) <= most * (0.5F / 127 + 1.0F / 2048));
  }
  BOOST_TEST(there_and_back(tensor_type::q8_0, std::vector<float>(32)) == std::vector<float>(32));
  // What a block can hold exactly stays: multiples of a power of two, the largest 127 of them.
  std::vector<float> codes;
  for (int i = 0; i < 32; ++i) codes.push_back(static_cast<float>(i == 7 ? -127 : 4 * i) / 64);
  BOOST_TEST(there_and_back(tensor_type::q8_0, codes) == codes);
  BOOST_TEST(encode(tensor_type::f32, {}, "nothing").empty());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_stored_is_refused) {
  auto const refused = [](tensor_type type, std::vector<float> const& values, char const* sentence) {
    check_throws<usage_error>([&] { static_cast<void>(encode(type, values, "tensor 'w'")); }, sentence);
  };
  float const nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  refused(tensor_type::q4_0, std::vector<float>(32),
          "tensor 'w': got type Q4_0, expected F32, F16, BF16 or Q8_0");
  refused(tensor_type::i32, {1}, "got type I32");
  refused(tensor_type::q8_0, std::vector<float>(33),
          "got 33 elements of type Q8_0, expected a multiple of 32");
  refused(tensor_type::f32, {1, nan}, "got a value that is NaN or infinite, expected numbers");
  refused(tensor_type::f16, {inf}, "NaN or infinite");
  refused(tensor_type::f16, {65520}, "expected values that F16 can hold");
  refused(tensor_type::bf16, {3.4e38F}, "expected values that BF16 can hold");
  std::vector<float> large(32);
  large[3] = 9e6F;
  refused(tensor_type::q8_0, large, "expected values that Q8_0 can hold");
  BOOST_TEST(there_and_back(tensor_type::f16, {65504, 65519}) == (std::vector<float>{65504, 65504}));
}
