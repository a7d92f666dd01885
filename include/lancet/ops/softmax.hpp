// SPDX-License-Identifier: Apache-2.0
// Log-sum-exp and softmax of rows, with sums in double: a float sum over a vocabulary of 50,000 loses four
// digits.
#pragma once

#include <cmath>
#include <limits>

#include "lancet/ops/basic.hpp"

namespace lancet::ops {

/// out[i] = log Σ_j exp(x[i, j]), in double on the host: x [M, V], out M values.
template <class B>
void log_sum_exp(in<B> x, std::span<double> out) {
  detail::same_shape("log_sum_exp", x.rows, 1, std::ssize(out), 1);
  if constexpr (overrides<B, op::log_sum_exp>) {
    B::log_sum_exp(x, out);
  } else {
    lancet::detail::require_host_or_override<B, op::log_sum_exp>();
    for (index i = 0; i < x.rows; ++i) {
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (index j = 0; j < x.cols; ++j) top = std::max(top, static_cast<double>(x(i, j)));
      for (index j = 0; j < x.cols; ++j) sum += std::exp(static_cast<double>(x(i, j)) - top);
      out[static_cast<std::size_t>(i)] = top + std::log(sum);
    }
  }
}

/// y[i, j] = a[i]·exp(x[i, j] − lse[i]): softmax rows times a factor: x, y [M, V]; a, lse M values. y may be
/// x.
template <class B>
void scaled_softmax(in<B> x, std::span<double const> lse, std::span<double const> a,
                    basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("scaled_softmax", x.rows, x.cols, y.rows, y.cols);
  if constexpr (overrides<B, op::log_sum_exp>) {
    B::scaled_softmax(x, lse, a, y);
  } else {
    lancet::detail::require_host_or_override<B, op::log_sum_exp>();
    for (index i = 0; i < x.rows; ++i) {
      auto const r = static_cast<std::size_t>(i);
      for (index j = 0; j < x.cols; ++j)
        y(i, j) = static_cast<typename B::scalar>(a[r] * std::exp(static_cast<double>(x(i, j)) - lse[r]));
    }
  }
}

}  // namespace lancet::ops
