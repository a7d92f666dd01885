// SPDX-License-Identifier: Apache-2.0
// Enters this backend and its verbs into the program's list.
#include "lancet/model_verbs/verbs.hpp"

#include "lancet/backends.hpp"

namespace program::PROGRAM_BACKEND {
namespace {

void add_verbs(CLI::App& app, common_options& common) {
  add_info(app, common);
  add_score(app, common);
  add_generate(app, common);
  add_effects(app, common);
  add_circuit(app, common);
  add_train(app, common);
  add_validate(app, common);
  add_export(app, common);
  add_surgery(app, common);
}

bool const entered = enter({backend::name, add_verbs, devices_of<backend>});

}  // namespace
}  // namespace program::PROGRAM_BACKEND
