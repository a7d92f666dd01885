// SPDX-License-Identifier: Apache-2.0
// Kernels that treat every element by itself: one launch form, and a functor f(i, j) an operation.
#pragma once

#include "lancet/backend/device/bf16_weight.hpp"
#include "lancet/backend/device/block.hpp"
#include "lancet/ops/activation.hpp"
#include "lancet/ops/adam.hpp"
#include "lancet/ops/elements.hpp"

namespace lancet::device::kernel {

/// Calls f(i, j) once for every element of [rows, cols], neighbouring threads on neighbouring columns.
template <class F>
struct for_elements {
  static constexpr bool independent = true;
  index rows, cols;
  F f;

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    auto const all = static_cast<std::uint64_t>(rows * cols),
               step = static_cast<std::uint64_t>(block.blocks() * block.threads());
    auto e = static_cast<std::uint64_t>(block.number() * block.threads() + block.thread());
    if (all + step <= 0xFFFFFFFFU) {  // division of 32 bits is several times faster
      auto const width = static_cast<std::uint32_t>(cols);
      for (; e < all; e += step)
        f(static_cast<std::uint32_t>(e) / width, static_cast<std::uint32_t>(e) % width);
    } else {
      auto const width = static_cast<std::uint64_t>(cols);
      for (; e < all; e += step) f(static_cast<index>(e / width), static_cast<index>(e % width));
    }
  }
};

/// y = x.
template <class T>
struct copy {
  matrix<T const> x;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) = x(i, j); }
};

template <class T>
struct fill {
  matrix<T> y;
  T value;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) = value; }
};

template <class T>
struct scale {
  T s;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) *= s; }
};

template <class T>
struct axpy {
  T a;
  matrix<T const> x;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) += a * x(i, j); }
};

template <class T>
struct scale_columns {
  matrix<T const> s;  // [1, D]
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) *= s(0, j); }
};

template <class T>
struct add_row_vector {
  T a;
  matrix<T const> v;  // [1, D]
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) += a * v(0, j); }
};

/// y[i] = x[rows[i]].
template <class T>
struct gather_rows {
  matrix<T const> x;
  index const* rows;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) = x(rows[i], j); }
};

/// y[rows[i], j] += x[i, j] in order of i: over [1, D], so that no two threads write one element.
template <class T>
struct scatter_add_rows {
  matrix<T const> x;
  index const* rows;
  matrix<T> y;
  LANCET_DEVICE void operator()(index, index j) const {
    for (index i = 0; i < x.rows; ++i) y(rows[i], j) += x(i, j);
  }
};

/// out[0, j] += a·Σ_i x[i, j] in order of i: over [1, D].
template <class T>
struct column_sum {
  T a;
  matrix<T const> x;
  matrix<T> out;
  LANCET_DEVICE void operator()(index, index j) const {
    for (index i = 0; i < x.rows; ++i) out(0, j) += a * x(i, j);
  }
};

/// y[i] = x(at[i]).
template <class T>
struct gather_elements {
  matrix<T const> x;
  ops::element const* at;
  matrix<T> y;  // [n, 1]
  LANCET_DEVICE void operator()(index i, index) const { y(i, 0) = x(at[i].row, at[i].col); }
};

/// y(at[i]) += x[i] in order of i: the first of those at one place adds them all.
template <class T>
struct scatter_add_elements {
  matrix<T const> x;  // [n, 1]
  ops::element const* at;
  matrix<T> y;
  LANCET_DEVICE bool same(index i, index j) const { return at[i].row == at[j].row && at[i].col == at[j].col; }
  LANCET_DEVICE void operator()(index i, index) const {
    for (index j = 0; j < i; ++j)
      if (same(i, j)) return;
    for (index j = i; j < x.rows; ++j)
      if (same(i, j)) y(at[i].row, at[i].col) += x(j, 0);
  }
};

template <class T>
struct norm_apply {
  matrix<T const> x, mean, s, w, b;  // b may be empty
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const {
    y(i, j) = (x(i, j) - mean(i, 0)) / s(i, 0) * w(0, j) + (b.data ? b(0, j) : T(0));
  }
};

/// Turns pair p of [R, heads·dims / 2].
template <class T>
struct rope {
  matrix<T const> cosine, sine;  // [R, dims / 2]
  T sign;
  index head_dim;
  matrix<T> x;
  LANCET_DEVICE void operator()(index i, index p) const {
    index const half = cosine.cols, j = p % half;
    T* const head = x.row(i) + p / half * head_dim;
    T const c = cosine(i, j), s = sign * sine(i, j), a = head[j], b = head[half + j];
    head[j] = a * c - b * s;
    head[half + j] = b * c + a * s;
  }
};

template <class T>
struct activation {
  activation_kind kind;
  matrix<T const> x, up;  // up may be empty
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const {
    y(i, j) = ops::activate(kind, x(i, j)).f * (up.data ? up(i, j) : T(1));
  }
};

template <class T>
struct activation_adjoint {
  activation_kind kind;
  matrix<T const> gy, x, up;  // up may be empty
  matrix<T> gx, gup;          // gup empty without a gate
  LANCET_DEVICE void operator()(index i, index j) const {
    ops::activation_value<T> const v = ops::activate(kind, x(i, j));
    T const g = gy(i, j);
    gx(i, j) = g * v.slope * (up.data ? up(i, j) : T(1));
    if (gup.data) gup(i, j) = g * v.f;
  }
};

/// y[i, j] = a[i]·exp(x[i, j] − lse[i]).
template <class T>
struct scaled_softmax {
  matrix<T const> x;
  double const *lse, *a;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const {
    y(i, j) = static_cast<T>(
        a[i] * static_cast<double>(std::exp(static_cast<T>(static_cast<double>(x(i, j)) - lse[i]))));
  }
};

template <class T>
struct adam_step {
  adam_factors<T> factors;
  matrix<T const> gradient;
  matrix<T> x, first, second, largest;  // largest may be empty
  LANCET_DEVICE void operator()(index i, index j) const {
    factors.step(gradient(i, j), x(i, j), first(i, j), second(i, j), largest.data ? &largest(i, j) : nullptr);
  }
};

/// y = f(x, y).
template <class T, class F>
struct transform {
  matrix<T const> x;
  matrix<T> y;
  F f;
  LANCET_DEVICE void operator()(index i, index j) const { y(i, j) = f(x(i, j), y(i, j)); }
};

template <class T>
struct round_to_bf16 {
  matrix<T const> x;
  bfloat16* to;  // [R, D]
  LANCET_DEVICE void operator()(index i, index j) const {
    to[i * x.cols + j] = bfloat16::round(static_cast<float>(x(i, j)));
  }
};

/// y[i] = W[rows[i]].
template <class T>
struct bf16_gather {
  bfloat16 const* w;  // [N, D]
  index cols;
  index const* rows;
  matrix<T> y;
  LANCET_DEVICE void operator()(index i, index j) const {
    y(i, j) = static_cast<float>(w[rows[i] * cols + j]);
  }
};

}  // namespace lancet::device::kernel
