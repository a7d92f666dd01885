// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's kernels, run thread by thread on the host.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/emulated.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::emulated<float>, lancet::backend::emulated<double>>;
inline constexpr bool rows_are_independent = true;

}  // namespace lancet_test
