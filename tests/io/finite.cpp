// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE finite
#include "lancet/io/finite.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "support/errors.hpp"

using lancet_test::check_throws;

BOOST_AUTO_TEST_CASE(every_position_of_every_size) {
  using limits = std::numeric_limits<float>;
  for (std::size_t const size : {1u, 2u, 1023u, 1024u, 1025u, 2500u}) {
    std::vector<float> values(size, limits::max());
    values[0] = limits::denorm_min();
    BOOST_TEST(lancet::all_finite(values));
    lancet::check_finite(values, "w", "f");
    for (std::size_t i = 0; i < size; i += size < 100 ? 1 : 61) {
      for (float const bad : {limits::quiet_NaN(), -limits::quiet_NaN(), limits::signaling_NaN(),
                              limits::infinity(), -limits::infinity()}) {
        float const good = values[i];
        values[i] = bad;
        BOOST_TEST(!lancet::all_finite(values));
        check_throws<lancet::file_error>(
            [&] { lancet::check_finite(values, "blk.3.w", "m.gguf", 10); },
            "m.gguf: tensor 'blk.3.w': element " + std::to_string(i + 10) + " is ");
        values[i] = good;
      }
    }
  }
  BOOST_TEST(lancet::all_finite({}));
}

BOOST_AUTO_TEST_CASE(which_of_them) {
  std::vector<float> const nan{1, std::numeric_limits<float>::quiet_NaN()},
      infinite{-std::numeric_limits<float>::infinity()};
  check_throws<lancet::file_error>([&] { lancet::check_finite(nan, "w", "f"); },
                                   "element 1 is NaN, expected a number");
  check_throws<lancet::file_error>([&] { lancet::check_finite(infinite, "w", "f"); },
                                   "element 0 is infinite");
}
