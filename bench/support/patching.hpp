// SPDX-License-Identifier: Apache-2.0
// The sweep that is measured: the exact effect of every head's clean output in the corrupted run, on one pair
// of prompts.
#pragma once

#include "lancet/causal/activation_patching.hpp"

namespace lancet_bench {

template <class B>
[[nodiscard]] lancet::effect_table patch_every_head(lancet::transformer<B> const& model,
                                                    lancet::contrast_pair const& pair) {
  return lancet::activation_patching(
      model, std::span(&pair, 1),
      {.metric = lancet::log_odds{}, .change = lancet::resample{}, .direction = lancet::denoise});
}

}  // namespace lancet_bench
