// SPDX-License-Identifier: Apache-2.0
// Weights multiplied by Eigen's own product: equal to the reference backend, on any number of threads. The
// packed product is held to the laws.
#define BOOST_TEST_MODULE backend_eigen_product
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"
#include "support/every_operation.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

template <class B>
operation_results products() {
  operation_results out;
  run_products<B>(out);
  return out;
}

template <class B>
void compare(double tolerance) {
  static operation_results const exact = products<backend::reference<double>>();
  operation_results const got = products<B>();
  for (auto const& [name, values] : exact) {
    auto const& mine = got.at(name);
    BOOST_REQUIRE_MESSAGE(mine.size() == values.size(), name << ": wrote outside its result");
    bool close = true;  // and not NaN
    for (std::size_t i = 0; i < values.size(); ++i)
      close = close && std::abs(mine[i] - values[i]) <= tolerance * std::max(1.0, std::abs(values[i]));
    BOOST_CHECK_MESSAGE(close, name << ": differs by more than " << tolerance);
  }
}

template <class T>
using eigens = backend::eigen<T, backend::product::eigen>;
static_assert(tensor_backend<eigens<float>> && tensor_backend<eigens<double>>);

BOOST_AUTO_TEST_CASE(in_double) { compare<eigens<double>>(2e-13); }
BOOST_AUTO_TEST_CASE(in_float) { compare<eigens<float>>(4e-5); }

BOOST_AUTO_TEST_CASE(bit_equal_on_any_number_of_threads) {
  set_threads(1);
  operation_results const one = products<eigens<float>>();
  for (int const threads : {2, 3}) {
    set_threads(threads);
    BOOST_CHECK_MESSAGE(products<eigens<float>>() == one, threads << " threads");
  }
}

}  // namespace
}  // namespace lancet_test
