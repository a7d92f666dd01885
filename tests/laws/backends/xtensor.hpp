// SPDX-License-Identifier: Apache-2.0
// xtensor's storage, with lancet's packed products.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/xtensor.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::xtensor<float>, lancet::backend::xtensor<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 120;

}  // namespace lancet_test
