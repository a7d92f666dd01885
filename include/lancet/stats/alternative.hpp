// SPDX-License-Identifier: Apache-2.0
// Alternatives of a test, and p-values of the normal and Student's distribution under them.
#pragma once

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace lancet {

/// What is claimed against the null hypothesis: x differs from y, is less, or is greater (for a correlation:
/// it differs from 0, is negative, or is positive).
enum class alternative { two_sided, less, greater };

namespace detail {

/// The p-value from P(T <= t) and P(T >= t).
[[nodiscard]] inline double p_from_tails(double lower, double upper, alternative claim) {
  switch (claim) {
    case alternative::less:
      return lower;
    case alternative::greater:
      return upper;
    case alternative::two_sided:
      break;
  }
  return std::min(1.0, 2.0 * std::min(lower, upper));
}

[[nodiscard]] inline double normal_cdf(double z) { return boost::math::cdf(boost::math::normal{}, z); }

/// Precondition: 0 < probability < 1.
[[nodiscard]] inline double normal_quantile(double probability) {
  return boost::math::quantile(boost::math::normal{}, probability);
}

/// The p-value of a standard normal statistic, which may be infinite.
[[nodiscard]] inline double normal_p(double z, alternative claim) {
  return p_from_tails(normal_cdf(z), normal_cdf(-z), claim);
}

/// The p-value of a statistic of Student's distribution with df > 0 degrees of freedom, which may be
/// infinite.
[[nodiscard]] inline double student_p(double t, double df, alternative claim) {
  boost::math::students_t const distribution{df};
  return p_from_tails(boost::math::cdf(distribution, t), boost::math::cdf(distribution, -t), claim);
}

/// The t with P(T <= t) = probability. Preconditions: 0 < probability < 1, df > 0.
[[nodiscard]] inline double student_quantile(double probability, double df) {
  return boost::math::quantile(boost::math::students_t{df}, probability);
}

}  // namespace detail
}  // namespace lancet
