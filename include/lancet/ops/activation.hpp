// SPDX-License-Identifier: Apache-2.0
// MLP activations, plain (y = f(x)) and gated (y = f(x) ∘ u), with their adjoints.
#pragma once

#include <cmath>
#include <numbers>

#include "lancet/core/device.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// silu(x) = x·σ(x). gelu_tanh: Hendrycks and Gimpel's tanh form. gelu: x·Φ(x), exact.
enum class activation_kind { silu, gelu_tanh, gelu, relu, tanh };

namespace ops {

/// f(x) and f'(x) of one element, by the textbook formulas: what faster kernels are tested against.
template <class T>
struct activation_value {
  T f;
  T slope;
};

template <class T>
[[nodiscard]] LANCET_HOST_DEVICE activation_value<T> activate(activation_kind kind, T x) {
  if (kind == activation_kind::silu) {
    T const sigma = 1 / (1 + std::exp(-x));
    return {x * sigma, sigma * (1 + x * (1 - sigma))};
  }
  if (kind == activation_kind::gelu_tanh) {
    T const root = std::sqrt(T(2) / std::numbers::pi_v<T>);
    T const t = std::tanh(root * (x + T(0.044715) * x * x * x));
    return {T(0.5) * x * (1 + t),
            T(0.5) * (1 + t) + T(0.5) * x * (1 - t * t) * root * (1 + 3 * T(0.044715) * x * x)};
  }
  if (kind == activation_kind::relu) return {x > 0 ? x : T(0), x > 0 ? T(1) : T(0)};
  if (kind == activation_kind::tanh) {
    T const t = std::tanh(x);
    return {t, 1 - t * t};
  }
  T const phi = T(0.5) * (1 + std::erf(x / std::numbers::sqrt2_v<T>));
  return {x * phi, phi + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi_v<T>)};
}

/// y = f(x) ∘ up; without a gate `up` is empty and y = f(x): x, up, y [R, F].
template <class B>
void activation(activation_kind kind, in<B> x, in<B> up, basic_view<B, typename B::scalar, 2> y) {
  detail::same_shape("activation", x.rows, x.cols, y.rows, y.cols);
  if constexpr (overrides<B, op::activation>) {
    B::activation(kind, x, up, y);
  } else {
    lancet::detail::require_host_or_override<B, op::activation>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j)
        y(i, j) = activate(kind, x(i, j)).f * (up.data ? up(i, j) : typename B::scalar(1));
  }
}

/// gx = gy ∘ up ∘ f'(x), gup = gy ∘ f(x): all [R, F]; up and gup empty without a gate. gup may be gy.
template <class B>
void activation_adjoint(activation_kind kind, in<B> gy, in<B> x, in<B> up,
                        basic_view<B, typename B::scalar, 2> gx, std::type_identity_t<view<B>> gup) {
  detail::same_shape("activation_adjoint", x.rows, x.cols, gy.rows, gy.cols);
  if constexpr (overrides<B, op::activation>) {
    B::activation_adjoint(kind, gy, x, up, gx, gup);
  } else {
    lancet::detail::require_host_or_override<B, op::activation>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j) {
        auto const [f, slope] = activate(kind, x(i, j));
        typename B::scalar const g = gy(i, j);
        gx(i, j) = g * slope * (up.data ? up(i, j) : typename B::scalar(1));
        if (gup.data) gup(i, j) = g * f;
      }
  }
}

}  // namespace ops
}  // namespace lancet
