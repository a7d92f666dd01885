// SPDX-License-Identifier: Apache-2.0
// Contrast pairs of token ids, written in one line.
#pragma once

#include <utility>
#include <vector>

#include "lancet/causal/contrast_pair.hpp"

namespace lancet_test {

[[nodiscard]] inline lancet::contrast_pair pair_of(std::vector<lancet::token> clean,
                                                   std::vector<lancet::token> corrupted,
                                                   std::vector<lancet::token> answer,
                                                   std::vector<lancet::token> contrast, lancet::index line) {
  lancet::contrast_pair out;
  out.clean = std::move(clean);
  out.corrupted = std::move(corrupted);
  out.answer = std::move(answer);
  out.contrast = std::move(contrast);
  out.line = line;
  return out;
}

}  // namespace lancet_test
