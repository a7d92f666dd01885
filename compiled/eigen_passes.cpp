// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled.hpp"

#define LANCET_COMPILED template
#define LANCET_COMPILED_BACKEND backend::eigen<float>
#include "lancet/compiled/passes.inc"
