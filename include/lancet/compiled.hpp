// SPDX-License-Identifier: Apache-2.0
// Declares what the optional library lancet::compiled holds of the Eigen backend in float, so that programs
// do not compile it again. Include it after the library's other headers.
#pragma once

#include "lancet/backend/eigen.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/score.hpp"

namespace lancet::compiled {
using backend_type = backend::eigen<float>;
}

#define LANCET_COMPILED extern template
#define LANCET_COMPILED_BACKEND backend::eigen<float>
#include "lancet/compiled/templates.inc"
