// SPDX-License-Identifier: Apache-2.0
// Eigen with lancet's packed products, whose every row is summed in the same order whatever lies beside it.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/eigen.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::eigen<float>, lancet::backend::eigen<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 120;

}  // namespace lancet_test
