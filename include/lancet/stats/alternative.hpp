// SPDX-License-Identifier: Apache-2.0
// Alternatives of a test, and p-values of the normal and Student's distribution under them.
#pragma once

#include <algorithm>

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

[[nodiscard]] double normal_cdf(double z);

/// Precondition: 0 < probability < 1.
[[nodiscard]] double normal_quantile(double probability);

/// The p-value of a standard normal statistic, which may be infinite.
[[nodiscard]] double normal_p(double z, alternative claim);

/// The p-value of a statistic of Student's distribution with df > 0 degrees of freedom, which may be
/// infinite.
[[nodiscard]] double student_p(double t, double df, alternative claim);

/// The t with P(T <= t) = probability. Preconditions: 0 < probability < 1, df > 0.
[[nodiscard]] double student_quantile(double probability, double df);

}  // namespace detail
}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/stats/detail/distributions.hpp"
#endif
