// SPDX-License-Identifier: Apache-2.0
// The verbs that run no model, one source file each; every function adds its verb to the command line. The
// others are in model_verbs/.
#pragma once

#include "lancet/common.hpp"

namespace program {

void add_tokens(CLI::App& app, common_options& common);
void add_atlas(CLI::App& app, common_options& common);
void add_report(CLI::App& app, common_options& common);

}  // namespace program
