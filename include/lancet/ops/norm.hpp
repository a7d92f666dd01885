// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm: y = (x − μ)/s ∘ w + b, with s = √(mean((x − μ)²) + ε) and μ = 0 for RMSNorm.
//
// Zhang and Sennrich 2019 (RMSNorm), Ba et al. 2016 (LayerNorm). The norm is cut at its scale s, so that a
// hook can read, change or freeze it: `norm_scale` then `norm_apply`; backward `norm_apply_adjoint` then
// `norm_scale_adjoint`.
#pragma once

#include <cmath>

#include "lancet/ops/basic.hpp"

namespace lancet {

enum class norm_kind { rms, layer };

namespace ops {

/// s[i] = √(mean_j((x[i, j] − μ_i)²) + ε): x [R, D], mean and s [R, 1] (mean = 0 for RMSNorm).
template <class B>
void norm_scale(norm_kind kind, in<B> x, double epsilon, basic_view<B, typename B::scalar, 2> mean,
                basic_view<B, typename B::scalar, 2> s) {
  detail::same_shape("norm_scale", x.rows, 1, s.rows, s.cols);
  if constexpr (overrides<B, op::norm>) {
    B::norm_scale(kind, x, epsilon, mean, s);
  } else {
    lancet::detail::require_host_or_override<B, op::norm>();
    using T = typename B::scalar;
    T const n = static_cast<T>(x.cols);
    for (index i = 0; i < x.rows; ++i) {
      T mu = 0;
      if (kind == norm_kind::layer) {
        for (index j = 0; j < x.cols; ++j) mu += x(i, j);
        mu /= n;
      }
      T sum = 0;
      for (index j = 0; j < x.cols; ++j) sum += (x(i, j) - mu) * (x(i, j) - mu);
      mean(i, 0) = mu;
      s(i, 0) = std::sqrt(sum / n + static_cast<T>(epsilon));
    }
  }
}

/// y = (x − mean)/s ∘ w + b: x, y [R, D]; mean, s [R, 1]; w [1, D]; b [1, D] or empty. y may be x.
template <class B>
void norm_apply(in<B> x, in<B> mean, in<B> s, in<B> w, in<B> b, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("norm_apply", x.rows, x.cols, y.rows, y.cols);
  if constexpr (overrides<B, op::norm>) {
    B::norm_apply(x, mean, s, w, b, y);
  } else {
    lancet::detail::require_host_or_override<B, op::norm>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j)
        y(i, j) = (x(i, j) - mean(i, 0)) / s(i, 0) * w(0, j) + (b.data ? b(0, j) : typename B::scalar(0));
  }
}

/// With c = x − mean: gc = gy ∘ w / s and gs = −Σ_j gc·c / s: gy, x, gc [R, D]; gs [R, 1]. gc may be gy.
template <class B>
void norm_apply_adjoint(in<B> gy, in<B> x, in<B> mean, in<B> s, in<B> w,
                        basic_view<B, typename B::scalar, 2> gc, basic_view<B, typename B::scalar, 2> gs) {
  detail::same_shape("norm_apply_adjoint", x.rows, x.cols, gy.rows, gy.cols);
  if constexpr (overrides<B, op::norm>) {
    B::norm_apply_adjoint(gy, x, mean, s, w, gc, gs);
  } else {
    lancet::detail::require_host_or_override<B, op::norm>();
    for (index i = 0; i < x.rows; ++i) {
      typename B::scalar sum = 0;
      for (index j = 0; j < x.cols; ++j) {
        gc(i, j) = gy(i, j) * w(0, j) / s(i, 0);
        sum += gc(i, j) * (x(i, j) - mean(i, 0));
      }
      gs(i, 0) = -sum / s(i, 0);
    }
  }
}

/// gx += gc + gs·c/(D·s), minus its row mean for LayerNorm: the gradient through s and μ. gc, x, gx [R, D];
/// gs [R, 1].
template <class B>
void norm_scale_adjoint(norm_kind kind, in<B> gc, in<B> gs, in<B> x, in<B> mean, in<B> s,
                        basic_view<B, typename B::scalar, 2> gx) {
  detail::same_shape("norm_scale_adjoint", x.rows, x.cols, gx.rows, gx.cols);
  if constexpr (overrides<B, op::norm>) {
    B::norm_scale_adjoint(kind, gc, gs, x, mean, s, gx);
  } else {
    lancet::detail::require_host_or_override<B, op::norm>();
    using T = typename B::scalar;
    T const n = static_cast<T>(x.cols);
    for (index i = 0; i < x.rows; ++i) {
      T const f = gs(i, 0) / (n * s(i, 0));
      T shift = 0;
      if (kind == norm_kind::layer) {
        for (index j = 0; j < x.cols; ++j) shift += gc(i, j) + f * (x(i, j) - mean(i, 0));
        shift /= n;
      }
      for (index j = 0; j < x.cols; ++j) gx(i, j) += gc(i, j) + f * (x(i, j) - mean(i, 0)) - shift;
    }
  }
}

}  // namespace ops
}  // namespace lancet
