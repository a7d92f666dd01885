// SPDX-License-Identifier: Apache-2.0
// Row-wise operations in host memory: norms, rotation, activations, log-sum-exp; parallel over blocks of
// rows.
#pragma once

#include <cmath>
#include <span>

#include "lancet/backend/host/vector_math.hpp"
#include "lancet/core/executor.hpp"
#include "lancet/ops/activation.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"

namespace lancet::host {

/// Calls f(i) for every row, in blocks of rows that hold some 16,000 elements each: less is not worth a
/// hand-over.
template <class F>
void for_rows(index rows, index cols, F&& f) {
  index const block = std::max<index>(1, 16384 / std::max<index>(1, cols));
  parallel_for((rows + block - 1) / block, [&](index tile) {
    for (index i = tile * block; i < std::min(rows, (tile + 1) * block); ++i) f(i);
  });
}

template <class B>
void norm_scale(norm_kind kind, const_view<B> x, double epsilon, view<B> mean, view<B> s) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    T const* row = x.row(i);
    T const n = static_cast<T>(x.cols);
    T const mu = kind == norm_kind::layer ? lane_sum<T>(x.cols, [&](index j) { return row[j]; }) / n : T(0);
    mean(i, 0) = mu;
    T const squares = lane_sum<T>(x.cols, [&](index j) { return (row[j] - mu) * (row[j] - mu); });
    s(i, 0) = std::sqrt(squares / n + static_cast<T>(epsilon));
  });
}

template <class B>
void norm_apply(const_view<B> x, const_view<B> mean, const_view<B> s, const_view<B> w, const_view<B> b,
                view<B> y) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    T const* in = x.row(i);
    T* out = y.row(i);
    T const mu = mean(i, 0), inverse = 1 / s(i, 0);
    if (b.data)
      for (index j = 0; j < x.cols; ++j) out[j] = (in[j] - mu) * inverse * w.data[j] + b.data[j];
    else
      for (index j = 0; j < x.cols; ++j) out[j] = (in[j] - mu) * inverse * w.data[j];
  });
}

template <class B>
void norm_apply_adjoint(const_view<B> gy, const_view<B> x, const_view<B> mean, const_view<B> s,
                        const_view<B> w, view<B> gc, view<B> gs) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    T const *g = gy.row(i), *in = x.row(i);
    T* out = gc.row(i);
    T const mu = mean(i, 0), inverse = 1 / s(i, 0);
    for (index j = 0; j < x.cols; ++j) out[j] = g[j] * w.data[j] * inverse;
    gs(i, 0) = -inverse * lane_sum<T>(x.cols, [&](index j) { return out[j] * (in[j] - mu); });
  });
}

template <class B>
void norm_scale_adjoint(norm_kind kind, const_view<B> gc, const_view<B> gs, const_view<B> x,
                        const_view<B> mean, const_view<B> s, view<B> gx) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    T const *g = gc.row(i), *in = x.row(i);
    T* out = gx.row(i);
    T const n = static_cast<T>(x.cols), mu = mean(i, 0), f = gs(i, 0) / (n * s(i, 0));
    T const shift = kind == norm_kind::layer
                        ? lane_sum<T>(x.cols, [&](index j) { return g[j] + f * (in[j] - mu); }) / n
                        : T(0);
    for (index j = 0; j < x.cols; ++j) out[j] += g[j] + f * (in[j] - mu) - shift;
  });
}

template <class B>
void rope(rope_table<B> const& table, ops::turn direction, index head_dim, view<B> x) {
  using T = typename B::scalar;
  index const half = table.cosine.cols();
  T const sign = direction == ops::turn::forward ? T(1) : T(-1);
  for_rows(x.rows, x.cols, [&](index i) {
    T const* c = table.cosine.all().row(i);
    T const* s = table.sine.all().row(i);
    for (T *head = x.row(i), *end = head + x.cols; head < end; head += head_dim)
      for (index j = 0; j < half; ++j) {
        T const a = head[j], b = head[half + j];
        head[j] = a * c[j] - sign * b * s[j];
        head[half + j] = b * c[j] + sign * a * s[j];
      }
  });
}

