// SPDX-License-Identifier: Apache-2.0
// The verbs that run a model, one source file each; every function adds its verb to the command line.
#pragma once

#include "lancet/model_verbs/model.hpp"

namespace program::PROGRAM_BACKEND {

void add_info(CLI::App& app, common_options& common);
void add_score(CLI::App& app, common_options& common);
void add_generate(CLI::App& app, common_options& common);
void add_effects(CLI::App& app, common_options& common);
void add_circuit(CLI::App& app, common_options& common);
void add_train(CLI::App& app, common_options& common);
void add_validate(CLI::App& app, common_options& common);
void add_export(CLI::App& app, common_options& common);
void add_surgery(CLI::App& app, common_options& common);

}  // namespace program::PROGRAM_BACKEND
