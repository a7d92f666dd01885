// SPDX-License-Identifier: Apache-2.0
// Elements can be touched only where the backend's memory is the host's.
// error: constraints not satisfied
// error: ::host
#include "lancet/core/view.hpp"

struct device_backend {
  using scalar = float;
  static constexpr bool host = false;
};

float peeks(lancet::view<device_backend> v) { return v(0, 0); }
