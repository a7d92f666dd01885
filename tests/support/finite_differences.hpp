// SPDX-License-Identifier: Apache-2.0
// Gradients against central differences in double.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include "support/random_tensor.hpp"

namespace lancet_test {

/// Compares `gradient` with (f(x + h) − f(x − h)) / 2h for every element of x, or every `step`-th; x is
/// changed and restored. The tolerance is relative to the largest gradient of the matrix (at least 1e-3). A
/// gradient of nothing but zeros fails: it proves nothing.
template <class B, class F>
void check_gradient(std::string_view what, lancet::view<B> x,
                    std::type_identity_t<lancet::const_view<B>> gradient, F&& f, double tolerance = 2e-8,
                    lancet::index step = 1) {
  static_assert(std::is_same_v<typename B::scalar, double>);
  BOOST_REQUIRE_MESSAGE(x.rows == gradient.rows && x.cols == gradient.cols, what << ": shapes differ");
  std::vector<double> const values = elements<B>(x), expected = elements<B>(gradient);
  double largest = 0, worst = 0;
  lancet::index worst_row = 0, worst_col = 0;
  for (double const g : expected) largest = std::max(largest, std::abs(g));
  for (lancet::index e = 0; e < x.size(); e += step) {
    lancet::index const i = e / x.cols, j = e % x.cols;
    lancet::view<B> const element = x.row_range(i, 1).col_range(j, 1);
    double const kept = values[static_cast<std::size_t>(e)], h = 1e-4 * std::max(1.0, std::abs(kept));
    auto const at = [&](double value) {
      B::upload(&value, element);
      return f();
    };
    auto const slope = [&](double width) { return (at(kept + width) - at(kept - width)) / (2 * width); };
    double const numeric = (4 * slope(h / 2) - slope(h)) / 3;  // Richardson: the error is of order h⁴
    B::upload(&kept, element);
    double const d = std::abs(numeric - expected[static_cast<std::size_t>(e)]);
    if (!(d <= worst)) worst = d, worst_row = i, worst_col = j;
    if (std::isnan(worst)) break;  // not a number is never allowed
  }
  double const allowed = tolerance * std::max(largest, 2e-2);  // f itself is rounded
  BOOST_CHECK_MESSAGE(worst <= allowed, what << ": off by " << worst << " at (" << worst_row << ", "
                                             << worst_col << "), allowed " << allowed << ", largest gradient "
                                             << largest);
  BOOST_CHECK_MESSAGE(largest > 0, what << ": every gradient is 0");
}

/// Σ weights ∘ y: an objective whose gradient with respect to y is `weights`.
template <class B>
[[nodiscard]] double weighted_sum(lancet::const_view<B> weights,
                                  std::type_identity_t<lancet::const_view<B>> y) {
  std::vector<double> const a = numbers<B>(weights), b = numbers<B>(y);
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace lancet_test
