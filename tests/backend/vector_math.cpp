// SPDX-License-Identifier: Apache-2.0
// The vector exp against std::exp in double, and sums and maxima of fixed order.
#define BOOST_TEST_MODULE backend_vector_math
#include "lancet/backend/host/vector_math.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using lancet::index;
namespace host = lancet::host;

BOOST_AUTO_TEST_CASE(exp_is_right_to_two_units_in_the_last_place) {
  double worst = 0;
  auto const check = [&](float x) {
    double const exact = std::exp(static_cast<double>(x));
    double const unit = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(static_cast<double>(host::exp(x)) - exact) / unit);
  };
  for (std::uint64_t i = 0; i < 2'000'000; ++i) check(static_cast<float>(87.5 * uniform(1, i) + 0.5));
  for (std::uint64_t i = 0; i < 200'000; ++i) check(static_cast<float>(uniform(2, i)));
  for (float const x : {0.0F, -0.0F, 1e-30F, -87.0F, 88.0F}) check(x);
  BOOST_TEST(worst <= 2.0);
  BOOST_TEST(host::exp(0.0F) == 1.0F);
}

BOOST_AUTO_TEST_CASE(exp_saturates_instead_of_overflowing) {
  float const infinity = std::numeric_limits<float>::infinity();
  BOOST_TEST(host::exp(-1000.0F) == host::exp(-87.0F));
  BOOST_TEST(host::exp(-infinity) == host::exp(-87.0F));
  BOOST_TEST(host::exp(-infinity) <= 1.7e-38F);
  BOOST_TEST(host::exp(1000.0F) == host::exp(88.0F));
  BOOST_TEST(std::isfinite(host::exp(infinity)));
  BOOST_TEST(host::exp(1.0) == std::exp(1.0));
}

BOOST_AUTO_TEST_CASE(sums) {
  for (index n = 0; n <= 70; ++n) {
    auto const integer = [](index j) { return static_cast<double>(j * j % 17); };
    double expected = 0;
    for (index j = 0; j < n; ++j) expected += integer(j);
    BOOST_TEST(host::lane_sum<double>(n, integer) == expected);
  }
}

// What lets a row of attention have the same bits with a longer, masked tail.
BOOST_AUTO_TEST_CASE(appending_zeros_changes_no_bit_of_a_sum) {
  for (index n = 1; n < 60; ++n)
    for (index zeros = 0; zeros < 40; ++zeros) {
      auto const x = [&](index j) {
        return j < n ? static_cast<float>(uniform(3, static_cast<std::uint64_t>(j))) : 0.0F;
      };
      BOOST_REQUIRE(host::lane_sum<float>(n + zeros, x) == host::lane_sum<float>(n, x));
    }
}

BOOST_AUTO_TEST_CASE(maxima) {
  for (index n = 1; n <= 50; ++n)
    for (index at = 0; at < n; ++at) {
      std::vector<float> x(static_cast<std::size_t>(n), -3.0F);
      x[static_cast<std::size_t>(at)] = -2.0F;
      BOOST_REQUIRE(host::lane_max(n, x.data()) == -2.0F);
    }
}

}  // namespace
}  // namespace lancet_test
