// SPDX-License-Identifier: Apache-2.0
// Correlation of pairs: Pearson's r, Spearman's rho, Kendall's tau-b; Kendall's in O(n log n) after Knight
// (1966).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "lancet/stats/alternative.hpp"
#include "lancet/stats/rank_test.hpp"
#include "lancet/stats/sample.hpp"

namespace lancet {

struct correlation_result {
  double value;  ///< in [-1, 1]; NaN where x or y is constant, because a correlation is undefined then
  double p;      ///< of no correlation; NaN with the value
};

namespace detail {

inline constexpr correlation_result no_correlation = {std::numeric_limits<double>::quiet_NaN(),
                                                      std::numeric_limits<double>::quiet_NaN()};

[[nodiscard]] inline bool is_constant(std::span<double const> x) {
  return std::all_of(x.begin(), x.end(), [&](double value) { return value == x.front(); });
}

/// r and its p-value by Student's t with n - 2 degrees of freedom.
[[nodiscard]] inline correlation_result linear_correlation(std::span<double const> x,
                                                           std::span<double const> y, alternative claim) {
  if (is_constant(x) || is_constant(y)) return no_correlation;
  double const mean_x = sample_mean(x);
  double const mean_y = sample_mean(y);
  // Scaled by the largest deviation, so that the squares of tiny or huge values stay in range.
  double scale_x = 0.0;
  double scale_y = 0.0;
  for (double const value : x) scale_x = std::max(scale_x, std::abs(value - mean_x));
  for (double const value : y) scale_y = std::max(scale_y, std::abs(value - mean_y));
  double xx = 0.0;
  double yy = 0.0;
  double xy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double const dx = (x[i] - mean_x) / scale_x;
    double const dy = (y[i] - mean_y) / scale_y;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  double const r = std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
  double const df = static_cast<double>(x.size()) - 2.0;
  double const unexplained = (1.0 - r) * (1.0 + r);
  double const t = unexplained > 0.0 ? r * std::sqrt(df / unexplained)
                                     : std::copysign(std::numeric_limits<double>::infinity(), r);
  return {r, student_p(t, df, claim)};
}

/// Sorts `values` and returns the number of pairs i < j with values[i] > values[j].
inline double sort_counting_inversions(std::vector<std::size_t>& values) {
  std::vector<std::size_t> merged(values.size());
  double inversions = 0.0;
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t begin = 0; begin < values.size(); begin += 2 * width) {
      std::size_t const middle = std::min(begin + width, values.size());
      std::size_t const end = std::min(begin + 2 * width, values.size());
      for (std::size_t left = begin, right = middle, out = begin; out < end; ++out) {
        bool const take_right = left == middle || (right < end && values[right] < values[left]);
        if (take_right) inversions += static_cast<double>(middle - left);
        merged[out] = values[take_right ? right++ : left++];
      }
    }
    values.swap(merged);
  }
  return inversions;
}

/// Sum over groups of equal values of f(t), t being the size of the group.
template <class Function>
[[nodiscard]] double sum_over_ties(std::span<std::size_t const> ties, Function f) {
  double sum = 0.0;
  for (std::size_t const tie : ties) sum += f(static_cast<double>(tie));
  return sum;
}

/// P-value of `discordant` inversions among the equally likely orders of n values.
[[nodiscard]] inline double exact_inversions(std::size_t n, double discordant, alternative claim) {
  std::vector<double> probability{1.0};
  for (std::size_t k = 2; k <= n; ++k) {  // the k-th value makes 0 .. k-1 inversions with those before it
    std::vector<double> next(probability.size() + k - 1);
    for (std::size_t s = 0; s < next.size(); ++s) {
      for (std::size_t j = s >= k ? s - k + 1 : 0; j <= s && j < probability.size(); ++j)
        next[s] += probability[j];
      next[s] /= static_cast<double>(k);
    }
    probability.swap(next);
  }
  double const pairs = static_cast<double>(probability.size() - 1);
  return p_from_weights(probability, static_cast<std::size_t>(pairs - discordant), claim);
}

}  // namespace detail

