// SPDX-License-Identifier: Apache-2.0
// One step of Adam (Kingma and Ba 2015; AMSGrad) or AdamW (Loshchilov and Hutter 2019), element by element, as in
// PyTorch. `optimizer` computes the factors; on a device a step needs no copy of the parameters.
#pragma once

#include <cmath>

#include "lancet/core/device.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// What one step has in common for all elements.
template <class T>
struct adam_factors {
  T kept;       ///< 1 − learning rate·weight decay, of AdamW
  T decay;      ///< of Adam: decay·x is added to the gradient
  T new_first;  ///< 1 − β₁
  T beta2;
  T new_second;  ///< 1 − β₂
  T rate;        ///< learning rate / (1 − β₁ᵗ)
  T root;        ///< √(1 − β₂ᵗ)
  T epsilon;

  /// Moves x against its gradient; `largest` is AMSGrad's, or null.
  LANCET_HOST_DEVICE void step(T gradient, T& x, T& first, T& second, T* largest) const {
    T const g = gradient + decay * x;
    first += new_first * (g - first);
    second = beta2 * second + new_second * g * g;
    if (largest && *largest < second) *largest = second;
    x = kept * x - rate * first / (std::sqrt(largest ? *largest : second) / root + epsilon);
  }
};

namespace ops {

/// One step of x [R, D] with its moments [R, D]; `largest` may be empty.
template <class B>
void adam_step(adam_factors<typename B::scalar> const& f, in<B> gradient,
               basic_view<B, typename B::scalar, 2> x, basic_view<B, typename B::scalar, 2> first,
               basic_view<B, typename B::scalar, 2> second, std::type_identity_t<view<B>> largest) {
  detail::same_shape("adam_step (gradient)", x.rows, x.cols, gradient.rows, gradient.cols);
  detail::same_shape("adam_step (first)", x.rows, x.cols, first.rows, first.cols);
  detail::same_shape("adam_step (second)", x.rows, x.cols, second.rows, second.cols);
  if constexpr (overrides<B, op::adam>) {
    B::adam_step(f, gradient, x, first, second, largest);
  } else {
    lancet::detail::require_host_or_override<B, op::adam>();
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j)
        f.step(gradient(i, j), x(i, j), first(i, j), second(i, j), largest.data ? &largest(i, j) : nullptr);
  }
}

}  // namespace ops
}  // namespace lancet
