// SPDX-License-Identifier: Apache-2.0
// Comparison within an absolute tolerance; include it after Boost.Test.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string_view>

namespace lancet_test {

/// Fails, with both numbers, unless |got - expected| <= tolerance. A NaN is near nothing; equal infinities
/// are.
inline void near(double got, double expected, double tolerance, std::string_view what = "") {
  bool const close = got == expected || std::abs(got - expected) <= tolerance;
  BOOST_CHECK_MESSAGE(close, what << ": got " << got << ", expected " << expected << ", difference "
                                  << got - expected << ", tolerance " << tolerance);
}

}  // namespace lancet_test
