// SPDX-License-Identifier: Apache-2.0
// The backends on which adjoints are tested by finite differences; with them, strided and random matrices.
#pragma once

#include <boost/mpl/list.hpp>

#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

using both_backends = boost::mpl::list<lancet::backend::reference<double>, lancet::backend::eigen<double>>;

}  // namespace lancet_test
