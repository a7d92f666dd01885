// SPDX-License-Identifier: Apache-2.0
// What rank tests share: exact or asymptotic p-values, given the ranks and their ties.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "lancet/stats/alternative.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

/// How a p-value is computed.
enum class p_method {
  automatic,   ///< exact for few values without ties (each test says how few), asymptotic otherwise
  exact,       ///< the permutation distribution given the ranks, so it is right with ties too
  asymptotic,  ///< a normal approximation with the variance corrected for ties
};

struct rank_test_result {
  double statistic;
  double p;
  p_method method;  ///< the one used: exact or asymptotic
};

namespace detail {

/// Throws usage_error where an exact distribution would take too long.
inline void check_exact(char const* where, std::size_t n, std::size_t most) {
  if (n <= most) return;
  fail_expected(where, "an exact p for " + std::to_string(n) + " values",
                "at most " + std::to_string(most) + ", or p_method::asymptotic");
}

/// The p-value of `value` when weight[s] is proportional to the probability of s. Halves are counted in whole
/// numbers, as doubled mean ranks, so comparisons are exact.
[[nodiscard]] inline double p_from_weights(std::span<double const> weight, std::size_t value,
                                           alternative claim) {
  double below = 0.0;
  double above = 0.0;
  for (std::size_t s = 0; s < value; ++s) below += weight[s];
  for (std::size_t s = weight.size(); s-- > value + 1;) above += weight[s];
  double const total = below + weight[value] + above;
  return p_from_tails((below + weight[value]) / total, (above + weight[value]) / total, claim);
}

[[nodiscard]] inline std::size_t doubled(double rank) {
  return static_cast<std::size_t>(std::lround(2.0 * rank));
}

/// Sum over groups of equal values of t^3 - t.
[[nodiscard]] inline double tie_term(std::span<std::size_t const> ties) {
  double sum = 0.0;
  for (std::size_t const tie : ties) {
    auto const t = static_cast<double>(tie);
    sum += t * t * t - t;
  }
  return sum;
}

/// The p-value of a statistic that is `excess` above its mean. Without variance there is no evidence: p = 1.
[[nodiscard]] inline double approximate_p(double excess, double variance, bool corrected, alternative claim) {
  if (!(variance > 0.0)) return 1.0;
  if (corrected) {
    double const two_sided = excess > 0.0 ? 0.5 : (excess < 0.0 ? -0.5 : 0.0);
    excess -= claim == alternative::greater ? 0.5 : (claim == alternative::less ? -0.5 : two_sided);
  }
  return normal_p(excess / std::sqrt(variance), claim);
}

}  // namespace detail
}  // namespace lancet
