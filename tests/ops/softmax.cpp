// SPDX-License-Identifier: Apache-2.0
// Log-sum-exp and softmax rows: accuracy over a large vocabulary, shifts, extremes, the gradient.
#define BOOST_TEST_MODULE ops_softmax
#include "lancet/ops/softmax.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using every_backend = boost::mpl::list<backend::reference<float>, backend::reference<double>,
                                       backend::eigen<float>, backend::eigen<double>>;

// A float sum over 49,152 equal terms would stop growing long before the end.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_large_vocabulary_loses_nothing, B, every_backend) {
  index const v = 49152;
  tensor<B> const x = random_tensor<B>(2, v, 1, 3);
  std::vector<double> lse(2);
  ops::log_sum_exp<B>(x, lse);
  for (index i = 0; i < 2; ++i) {
    long double sum = 0;
    for (index j = 0; j < v; ++j) sum += std::exp(static_cast<long double>(x.all()(i, j)));
    BOOST_TEST(std::abs(lse[static_cast<std::size_t>(i)] - static_cast<double>(std::log(sum))) <
               (sizeof(typename B::scalar) == 4 ? 3e-7 : 1e-12));
  }
  tensor<B> y(2, v);
  std::vector<double> const a{1, 1};
  ops::scaled_softmax<B>(x, lse, a, y.all());
  double total = 0;
  for (index j = 0; j < v; ++j) total += static_cast<double>(y.all()(0, j));
  BOOST_TEST(std::abs(total - 1) < 1e-6);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(far_from_zero, B, every_backend) {
  tensor<B> x(3, 4);
  for (index j = 0; j < 4; ++j) {
    x.all()(0, j) = 1000;
    x.all()(1, j) = -20000;
    x.all()(2, j) = j == 2 ? 500 : -500;
  }
  std::vector<double> lse(3);
  ops::log_sum_exp<B>(x, lse);
  BOOST_TEST(std::abs(lse[0] - (1000 + std::log(4.0))) < 1e-9 * 1000);
  BOOST_TEST(std::abs(lse[1] - (-20000 + std::log(4.0))) < 1e-9 * 20000);
  BOOST_TEST(std::abs(lse[2] - 500) < 1e-12 * 500);
  tensor<B> y(3, 4);
  ops::scaled_softmax<B>(x, lse, std::vector<double>{1, 1, 1}, y.all());
  BOOST_TEST(std::abs(static_cast<double>(y.all()(0, 1)) - 0.25) < 1e-6);
  BOOST_TEST(std::abs(static_cast<double>(y.all()(1, 1)) - 0.25) < 1e-6);
  BOOST_TEST(std::abs(static_cast<double>(y.all()(2, 2)) - 1) < 1e-6);
  BOOST_TEST(static_cast<double>(y.all()(2, 0)) < 1e-30);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_gradient_of_log_sum_exp_is_softmax, B, both_backends) {
  window<B> x(3, 29, 2, 3);
  std::vector<double> const a{1.5, -1, 0.25};
  std::vector<double> lse(3);
  ops::log_sum_exp<B>(x, lse);
  tensor<B> g(3, 29);
  ops::scaled_softmax<B>(x, lse, a, g.all());
  check_gradient<B>("log_sum_exp", x.all(), g, [&] {
    std::vector<double> out(3);
    ops::log_sum_exp<B>(x, out);
    return a[0] * out[0] + a[1] * out[1] + a[2] * out[2];
  });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  tensor<B> x(3, 4), y(3, 5);
  std::vector<double> lse(2);
  check_throws<usage_error>([&] { ops::log_sum_exp<B>(x, lse); }, "ops::log_sum_exp");
  check_throws<usage_error>([&] { ops::scaled_softmax<B>(x, lse, lse, y.all()); }, "ops::scaled_softmax");
}

}  // namespace
}  // namespace lancet_test
