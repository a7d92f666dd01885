// SPDX-License-Identifier: Apache-2.0
#include "lancet/cuda/templates.hpp"

#define LANCET_COMPILED template
#define LANCET_COMPILED_BACKEND backend::cuda<float>
#include "lancet/compiled/passes.inc"
