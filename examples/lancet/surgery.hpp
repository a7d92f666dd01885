// SPDX-License-Identifier: Apache-2.0
// `lancet surgery`: effects, circuit, training, validation, atlas and report in one command.
#pragma once

#include "lancet/common.hpp"

namespace program {
void add_surgery(CLI::App& app, common_options& common);
}  // namespace program
