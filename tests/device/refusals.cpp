// SPDX-License-Identifier: Apache-2.0
// What operations of a device refuse because no kernel is compiled for it.
#define BOOST_TEST_MODULE device_refusals
#include <boost/test/unit_test.hpp>

#include "lancet/backend/emulated.hpp"
#include "support/errors.hpp"
#include "support/every_operation.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

BOOST_AUTO_TEST_CASE(heads_wider_than_the_widest_kernel) {
  check_throws<usage_error>([] { static_cast<void>(run_wide_head<backend::emulated<float>>(257)); },
                            "attention on a device: got heads of 257 columns, expected at most 256");
  check_throws<usage_error>([] { static_cast<void>(run_wide_head<backend::emulated<double>>(129)); },
                            "attention on a device: got heads of 129 columns, expected at most 128");
}

}  // namespace
}  // namespace lancet_test
