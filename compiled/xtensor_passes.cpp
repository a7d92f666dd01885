// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled_xtensor.hpp"

#define LANCET_COMPILED template
#define LANCET_COMPILED_BACKEND backend::xtensor<float>
#include "lancet/compiled/passes.inc"
