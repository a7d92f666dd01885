// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE model_tiny_golden_eigen
#include "lancet/backend/eigen.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "model/tiny_golden.hpp"

namespace lancet_test {

BOOST_DATA_TEST_CASE(family, boost::unit_test::data::make(tiny_families), name) {
  if (skipped_without_shared("the small model " + std::string(name))) return;
  check_tiny_model<lancet::backend::eigen<float>>(name);
  check_tiny_model<lancet::backend::eigen<double>>(name);
}

}  // namespace lancet_test
