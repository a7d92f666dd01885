// SPDX-License-Identifier: Apache-2.0
// Every operation of every host backend against the reference backend, in float and double.
#define BOOST_TEST_MODULE backend_agreement
#include <algorithm>
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "backend/every_operation.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"
#include "lancet/backend/xtensor.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

static_assert(tensor_backend<backend::reference<float>> && tensor_backend<backend::reference<double>>);
static_assert(tensor_backend<backend::eigen<float>> && tensor_backend<backend::eigen<double>>);
static_assert(tensor_backend<backend::xtensor<float>> && tensor_backend<backend::xtensor<double>>);
static_assert(tensor_backend<backend::eigen<float, backend::product::eigen>>);

/// |x − y| <= tolerance·max(1, |y|), and no element of a frame was written.
void compare(operation_results const& got, operation_results const& expected, double tolerance) {
  BOOST_REQUIRE(got.size() == expected.size());
  for (auto const& [name, values] : expected) {
    auto const& mine = got.at(name);
    BOOST_REQUIRE_MESSAGE(mine.size() == values.size(), name << ": wrote outside its result");
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const d = std::abs(mine[i] - values[i]) / std::max(1.0, std::abs(values[i]));
      if (!(d <= worst)) worst = d;
    }
    BOOST_CHECK_MESSAGE(worst <= tolerance, name << ": differs by " << worst << ", tolerance " << tolerance);
  }
}

BOOST_AUTO_TEST_CASE(in_double) {
  operation_results const reference = run_every_operation<backend::reference<double>>();
  compare(run_every_operation<backend::eigen<double>>(), reference, 2e-13);
  compare(run_every_operation<backend::eigen<double, backend::product::eigen>>(), reference, 2e-13);
  compare(run_every_operation<backend::xtensor<double>>(), reference, 2e-13);
  compare(run_every_operation<backend::xtensor<double, backend::product::plain>>(), reference, 2e-13);
}

BOOST_AUTO_TEST_CASE(in_float) {
  // The reference in double is the exact answer; inputs are rounded to float, hence the wider tolerance.
  operation_results const exact = run_every_operation<backend::reference<double>>();
  compare(run_every_operation<backend::reference<float>>(), exact, 4e-5);
  compare(run_every_operation<backend::eigen<float>>(), exact, 4e-5);
  compare(run_every_operation<backend::xtensor<float>>(), exact, 4e-5);
}

using fast_backends =
    boost::mpl::list<backend::eigen<float>, backend::xtensor<float>, backend::xtensor<double>>;
BOOST_AUTO_TEST_CASE_TEMPLATE(bit_equal_on_any_number_of_threads, B, fast_backends) {
  set_threads(1);
  operation_results const one = run_every_operation<B>();
  for (int const threads : {2, 3}) {
    set_threads(threads);
    BOOST_CHECK_MESSAGE(run_every_operation<B>() == one, threads << " threads");
  }
}

BOOST_AUTO_TEST_CASE(frames_were_respected_by_the_reference_too) {
  for (auto const& [name, values] : run_every_operation<backend::reference<double>>()) {
    bool const intact = std::all_of(values.begin(), values.end(), [](double v) { return std::abs(v) < 1e6; });
    BOOST_CHECK_MESSAGE(intact, name << ": wrote outside its result");
  }
}

}  // namespace
}  // namespace lancet_test
