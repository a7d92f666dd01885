// SPDX-License-Identifier: Apache-2.0
// transform: a user's own function of every element.
//
// On a device the function is compiled into the kernel, so both come from one .cu file: there `f` is a struct whose
// call operator is LANCET_HOST_DEVICE, and holds numbers or addresses on the device alone.
#pragma once

#include "lancet/ops/basic.hpp"

namespace lancet::ops {

/// y = f(x, y) element by element, in any order: x, y [R, D]; y may be x. `f` takes and returns scalars.
template <class B, class F>
void transform(in<B> x, basic_view<B, typename B::scalar, 2> y, F const& f) {
  detail::same_shape("transform", y.rows, y.cols, x.rows, x.cols);
  if constexpr (overrides<B, op::transform>) {
    B::transform(x, y, f);
  } else {
    lancet::detail::require_host_or_override<B, op::transform>();
    for (index i = 0; i < y.rows; ++i)
      for (index j = 0; j < y.cols; ++j) y(i, j) = f(x(i, j), y(i, j));
  }
}

}  // namespace lancet::ops
