// SPDX-License-Identifier: Apache-2.0
// The small reference models on the eigen backend, in float and double.
#define BOOST_TEST_MODULE model_tiny_golden_eigen
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "model/tiny_golden.hpp"

namespace lancet_test {

BOOST_AUTO_TEST_CASE(llama) {
  if (skipped_without_shared("the small Llama model")) return;
  check_tiny_model<lancet::backend::eigen<float>>("llama");
  check_tiny_model<lancet::backend::eigen<double>>("llama");
}

BOOST_AUTO_TEST_CASE(gpt2) {
  if (skipped_without_shared("the small GPT-2 model")) return;
  check_tiny_model<lancet::backend::eigen<float>>("gpt2");
  check_tiny_model<lancet::backend::eigen<double>>("gpt2");
}

}  // namespace lancet_test
