// SPDX-License-Identifier: Apache-2.0
// Single elements, many at once: what a loss reads of its logits, and its gradient there.
#pragma once

#include "lancet/ops/basic.hpp"

namespace lancet::ops {

/// Element (row, col) of a matrix.
struct element {
  index row, col;
};

/// y[i] = x(at[i]): x [R, D], y [n, 1].
template <class B>
void gather_elements(in<B> x, std::span<element const> at, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("gather_elements", std::ssize(at), 1, y.rows, y.cols);
  if constexpr (overrides<B, op::elements>) {
    B::gather_elements(x, at, y);
  } else {
    lancet::detail::require_host_or_override<B, op::elements>();
    for (index i = 0; i < y.rows; ++i) {
      element const e = at[static_cast<std::size_t>(i)];
      y(i, 0) = x(e.row, e.col);
    }
  }
}

/// y(at[i]) += x[i], in order of i: x [n, 1], y [R, D].
template <class B>
void scatter_add_elements(in<B> x, std::span<element const> at, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("scatter_add_elements", std::ssize(at), 1, x.rows, x.cols);
  if constexpr (overrides<B, op::elements>) {
    B::scatter_add_elements(x, at, y);
  } else {
    lancet::detail::require_host_or_override<B, op::elements>();
    for (index i = 0; i < x.rows; ++i) {
      element const e = at[static_cast<std::size_t>(i)];
      y(e.row, e.col) += x(i, 0);
    }
  }
}

}  // namespace lancet::ops
