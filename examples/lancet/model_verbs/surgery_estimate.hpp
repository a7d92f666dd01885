// SPDX-License-Identifier: Apache-2.0
// `lancet surgery --dry-run`: what will be computed, and how long it will take.
#pragma once

#include "lancet/model_verbs/surgery_plan.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

/// Prints the plan. Seconds are those of a few pairs, one step of training and one window of text, scaled up.
void print_plan(model_type const& model, common_options const& common, surgery_options const& o,
                surgery_data const& data);

}  // namespace program::PROGRAM_BACKEND::surgery_verb
