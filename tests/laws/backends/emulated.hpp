// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's kernels, run thread by thread on the host.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/emulated.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::emulated<float>, lancet::backend::emulated<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 40;  // every thread of every kernel is run one by one

}  // namespace lancet_test
