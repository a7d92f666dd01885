// SPDX-License-Identifier: Apache-2.0
// Segments of one row each, at given positions.
#pragma once

#include <vector>

#include "lancet/model/batch.hpp"

namespace lancet_test {

[[nodiscard]] inline std::vector<lancet::segment> single_rows(std::vector<lancet::index> const& positions) {
  std::vector<lancet::segment> out;
  for (lancet::index const p : positions) out.push_back({std::ssize(out), 1, p, -1});
  return out;
}

}  // namespace lancet_test
