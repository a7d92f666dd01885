// SPDX-License-Identifier: Apache-2.0
// Without a GPU or a driver the first use of one is a cuda_error that names the operation.
#define BOOST_TEST_MODULE device_cuda_error
#include <boost/test/unit_test.hpp>
#include <cstdio>

#include "lancet/backend/cuda.hpp"
#include "support/errors.hpp"

namespace lancet_test {
namespace {

using runtime = lancet::backend::cuda<float>::runtime;

/// Runs `f`, which must throw a cuda_error that begins with an operation's name.
template <class F>
void check_operation(F&& f, std::string_view operation) {
  check_throws<lancet::cuda_error>(f, operation);
  try {
    f();
  } catch (lancet::cuda_error const& e) {
    BOOST_TEST(std::string_view(e.what()).starts_with(operation), e.what());
  }
}

BOOST_AUTO_TEST_CASE(an_allocation_without_a_gpu) {
  if (!runtime::devices().empty()) {
    std::printf("SKIPPED cuda_error without a GPU: here is one\n");
    return;
  }
  check_operation([] { static_cast<void>(runtime::allocate(64)); }, "cudaStreamCreate: ");
  check_operation([] { runtime::use_device(0); }, "cudaSetDevice: ");
  check_operation([] { lancet::tensor<lancet::backend::cuda<float>>(2, 3); }, "cudaStreamCreate: ");
}

}  // namespace
}  // namespace lancet_test
