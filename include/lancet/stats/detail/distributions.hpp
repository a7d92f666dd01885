// SPDX-License-Identifier: Apache-2.0
// The normal and Student's distribution: the bodies of what stats/alternative.hpp declares.
#pragma once

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "lancet/core/inline.hpp"
#include "lancet/stats/alternative.hpp"

namespace lancet::detail {

LANCET_INLINE double normal_cdf(double z) { return boost::math::cdf(boost::math::normal{}, z); }

LANCET_INLINE double normal_quantile(double probability) {
  return boost::math::quantile(boost::math::normal{}, probability);
}

LANCET_INLINE double normal_p(double z, alternative claim) {
  return p_from_tails(normal_cdf(z), normal_cdf(-z), claim);
}

LANCET_INLINE double student_p(double t, double df, alternative claim) {
  boost::math::students_t const distribution{df};
  return p_from_tails(boost::math::cdf(distribution, t), boost::math::cdf(distribution, -t), claim);
}

LANCET_INLINE double student_quantile(double probability, double df) {
  return boost::math::quantile(boost::math::students_t{df}, probability);
}

}  // namespace lancet::detail
