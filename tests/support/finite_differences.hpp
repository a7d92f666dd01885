// SPDX-License-Identifier: Apache-2.0
// Gradients against central differences in double.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string_view>

#include "lancet/core/view.hpp"

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
  double largest = 0, worst = 0;
  lancet::index worst_row = 0, worst_col = 0;
  for (lancet::index i = 0; i < x.rows; ++i)
    for (lancet::index j = 0; j < x.cols; ++j) largest = std::max(largest, std::abs(gradient(i, j)));
  for (lancet::index e = 0; e < x.size(); e += step) {
    lancet::index const i = e / x.cols, j = e % x.cols;
    double const kept = x(i, j), h = 1e-4 * std::max(1.0, std::abs(kept));
    auto const slope = [&](double width) {
      x(i, j) = kept + width;
      double const up = f();
      x(i, j) = kept - width;
      double const down = f();
      x(i, j) = kept;
      return (up - down) / (2 * width);
    };
    double const numeric = (4 * slope(h / 2) - slope(h)) / 3;  // Richardson: the error is of order h⁴
    double const d = std::abs(numeric - gradient(i, j));
    if (!(d <= worst)) worst = d, worst_row = i, worst_col = j;
  }
  double const allowed = tolerance * std::max(largest, 1e-3);
  BOOST_CHECK_MESSAGE(worst <= allowed, what << ": off by " << worst << " at (" << worst_row << ", "
                                             << worst_col << "), allowed " << allowed << ", largest gradient "
                                             << largest);
  BOOST_CHECK_MESSAGE(largest > 0, what << ": every gradient is 0");
}

/// Σ weights ∘ y: an objective whose gradient with respect to y is `weights`.
template <class B>
[[nodiscard]] double weighted_sum(lancet::const_view<B> weights,
                                  std::type_identity_t<lancet::const_view<B>> y) {
  double sum = 0;
  for (lancet::index i = 0; i < y.rows; ++i)
    for (lancet::index j = 0; j < y.cols; ++j)
      sum += static_cast<double>(weights(i, j)) * static_cast<double>(y(i, j));
  return sum;
}

}  // namespace lancet_test
