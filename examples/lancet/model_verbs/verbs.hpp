// SPDX-License-Identifier: Apache-2.0
// The verbs that run a model: one source file and one namespace each, whose `add` adds the verb to the command line.
#pragma once

#include "lancet/model_verbs/model.hpp"

namespace program::PROGRAM_BACKEND::info_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::score_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::generate_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::effects_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::circuit_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::train_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::validate_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::export_verb {
void add(CLI::App& app, common_options& common);
}
namespace program::PROGRAM_BACKEND::surgery_verb {
void add(CLI::App& app, common_options& common);
}
