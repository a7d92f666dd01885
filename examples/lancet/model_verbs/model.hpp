// SPDX-License-Identifier: Apache-2.0
// What the sources of this folder compute with. They are compiled once for each backend, in a namespace of
// their own, with these macros (examples/CMakeLists.txt):
//   PROGRAM_BACKEND   xtensor: the backend's name in lancet::backend, of the namespace, and of --backend
//   PROGRAM_COMPILED  "lancet/compiled_xtensor.hpp": what lancet::compiled holds for it
#pragma once

#include <memory>
#include <string>

#include "lancet/common.hpp"
#include "lancet/intervene/intervention.hpp"
#include "lancet/model/transformer.hpp"
#include "lancet/texts.hpp"

#include PROGRAM_COMPILED

namespace program::PROGRAM_BACKEND {

using backend = lancet::backend::PROGRAM_BACKEND<float>;
using model_type = lancet::transformer<backend>;

/// Sets the threads and loads --model; its time is kept apart from the rest.
[[nodiscard]] model_type load(common_options& common);

/// The intervention that the options ask for, or nothing.
[[nodiscard]] std::unique_ptr<lancet::intervention<backend>> load(model_type const& model,
                                                                  intervention_options const& options);

}  // namespace program::PROGRAM_BACKEND
