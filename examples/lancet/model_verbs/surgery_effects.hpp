// SPDX-License-Identifier: Apache-2.0
// The first stage of `lancet surgery`: effects of heads, MLPs, positions and neurons.
#pragma once

#include <vector>

#include "lancet/model_verbs/surgery_plan.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

/// The training pairs that effects are measured on.
struct effect_examples {
  std::vector<lancet::contrast_pair> spread;  ///< of heads, MLPs and neurons
  std::vector<lancet::contrast_pair> alike;   ///< of positions: of one length, so that they mean the same
};
[[nodiscard]] effect_examples examples_of(surgery_options const& o, surgery_data const& data);

/// Fills in the effects, the example's attention, and the seconds.
void find_effects(model_type const& model, common_options const& common, effect_examples const& on,
                  std::string const& source, surgery_results& r);

}  // namespace program::PROGRAM_BACKEND::surgery_verb
