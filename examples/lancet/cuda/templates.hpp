// SPDX-License-Identifier: Apache-2.0
// Declares what the sources beside it hold of the CUDA backend: as lancet/compiled.hpp for Eigen's, in the program alone, so that
// only programs that ask for CUDA are linked with it.
#pragma once

#include "lancet/backend/cuda.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/score.hpp"

#define LANCET_COMPILED extern template
#define LANCET_COMPILED_BACKEND backend::cuda<float>
#include "lancet/compiled/templates.inc"
