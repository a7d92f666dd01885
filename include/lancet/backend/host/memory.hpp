// SPDX-License-Identifier: Apache-2.0
// Storage and copies of backends whose tensors lie in the host's memory.
#pragma once

#include <algorithm>
#include <cstring>

#include "lancet/backend/concept.hpp"
#include "lancet/core/aligned.hpp"

namespace lancet::host {

/// Base of host backends: `B` derives from `memory<B, Scalar>`.
template <class B, class Scalar>
struct memory {
  using scalar = Scalar;
  using storage = aligned_buffer<Scalar>;
  using in = basic_view<B, Scalar const, 2>;  // B is incomplete here: its views are spelled out
  using out = basic_view<B, Scalar, 2>;
  static constexpr bool host = true;

  static void copy(in x, out y) {
    for (index i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
  }
  static void upload(Scalar const* from, out y) {
    for (index i = 0; i < y.rows; ++i) std::copy_n(from + i * y.cols, y.cols, y.row(i));
  }
  static void download(in x, Scalar* to) {
    for (index i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, to + i * x.cols);
  }
};

}  // namespace lancet::host
