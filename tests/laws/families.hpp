// SPDX-License-Identifier: Apache-2.0
// The families that laws of many passes are held to.
#pragma once

#include <vector>

#include "laws/law.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

/// For laws of hundreds of passes: where a pass takes long, the two families that differ most. Other laws hold every
/// kernel to every family.
[[nodiscard]] inline std::vector<lancet::architecture> families_of_long_laws() {
  if (longest_text < 100) return {llama_like(), bert_like()};
  return families();
}

}  // namespace lancet_test
