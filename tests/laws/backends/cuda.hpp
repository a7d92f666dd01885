// SPDX-License-Identifier: Apache-2.0
// A GPU, where there is one; skipped, visibly, elsewhere.
#pragma once

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>

#include "lancet/backend/cuda.hpp"

namespace lancet_test {

using backends = boost::mpl::list<lancet::backend::cuda<float>, lancet::backend::cuda<double>>;
inline constexpr bool rows_are_independent = false;  // cuBLAS chooses its kernel by the number of rows
inline constexpr lancet::index longest_text = 120;

/// Ends the program before the first law where no GPU can be used.
struct gpu_or_skip {
  gpu_or_skip() {
    auto const found = lancet::backend::cuda<float>::runtime::devices();
    if (!found.empty()) {
      std::printf("on %s\n", found.front().c_str());
      return;
    }
    std::printf("SKIPPED the laws on a GPU: the driver knows none\n");
    std::fflush(stdout);
    std::_Exit(0);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(gpu_or_skip);

}  // namespace lancet_test
