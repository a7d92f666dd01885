// SPDX-License-Identifier: Apache-2.0
// The reference backend: plain loops over host memory. It is the specification that every other backend is
// tested against, and overrides nothing.
#pragma once

#include "lancet/backend/host/memory.hpp"
#include "lancet/ops/linear.hpp"

namespace lancet::backend {

template <class Scalar>
struct reference : host::memory<reference<Scalar>, Scalar> {
  static constexpr char const* name = "reference";
  using overrides = op_list<>;
  using weight = plain_weight<reference>;

  /// The view itself: there is no library underneath.
  template <class View>
  static View native(View v) {
    return v;
  }
};

}  // namespace lancet::backend
