// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE checked
#include "lancet/io/checked.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>

#include "support/errors.hpp"

using lancet::checked_size;
using lancet_test::check_throws;

namespace {
constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
}

BOOST_AUTO_TEST_CASE(arithmetic_that_fits) {
  checked_size const seven(7, "f");
  BOOST_TEST((seven * 6 + 0).value() == 42u);
  BOOST_TEST((checked_size(largest - 1, "f") + 1).value() == largest);
  BOOST_TEST((checked_size(std::uint64_t{1} << 32, "f") * ((std::uint64_t{1} << 32) - 1)).value() ==
             largest - 0xffffffffu);
  BOOST_TEST((checked_size(0, "f") * largest).value() == 0u);
  BOOST_TEST((checked_size(largest, "f") * 0).value() == 0u);
  BOOST_TEST(seven.as_index() == 7);
}

BOOST_AUTO_TEST_CASE(arithmetic_that_would_wrap) {
  check_throws<lancet::file_error>([] { (void)(checked_size(largest, "m.gguf") + 1); },
                                   "m.gguf: the size 18446744073709551615 + 1 does not fit into 64 bits");
  check_throws<lancet::file_error>(
      [] { (void)(checked_size(std::uint64_t{1} << 32, "m.gguf") * (std::uint64_t{1} << 32)); },
      "4294967296 * 4294967296 does not fit");
  check_throws<lancet::file_error>([] { (void)(checked_size(largest / 3 + 1, "f") * 3); }, "does not fit");
  check_throws<lancet::file_error>([] { (void)checked_size(std::uint64_t{1} << 63, "f").as_index(); },
                                   "beyond what can be addressed");
}

BOOST_AUTO_TEST_CASE(alignment) {
  BOOST_TEST(checked_size(0, "f").aligned_to(32).value() == 0u);
  BOOST_TEST(checked_size(1, "f").aligned_to(32).value() == 32u);
  BOOST_TEST(checked_size(32, "f").aligned_to(32).value() == 32u);
  BOOST_TEST(checked_size(33, "f").aligned_to(1).value() == 33u);
  check_throws<lancet::file_error>([] { (void)checked_size(largest - 3, "f").aligned_to(32); },
                                   "does not fit");
}