/// f(x) and f'(x) with the vector exp; the same formulas as ops::activate, tanh through exp.
template <activation_kind Kind, class T>
[[nodiscard]] inline ops::activation_value<T> activate(T x) {
  if constexpr (Kind == activation_kind::silu) {
    T const sigma = 1 / (1 + host::exp(-x));
    return {x * sigma, sigma * (1 + x * (1 - sigma))};
  } else if constexpr (Kind == activation_kind::gelu_tanh) {
    T const root = T(0.79788456080286535588);
    T const t = 1 - 2 / (1 + host::exp(2 * root * (x + T(0.044715) * x * x * x)));
    return {T(0.5) * x * (1 + t),
            T(0.5) * (1 + t) + T(0.5) * x * (1 - t * t) * root * (1 + T(0.134145) * x * x)};
  } else {
    return ops::activate(Kind, x);
  }
}

/// Calls f with the kind as a compile-time constant.
template <class F>
void with_kind(activation_kind kind, F&& f) {
  using enum activation_kind;
  if (kind == silu) f(std::integral_constant<activation_kind, silu>{});
  if (kind == gelu_tanh) f(std::integral_constant<activation_kind, gelu_tanh>{});
  if (kind == gelu) f(std::integral_constant<activation_kind, gelu>{});
  if (kind == relu) f(std::integral_constant<activation_kind, relu>{});
  if (kind == activation_kind::tanh) f(std::integral_constant<activation_kind, activation_kind::tanh>{});
}

template <class B>
void activation(activation_kind kind, const_view<B> x, const_view<B> up, view<B> y) {
  using T = typename B::scalar;
  with_kind(kind, [&](auto k) {
    for_rows(x.rows, 4 * x.cols, [&](index i) {
      T const *in = x.row(i), *u = up.data ? up.row(i) : nullptr;
      T* out = y.row(i);
      if (u)
        for (index j = 0; j < x.cols; ++j) out[j] = activate<k.value>(in[j]).f * u[j];
      else
        for (index j = 0; j < x.cols; ++j) out[j] = activate<k.value>(in[j]).f;
    });
  });
}

template <class B>
void activation_adjoint(activation_kind kind, const_view<B> gy, const_view<B> x, const_view<B> up, view<B> gx,
                        view<B> gup) {
  using T = typename B::scalar;
  with_kind(kind, [&](auto k) {
    for_rows(x.rows, 4 * x.cols, [&](index i) {
      T const *in = x.row(i), *g = gy.row(i), *u = up.data ? up.row(i) : nullptr;
      T *out = gx.row(i), *out_up = gup.data ? gup.row(i) : nullptr;
      for (index j = 0; j < x.cols; ++j) {
        auto const v = activate<k.value>(in[j]);
        T const gj = g[j];
        out[j] = gj * v.slope * (u ? u[j] : T(1));
        if (out_up) out_up[j] = gj * v.f;
      }
    });
  });
}

/// Blocks of 256 elements are summed in float lanes, the blocks in double.
template <class B>
void log_sum_exp(const_view<B> x, std::span<double> out) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    T const* row = x.row(i);
    T const top = lane_max(x.cols, row);
    double sum = 0;
    for (index first = 0; first < x.cols; first += 256)
      sum += static_cast<double>(lane_sum<T>(std::min<index>(256, x.cols - first),
                                             [&](index j) { return host::exp(row[first + j] - top); }));
    out[static_cast<std::size_t>(i)] = static_cast<double>(top) + std::log(sum);
  });
}

template <class B>
void scaled_softmax(const_view<B> x, std::span<double const> lse, std::span<double const> a, view<B> y) {
  using T = typename B::scalar;
  for_rows(x.rows, x.cols, [&](index i) {
    auto const r = static_cast<std::size_t>(i);
    T const shift = static_cast<T>(lse[r]),
            factor = static_cast<T>(a[r] * std::exp(static_cast<double>(shift) - lse[r]));
    T const* in = x.row(i);
    T* out = y.row(i);
    for (index j = 0; j < x.cols; ++j) out[j] = factor * host::exp(in[j] - shift);
  });
}

}  // namespace lancet::host
