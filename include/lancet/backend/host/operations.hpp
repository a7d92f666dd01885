// SPDX-License-Identifier: Apache-2.0
// The operations that the fast host backends share, as overrides: `B` derives from `operations<B, Scalar>`
// and adds `matmul`, the product of two matrices that change.
#pragma once

#include "lancet/backend/host/attention.hpp"
#include "lancet/backend/host/memory.hpp"
#include "lancet/backend/host/rows.hpp"

namespace lancet::host {

template <class B, class Scalar>
struct operations : memory<B, Scalar> {
  using typename memory<B, Scalar>::in;
  using typename memory<B, Scalar>::out;
  using overrides = op_list<op::axpy, op::matmul, op::scale_columns, op::add_row_vector, op::column_sum,
                            op::norm, op::rope, op::attention, op::activation, op::log_sum_exp>;

  static void axpy(Scalar a, in x, out y) {
    for_rows(x.rows, 2 * x.cols, [&](index i) {
      Scalar const* from = x.row(i);
      Scalar* to = y.row(i);
      for (index j = 0; j < x.cols; ++j) to[j] += a * from[j];
    });
  }
  static void scale_columns(in s, out y) {
    for_rows(y.rows, y.cols, [&](index i) {
      Scalar* to = y.row(i);
      for (index j = 0; j < y.cols; ++j) to[j] *= s.data[j];
    });
  }
  static void add_row_vector(Scalar a, in v, out y) {
    for_rows(y.rows, y.cols, [&](index i) {
      Scalar* to = y.row(i);
      for (index j = 0; j < y.cols; ++j) to[j] += a * v.data[j];
    });
  }
  static void column_sum(Scalar a, in x, out y) {
    for (index i = 0; i < x.rows; ++i) {
      Scalar const* from = x.row(i);
      for (index j = 0; j < x.cols; ++j) y.data[j] += a * from[j];
    }
  }
  static void norm_scale(norm_kind kind, in x, double epsilon, out mean, out s) {
    host::norm_scale<B>(kind, x, epsilon, mean, s);
  }
  static void norm_apply(in x, in mean, in s, in w, in b, out y) { host::norm_apply<B>(x, mean, s, w, b, y); }
  static void norm_apply_adjoint(in gy, in x, in mean, in s, in w, out gc, out gs) {
    host::norm_apply_adjoint<B>(gy, x, mean, s, w, gc, gs);
  }
  static void norm_scale_adjoint(norm_kind kind, in gc, in gs, in x, in mean, in s, out gx) {
    host::norm_scale_adjoint<B>(kind, gc, gs, x, mean, s, gx);
  }
  static void rope(rope_table<B> const& table, ops::turn direction, index head_dim, out x) {
    host::rope<B>(table, direction, head_dim, x);
  }
  static void attention(attention_shape const& s, std::span<ops::attention_part<B> const> parts) {
    host::attention<B>(s, parts);
  }
  static void attention_adjoint(attention_shape const& s, std::span<ops::attention_part<B> const> parts,
                                std::span<ops::attention_gradient<B> const> gradients) {
    host::attention_adjoint<B>(s, parts, gradients);
  }
  static void activation(activation_kind kind, in x, in up, out y) { host::activation<B>(kind, x, up, y); }
  static void activation_adjoint(activation_kind kind, in gy, in x, in up, out gx, out gup) {
    host::activation_adjoint<B>(kind, gy, x, up, gx, gup);
  }
  static void log_sum_exp(in x, std::span<double> out) { host::log_sum_exp<B>(x, out); }
  static void scaled_softmax(in x, std::span<double const> lse, std::span<double const> a, out y) {
    host::scaled_softmax<B>(x, lse, a, y);
  }
};

}  // namespace lancet::host
