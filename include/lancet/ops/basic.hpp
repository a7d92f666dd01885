// SPDX-License-Identifier: Apache-2.0
// The backend-neutral operations that hooks are written with; all fill views, none allocates.
//
// Axis letters: m, n, k as in BLAS; R rows, D columns. Shapes that do not fit throw usage_error.
#pragma once

#include <algorithm>
#include <span>

#include "lancet/backend/concept.hpp"

namespace lancet::ops {

/// What an operation reads: either of the two views converts.
template <class B>
using in = std::type_identity_t<const_view<B>>;

namespace detail {
inline void same_shape(char const* name, index rows, index cols, index other_rows, index other_cols) {
  if (rows != other_rows || cols != other_cols)
    fail_expected(std::string("ops::") + name,
                  "[" + std::to_string(other_rows) + ", " + std::to_string(other_cols) + "]",
                  "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]");
}
}  // namespace detail

/// y = x, both [R, D].
template <class B>
void copy(in<B> x, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("copy", y.rows, y.cols, x.rows, x.cols);
  B::copy(x, y);
}

/// y = value, everywhere: [R, D].
template <class B>
void fill(basic_view<B, typename B::scalar, 2> y, typename B::scalar value) {
  if constexpr (overrides<B, op::fill>) {
    B::fill(y, value);
  } else {
    lancet::detail::require_host_or_override<B, op::fill>();
    for (index i = 0; i < y.rows; ++i) std::fill_n(y.row(i), y.cols, value);
  }
}

/// y = s·y: [R, D].
template <class B>
void scale(typename B::scalar s, basic_view<B, typename B::scalar, 2> y) {
  if constexpr (overrides<B, op::scale>) {
    B::scale(s, y);
  } else {
    lancet::detail::require_host_or_override<B, op::scale>();
    for (index i = 0; i < y.rows; ++i)
      for (index j = 0; j < y.cols; ++j) y(i, j) *= s;
  }
}

/// y += a·x, both [R, D].
template <class B>
void axpy(typename B::scalar a, in<B> x, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("axpy", y.rows, y.cols, x.rows, x.cols);
  if constexpr (overrides<B, op::axpy>) {
    B::axpy(a, x, y);
  } else {
    lancet::detail::require_host_or_override<B, op::axpy>();
    for (index i = 0; i < y.rows; ++i)
      for (index j = 0; j < y.cols; ++j) y(i, j) += a * x(i, j);
  }
}

enum class transpose : bool { no, yes };

/// c = op(a)·op(b), or c += with `accumulate`: op(a) [m, k], op(b) [k, n], c [m, n].
template <class B>
void matmul(in<B> a, transpose ta, in<B> b, transpose tb, basic_view<B, typename B::scalar, 2> c,
            bool accumulate = false) {
  index const m = ta == transpose::no ? a.rows : a.cols;
  index const k = ta == transpose::no ? a.cols : a.rows;
  index const n = tb == transpose::no ? b.cols : b.rows;
  detail::same_shape("matmul (c)", m, n, c.rows, c.cols);
  detail::same_shape("matmul (op(b))", k, n, tb == transpose::no ? b.rows : b.cols, n);
  if constexpr (overrides<B, op::matmul>) {
    B::matmul(a, ta, b, tb, c, accumulate);
  } else {
    lancet::detail::require_host_or_override<B, op::matmul>();
    for (index i = 0; i < m; ++i)
      for (index j = 0; j < n; ++j) {
        typename B::scalar sum = 0;
        for (index p = 0; p < k; ++p)
          sum += (ta == transpose::no ? a(i, p) : a(p, i)) * (tb == transpose::no ? b(p, j) : b(j, p));
        c(i, j) = accumulate ? c(i, j) + sum : sum;
      }
  }
}

/// y[i] = x[rows[i]]: x [N, D], y [R, D], 0 <= rows[i] < N.
template <class B>
void gather_rows(in<B> x, std::span<index const> rows, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("gather_rows", std::ssize(rows), x.cols, y.rows, y.cols);
  if constexpr (overrides<B, op::gather_rows>) {
    B::gather_rows(x, rows, y);
  } else {
    lancet::detail::require_host_or_override<B, op::gather_rows>();
    for (index i = 0; i < y.rows; ++i)
      std::copy_n(x.row(rows[static_cast<std::size_t>(i)]), y.cols, y.row(i));
  }
}

/// y[rows[i]] += x[i], in order of i: x [R, D], y [N, D].
template <class B>
void scatter_add_rows(in<B> x, std::span<index const> rows, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("scatter_add_rows", std::ssize(rows), y.cols, x.rows, x.cols);
  if constexpr (overrides<B, op::scatter_add_rows>) {
    B::scatter_add_rows(x, rows, y);
  } else {
    lancet::detail::require_host_or_override<B, op::scatter_add_rows>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j) y(rows[static_cast<std::size_t>(i)], j) += x(i, j);
  }
}

/// out[i] = Σ_j x[i, j]·y[i, j]: x, y [R, D], out [R, 1].
template <class B>
void row_dot(in<B> x, in<B> y, basic_view<B, typename B::scalar, 2> out) {
  detail::same_shape("row_dot", x.rows, x.cols, y.rows, y.cols);
  detail::same_shape("row_dot (out)", x.rows, 1, out.rows, out.cols);
  if constexpr (overrides<B, op::row_dot>) {
    B::row_dot(x, y, out);
  } else {
    lancet::detail::require_host_or_override<B, op::row_dot>();
    for (index i = 0; i < x.rows; ++i) {
      typename B::scalar sum = 0;
      for (index j = 0; j < x.cols; ++j) sum += x(i, j) * y(i, j);
      out(i, 0) = sum;
    }
  }
}

/// y[i, j] *= s[j]: y [R, D], s [1, D]. With zeros and ones: a mask of columns.
template <class B>
void scale_columns(in<B> s, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("scale_columns", 1, y.cols, s.rows, s.cols);
  if constexpr (overrides<B, op::scale_columns>) {
    B::scale_columns(s, y);
  } else {
    lancet::detail::require_host_or_override<B, op::scale_columns>();
    for (index i = 0; i < y.rows; ++i)
      for (index j = 0; j < y.cols; ++j) y(i, j) *= s(0, j);
  }
}

/// y[i, j] += a·v[j]: y [R, D], v [1, D].
template <class B>
void add_row_vector(typename B::scalar a, in<B> v, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("add_row_vector", 1, y.cols, v.rows, v.cols);
  if constexpr (overrides<B, op::add_row_vector>) {
    B::add_row_vector(a, v, y);
  } else {
    lancet::detail::require_host_or_override<B, op::add_row_vector>();
    for (index i = 0; i < y.rows; ++i)
      for (index j = 0; j < y.cols; ++j) y(i, j) += a * v(0, j);
  }
}

/// out[j] += a·Σ_i x[i, j], rows in order: x [R, D], out [1, D]. The adjoint of add_row_vector.
template <class B>
void column_sum(typename B::scalar a, in<B> x, basic_view<B, typename B::scalar, 2> out) {
  detail::same_shape("column_sum", 1, x.cols, out.rows, out.cols);
  if constexpr (overrides<B, op::column_sum>) {
    B::column_sum(a, x, out);
  } else {
    lancet::detail::require_host_or_override<B, op::column_sum>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j) out(0, j) += a * x(i, j);
  }
}

}  // namespace lancet::ops
