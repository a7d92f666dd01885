// SPDX-License-Identifier: Apache-2.0
// Declares what the optional library lancet::compiled holds of the xtensor backend in float, so that programs
// do not compile it again. Include it after the library's other headers.
#pragma once

#include "lancet/backend/xtensor.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/score.hpp"

#define LANCET_COMPILED extern template
#define LANCET_COMPILED_BACKEND backend::xtensor<float>
#include "lancet/compiled/templates.inc"