/// Pearson's r, with the p-value that is exact for normal samples (Student's t, n - 2 degrees of freedom).
/// Throws usage_error for lengths that differ, fewer than three pairs, or a value that is not finite.
[[nodiscard]] inline correlation_result pearson(std::span<double const> x, std::span<double const> y,
                                                alternative claim = alternative::two_sided) {
  detail::check_pairs("pearson", x, y, 3);
  return detail::linear_correlation(x, y, claim);
}

/// Spearman's rho: Pearson's r of the mean ranks, with the p-value of Student's t, n - 2 degrees of freedom.
/// Throws as pearson.
[[nodiscard]] inline correlation_result spearman(std::span<double const> x, std::span<double const> y,
                                                 alternative claim = alternative::two_sided) {
  detail::check_pairs("spearman", x, y, 3);
  return detail::linear_correlation(rank_sample(x).rank, rank_sample(y).rank, claim);
}

struct kendall_options {
  alternative claim = alternative::two_sided;
  p_method method = p_method::automatic;  ///< automatic: exact up to 33 pairs without ties
};

/// Kendall's tau-b = (concordant - discordant) / sqrt(pairs not tied in x * pairs not tied in y). Throws as
/// pearson, and for an exact p-value with ties or for more than 100 pairs.
[[nodiscard]] inline correlation_result kendall_tau_b(std::span<double const> x, std::span<double const> y,
                                                      kendall_options options = {}) {
  detail::check_pairs("kendall_tau_b", x, y, 3);
  if (detail::is_constant(x) || detail::is_constant(y)) return detail::no_correlation;
  std::size_t const count = x.size();
  ranking const rank_x = rank_sample(x);
  ranking const rank_y = rank_sample(y);
  std::vector<std::pair<double, double>> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = {rank_x.rank[i], rank_y.rank[i]};
  std::sort(order.begin(), order.end());

  double tied_in_both = 0.0;
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    while (end < count && order[end] == order[begin]) ++end;
    auto const t = static_cast<double>(end - begin);
    tied_in_both += t * (t - 1.0) / 2.0;
  }
  std::vector<std::size_t> y_by_x(count);
  for (std::size_t i = 0; i < count; ++i) y_by_x[i] = detail::doubled(order[i].second);
  double const discordant = detail::sort_counting_inversions(y_by_x);

  auto const n = static_cast<double>(count);
  double const pairs = n * (n - 1.0) / 2.0;
  auto const pairs_in = [](double t) { return t * (t - 1.0) / 2.0; };
  double const tied_x = detail::sum_over_ties(rank_x.ties, pairs_in);
  double const tied_y = detail::sum_over_ties(rank_y.ties, pairs_in);
  double const excess = pairs - tied_x - tied_y + tied_in_both - 2.0 * discordant;  // concordant - discordant
  double const tau = std::clamp(excess / std::sqrt((pairs - tied_x) * (pairs - tied_y)), -1.0, 1.0);

  bool const ties = !rank_x.ties.empty() || !rank_y.ties.empty();
  if (options.method == p_method::exact || (options.method == p_method::automatic && count <= 33 && !ties)) {
    if (ties) fail_expected("kendall_tau_b", "an exact p with ties", "p_method::asymptotic");
    detail::check_exact("kendall_tau_b", count, 100);
    return {tau, detail::exact_inversions(count, discordant, options.claim)};
  }
  auto const triples = [](double t) { return t * (t - 1.0) * (t - 2.0); };
  auto const spread = [](double t) { return t * (t - 1.0) * (2.0 * t + 5.0); };
  double const variance =
      (spread(n) - detail::sum_over_ties(rank_x.ties, spread) - detail::sum_over_ties(rank_y.ties, spread)) /
          18.0 +
      2.0 * tied_x * tied_y / (n * (n - 1.0)) +
      detail::sum_over_ties(rank_x.ties, triples) * detail::sum_over_ties(rank_y.ties, triples) /
          (9.0 * triples(n));
  return {tau, detail::approximate_p(excess, variance, false, options.claim)};
}

}  // namespace lancet
