// SPDX-License-Identifier: Apache-2.0
// The bodies of distributions (core/inline.hpp).
#define LANCET_COMPILING
#include "lancet/stats/detail/distributions.hpp"
