// SPDX-License-Identifier: Apache-2.0
// The U test of Mann and Whitney (Wilcoxon's rank sum) for two samples, exact or by normal approximation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "lancet/stats/alternative.hpp"
#include "lancet/stats/rank_test.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

struct mann_whitney_options {
  alternative claim = alternative::two_sided;
  p_method method = p_method::automatic;
  bool continuity_correction = true;  ///< of the asymptotic p-value
};

namespace detail {

/// Most values for which the distribution of a rank sum is computed: half a second and 25 MB.
inline constexpr std::size_t most_exact_rank_sum = 200;

/// P-value of the sum of `count` of the ranks, all subsets of that size being equally likely.
[[nodiscard]] inline double exact_rank_sum(std::span<double const> ranks, std::size_t count, double sum,
                                           alternative claim) {
  std::vector<std::size_t> steps;
  for (double const rank : ranks) steps.push_back(doubled(rank));
  std::size_t value = doubled(sum);
  if (2 * count > steps.size()) {  // the complement is the smaller problem
    value = std::accumulate(steps.begin(), steps.end(), std::size_t{0}) - value;
    count = steps.size() - count;
    if (claim != alternative::two_sided) {
      claim = claim == alternative::less ? alternative::greater : alternative::less;
    }
  }
  std::sort(steps.begin(), steps.end());
  std::vector<std::size_t> up_to(steps.size() + 1, 0);  // sum of the smallest ones
  std::partial_sum(steps.begin(), steps.end(), up_to.begin() + 1);
  // chosen[k][s]: share of the subsets of the ranks seen so far that have k members with doubled sum s.
  std::vector<std::vector<double>> chosen(
      count + 1, std::vector<double>(up_to.back() - up_to[steps.size() - count] + 1, 0.0));
  chosen[0][0] = 1.0;
  for (std::size_t seen = 1; seen <= steps.size(); ++seen) {
    std::size_t const step = steps[seen - 1];
    for (std::size_t k = std::min(count, seen); k > 0; --k) {
      std::size_t const most = up_to[seen] - up_to[seen - k];  // no k of those seen sum to more
      for (std::size_t s = 0; s <= most; ++s) {
        chosen[k][s] = 0.5 * (chosen[k][s] + (s >= step ? chosen[k - 1][s - step] : 0.0));
      }
    }
    chosen[0][0] *= 0.5;
  }
  return p_from_weights(chosen[count], value, claim);
}

}  // namespace detail

/// Is a value of x as likely above as below a value of y? The statistic is U, the number of pairs (x, y) with
/// x > y, equal ones counting 1/2. Automatic: exact where one sample has at most 8 values, both together at
/// most 200, and there are no ties. Throws usage_error for an empty sample, a value that is not finite, or an
/// exact p for more than 200 values.
[[nodiscard]] inline rank_test_result mann_whitney(std::span<double const> x, std::span<double const> y,
                                                   mann_whitney_options options = {}) {
  detail::check_sample("mann_whitney: x", x, 1);
  detail::check_sample("mann_whitney: y", y, 1);
  std::vector<double> all(x.begin(), x.end());
  all.insert(all.end(), y.begin(), y.end());
  ranking const ranks = rank_sample(all);
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += ranks.rank[i];
  auto const nx = static_cast<double>(x.size());
  auto const ny = static_cast<double>(y.size());
  double const u = sum - nx * (nx + 1.0) / 2.0;

  bool const small =
      std::min(x.size(), y.size()) <= 8 && all.size() <= detail::most_exact_rank_sum && ranks.ties.empty();
  if (options.method == p_method::exact || (options.method == p_method::automatic && small)) {
    detail::check_exact("mann_whitney", all.size(), detail::most_exact_rank_sum);
    return {u, detail::exact_rank_sum(ranks.rank, x.size(), sum, options.claim), p_method::exact};
  }
  double const n = nx + ny;
  double const variance = nx * ny / 12.0 * (n + 1.0 - detail::tie_term(ranks.ties) / (n * (n - 1.0)));
  return {u, detail::approximate_p(u - nx * ny / 2.0, variance, options.continuity_correction, options.claim),
          p_method::asymptotic};
}

}  // namespace lancet
