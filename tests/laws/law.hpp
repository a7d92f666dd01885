// SPDX-License-Identifier: Apache-2.0
// What the laws share. A law is written once, with what every backend has: data go in by `upload` and come
// out by `download`, and no element is touched. `backends`, `rows_are_independent` and `longest_text` are those of
// the header in backends/ that was included before.
#pragma once

#include <algorithm>
#include <boost/mpl/not.hpp>
#include <boost/mpl/placeholders.hpp>
#include <boost/mpl/remove_if.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <span>
#include <string>
#include <string_view>

#include "lancet/core/executor.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

/// One of two tolerances. Rounding is 6e-8 in float and 1e-16 in double; laws allow for its growth over the
/// sums of an operation or of a small model's pass, and stay far below what a wrong term would change.
template <class B>
[[nodiscard]] constexpr double by_scalar(double in_float, double in_double) {
  return sizeof(typename B::scalar) == sizeof(float) ? in_float : in_double;
}

template <class B>
struct in_double : std::is_same<typename B::scalar, double> {};
/// Of `backends`, those in double: finite differences need its digits.
using precise_backends = boost::mpl::remove_if<backends, boost::mpl::not_<in_double<boost::mpl::_1>>>::type;

/// max |x − y| / max(1, |y|); infinite where the sizes differ, or a number is none.
[[nodiscard]] inline double difference(std::span<double const> x, std::span<double const> y) {
  if (x.size() != y.size()) return HUGE_VAL;
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double const d = x[i] == y[i] ? 0 : std::abs(x[i] - y[i]) / std::max(1.0, std::abs(y[i]));
    if (std::isnan(d)) return HUGE_VAL;
    worst = std::max(worst, d);
  }
  return worst;
}

inline void check_close(std::span<double const> got, std::span<double const> expected, double tolerance,
                        std::string_view what) {
  double const d = difference(got, expected);
  BOOST_CHECK_MESSAGE(d <= tolerance, what << ": differs by " << d << ", tolerance " << tolerance);
}
template <class B>
void check_close(std::type_identity_t<lancet::const_view<B>> got,
                 std::type_identity_t<lancet::const_view<B>> expected, double tolerance,
                 std::string_view what) {
  BOOST_CHECK_MESSAGE(got.rows == expected.rows && got.cols == expected.cols, what << ": shapes differ");
  check_close(numbers<B>(got), numbers<B>(expected), tolerance, what);
}

/// The tolerance for one row's result beside other rows: none where the backend promises that.
[[nodiscard]] constexpr double beside_others(double tolerance) {
  return rows_are_independent ? 0 : tolerance;
}

/// Calls f(threads) with several numbers of threads at work, and leaves one.
template <class F>
void for_thread_counts(F&& f) {
  for (int const threads : {2, 3}) {
    lancet::set_threads(threads);
    f(threads);
  }
  lancet::set_threads(1);
}

}  // namespace lancet_test
