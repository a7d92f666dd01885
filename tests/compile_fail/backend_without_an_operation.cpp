// SPDX-License-Identifier: Apache-2.0
// A backend whose memory is not the host's must bring every operation: the fallbacks read memory.
// error: lancet: this backend lacks an operation
// error: device_backend
// error: op::norm
#include "lancet/ops/norm.hpp"

struct device_backend {
  using scalar = float;
  using overrides = lancet::op_list<lancet::op::matmul>;
  static constexpr bool host = false;
};

void norms(lancet::view<device_backend> x) { lancet::ops::norm_apply<device_backend>(x, x, x, x, x, x); }
