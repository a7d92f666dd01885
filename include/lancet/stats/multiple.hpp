// SPDX-License-Identifier: Apache-2.0
// P-values adjusted for the number of tests: family-wise error and false discovery rate.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

/// What is kept below alpha, and under which dependence between the tests.
enum class multiplicity {
  bonferroni,           ///< family-wise error, any dependence
  sidak,                ///< family-wise error, independent tests
  holm,                 ///< family-wise error, any dependence; never weaker than bonferroni
  hochberg,             ///< family-wise error, independent or positively dependent tests
  hommel,               ///< the same, never weaker than hochberg; O(n^2)
  benjamini_hochberg,   ///< false discovery rate, independent or positively dependent tests
  benjamini_yekutieli,  ///< false discovery rate, any dependence
};

struct adjusted_tests {
  std::vector<double> p;     ///< adjusted, in the order of the input
  std::vector<bool> reject;  ///< p <= alpha
};

namespace detail {

/// Adjusted p-values after Wright (1992), of ascending p: p[i] times factor(i), then the running maximum from
/// below (step down) or the running minimum from above (step up).
template <class Factor>
void scale_step_down(std::span<double> p, Factor factor) {
  double largest = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = largest = std::max(largest, p[i] * factor(i));
}

template <class Factor>
void scale_step_up(std::span<double> p, Factor factor) {
  double smallest = 1.0;
  for (std::size_t i = p.size(); i-- > 0;) p[i] = smallest = std::min(smallest, p[i] * factor(i));
}

/// Hommel's adjusted p-values of ascending p. Test i is rejected when every set of tests that holds it has a
/// small Simes p-value, min over k of size / k * (k-th smallest p in the set). Among the sets of size m that
/// hold test i, the largest such value belongs to i together with the m - 1 largest p-values; where i is one
/// of these, a smaller size is what counts.
inline void adjust_hommel(std::span<double> p) {
  std::size_t const n = p.size();
  std::vector<double> const sorted(p.begin(), p.end());
  for (std::size_t m = n; m > 1; --m) {
    auto const size = static_cast<double>(m);
    double others = 1.0;
    for (std::size_t k = 2; k <= m; ++k) {
      others = std::min(others, size * sorted[n - m + k - 1] / static_cast<double>(k));
    }
    for (std::size_t i = 0; i < n; ++i) p[i] = std::max(p[i], std::min(others, size * sorted[i]));
  }
}

}  // namespace detail

/// Adjusts p-values, of which each is the smallest alpha at which its test is rejected. Ties are handled
/// alike in any order. O(n log n) but for hommel. Throws usage_error for a p-value outside [0, 1] or alpha
/// outside (0, 1).
[[nodiscard]] inline adjusted_tests adjust_p_values(std::span<double const> p, multiplicity method,
                                                    double alpha = 0.05) {
  detail::check_fraction("adjust_p_values: alpha", alpha);
  std::vector<std::size_t> order(p.size());
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!(p[i] >= 0.0 && p[i] <= 1.0)) {
      fail_expected("adjust_p_values", std::to_string(p[i]) + " at index " + std::to_string(i),
                    "p in [0, 1]");
    }
    order[i] = i;
  }
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  std::vector<double> sorted;
  for (std::size_t const i : order) sorted.push_back(p[i]);

  auto const n = static_cast<double>(p.size());
  auto const remaining = [n](std::size_t i) { return n - static_cast<double>(i); };
  auto const share = [n](std::size_t i) { return n / static_cast<double>(i + 1); };
  switch (method) {
    case multiplicity::bonferroni:
      for (double& value : sorted) value *= n;
      break;
    case multiplicity::sidak:
      for (double& value : sorted) value = -std::expm1(n * std::log1p(-value));
      break;
    case multiplicity::holm:
      detail::scale_step_down(sorted, remaining);
      break;
    case multiplicity::hochberg:
      detail::scale_step_up(sorted, remaining);
      break;
    case multiplicity::hommel:
      detail::adjust_hommel(sorted);
      break;
    case multiplicity::benjamini_hochberg:
      detail::scale_step_up(sorted, share);
      break;
    case multiplicity::benjamini_yekutieli: {
      double harmonic = 0.0;
      for (std::size_t i = 1; i <= p.size(); ++i) harmonic += 1.0 / static_cast<double>(i);
      detail::scale_step_up(sorted, [&](std::size_t i) { return harmonic * share(i); });
      break;
    }
  }

  adjusted_tests result{std::vector<double>(p.size()), std::vector<bool>(p.size())};
  for (std::size_t k = 0; k < order.size(); ++k) {
    result.p[order[k]] = std::min(1.0, sorted[k]);
    result.reject[order[k]] = result.p[order[k]] <= alpha;
  }
  return result;
}

}  // namespace lancet
