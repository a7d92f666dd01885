// SPDX-License-Identifier: Apache-2.0
// An override that is listed must be there with the right signature: there is no silent fallback.
// error: scale
#include "lancet/backend/host/memory.hpp"
#include "lancet/ops/basic.hpp"

struct boastful : lancet::host::memory<boastful, float> {
  using overrides = lancet::op_list<lancet::op::scale>;
  static void scale(lancet::view<boastful> y) { (void)y; }  // the factor is missing
};

void scales(lancet::view<boastful> y) { lancet::ops::scale<boastful>(2, y); }
