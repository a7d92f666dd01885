// SPDX-License-Identifier: Apache-2.0
// Wilcoxon's signed-rank test for pairs, exact or by normal approximation.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "lancet/stats/alternative.hpp"
#include "lancet/stats/rank_test.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

/// What becomes of pairs with x = y in Wilcoxon's test.
enum class zero_differences {
  dropped,  ///< before ranking (Wilcoxon)
  ranked,   ///< they take their ranks, which then count for neither side (Pratt)
  split,    ///< half of their ranks counts for each side
};

struct wilcoxon_options {
  alternative claim = alternative::two_sided;
  p_method method = p_method::automatic;
  zero_differences zeros = zero_differences::dropped;
  bool continuity_correction =
      false;  ///< of the asymptotic p-value: the statistic is moved by 1/2 towards its mean
};

namespace detail {

/// P-value of a sum of ranks of which each is in or out with probability 1/2.
[[nodiscard]] inline double exact_signed_ranks(std::span<double const> ranks, double sum, alternative claim) {
  std::vector<double> weight{1.0};
  for (double const rank : ranks) {
    std::size_t const step = doubled(rank);
    weight.resize(weight.size() + step);
    for (std::size_t s = weight.size(); s-- > 0;) {
      weight[s] = 0.5 * (weight[s] + (s >= step ? weight[s - step] : 0.0));
    }
  }
  return p_from_weights(weight, doubled(sum), claim);
}

}  // namespace detail

/// Are the differences x - y symmetric about 0? The statistic is W+, the sum of the ranks of |x - y| over the
/// pairs with x > y, or min(W+, W-) for the two-sided alternative. Automatic: exact up to 25 differences
/// without ties or zeros. No difference other than 0 gives p = 1. Throws usage_error for lengths that differ,
/// no pairs, a value that is not finite, or an exact p for more than 1000 pairs.
[[nodiscard]] inline rank_test_result wilcoxon_signed_rank(std::span<double const> x,
                                                           std::span<double const> y,
                                                           wilcoxon_options options = {}) {
  detail::check_pairs("wilcoxon_signed_rank", x, y, 1);
  auto d = detail::differences(x, y);
  auto const zeros = static_cast<std::size_t>(std::count(d.begin(), d.end(), 0.0));
  if (options.zeros == zero_differences::dropped) d.erase(std::remove(d.begin(), d.end(), 0.0), d.end());
  auto magnitude = d;
  for (double& value : magnitude) value = std::abs(value);
  ranking ranks = rank_sample(magnitude);

  double plus = 0.0;   // ranks of positive differences
  double minus = 0.0;  // of negative ones
  std::vector<double> signed_ranks;
  for (std::size_t i = 0; i < d.size(); ++i) {
    if (d[i] == 0.0) continue;
    (d[i] > 0.0 ? plus : minus) += ranks.rank[i];
    signed_ranks.push_back(ranks.rank[i]);
  }

  bool const small = d.size() <= 25 && zeros == 0 && ranks.ties.empty();
  bool const exact = options.method == p_method::exact || (options.method == p_method::automatic && small);
  rank_test_result result{0.0, 1.0, exact ? p_method::exact : p_method::asymptotic};
  if (exact) {
    detail::check_exact("wilcoxon_signed_rank", signed_ranks.size(), 1000);
    result.p = detail::exact_signed_ranks(signed_ranks, plus, options.claim);
  }

  auto const n = static_cast<double>(d.size());
  auto const n_zero = static_cast<double>(d.size() - signed_ranks.size());
  double mean = n * (n + 1.0) / 4.0;
  double variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0;
  if (options.zeros ==
      zero_differences::ranked) {  // the zeros' ranks have no sign (Cureton 1967), nor are they ties
    mean -= n_zero * (n_zero + 1.0) / 4.0;
    variance -= n_zero * (n_zero + 1.0) * (2.0 * n_zero + 1.0) / 24.0;
    if (n_zero > 1.0) ranks.ties.erase(ranks.ties.begin());
  }
  if (options.zeros == zero_differences::split) {
    plus += n_zero * (n_zero + 1.0) / 4.0;
    minus += n_zero * (n_zero + 1.0) / 4.0;
  }
  variance -= detail::tie_term(ranks.ties) / 48.0;
  if (!exact && !signed_ranks.empty()) {
    result.p = detail::approximate_p(plus - mean, variance, options.continuity_correction, options.claim);
  }
  result.statistic = options.claim == alternative::two_sided ? std::min(plus, minus) : plus;
  return result;
}

}  // namespace lancet
