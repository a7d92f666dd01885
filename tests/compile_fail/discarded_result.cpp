// SPDX-License-Identifier: Apache-2.0
// A result that is not used is almost always a mistake: results are [[nodiscard]].
// error: nodiscard
#include "lancet/core/view.hpp"

struct backend {
  using scalar = float;
  static constexpr bool host = true;
};

void forgets(lancet::view<backend> v) { v.row_range(0, 1); }
