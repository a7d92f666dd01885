// SPDX-License-Identifier: Apache-2.0
// Enters this backend and its verbs into the program's list.
#include "lancet/model_verbs/verbs.hpp"

#include "lancet/backends.hpp"

namespace program::PROGRAM_BACKEND {
namespace {

void add_verbs(CLI::App& app, common_options& common) {
  info_verb::add(app, common);
  score_verb::add(app, common);
  generate_verb::add(app, common);
  effects_verb::add(app, common);
  circuit_verb::add(app, common);
  train_verb::add(app, common);
  validate_verb::add(app, common);
  export_verb::add(app, common);
  surgery_verb::add(app, common);
}

bool const entered = enter({backend::name, add_verbs, devices_of<backend>});

}  // namespace
}  // namespace program::PROGRAM_BACKEND
