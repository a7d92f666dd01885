// SPDX-License-Identifier: Apache-2.0
// Linear map with a prepared weight: y = x·Wᵀ + b, and its adjoint gx = gy·W.
//
// Weights are frozen: the adjoint gives the gradient of the input alone.
#pragma once

#include "lancet/ops/basic.hpp"

namespace lancet {

/// The weight type of a backend that prepares nothing: the matrix itself, multiplied with `ops::matmul`.
/// Every backend's `weight` has these members.
template <class B>
class plain_weight {
 public:
  plain_weight() = default;
  /// Takes over a copy of w [out, in].
  explicit plain_weight(const_view<B> w) : w_(tensor<B>::clone(w)) {}

  [[nodiscard]] index out() const { return w_.rows(); }
  [[nodiscard]] index in() const { return w_.cols(); }
  [[nodiscard]] index bytes() const { return w_.capacity() * static_cast<index>(sizeof(typename B::scalar)); }

  /// y = x·Wᵀ + bias, or y += x·Wᵀ with `accumulate` (no bias then): x [R, in], y [R, out]; `bias` [1, out]
  /// may be empty.
  void apply(const_view<B> x, const_view<B> bias, view<B> y, bool accumulate) const {
    ops::matmul<B>(x, ops::transpose::no, w_, ops::transpose::yes, y, accumulate);
    if (!accumulate && bias.data) ops::add_row_vector<B>(1, bias, y);
  }
  /// gx = gy·W, or gx += with `accumulate`: gy [R, out], gx [R, in].
  void apply_adjoint(const_view<B> gy, view<B> gx, bool accumulate) const {
    ops::matmul<B>(gy, ops::transpose::no, w_, ops::transpose::no, gx, accumulate);
  }
  /// y[i] = W[rows[i]]: y [R, in].
  void gather(std::span<index const> rows, view<B> y) const { ops::gather_rows<B>(w_, rows, y); }

 private:
  tensor<B> w_;
};

namespace ops {

/// y = x·Wᵀ + bias (or y += x·Wᵀ): x [R, in], W [out, in], y [R, out], bias [1, out] or empty.
template <class B>
void linear(in<B> x, typename B::weight const& w, in<B> bias, basic_view<B, typename B::scalar, 2> y,
            bool accumulate = false) {
  detail::same_shape("linear (x)", y.rows, w.in(), x.rows, x.cols);
  detail::same_shape("linear (y)", x.rows, w.out(), y.rows, y.cols);
  w.apply(x, bias, y, accumulate);
}

/// gx = gy·W (or gx +=): gy [R, out], gx [R, in].
template <class B>
void linear_adjoint(in<B> gy, typename B::weight const& w, basic_view<B, typename B::scalar, 2> gx,
                    bool accumulate = false) {
  detail::same_shape("linear_adjoint (gy)", gx.rows, w.out(), gy.rows, gy.cols);
  detail::same_shape("linear_adjoint (gx)", gy.rows, w.in(), gx.rows, gx.cols);
  w.apply_adjoint(gy, gx, accumulate);
}

}  // namespace ops
}  // namespace lancet
