// SPDX-License-Identifier: Apache-2.0
// The specification itself keeps the laws.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/reference.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::reference<float>, lancet::backend::reference<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 120;

}  // namespace lancet_test
