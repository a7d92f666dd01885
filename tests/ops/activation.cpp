// SPDX-License-Identifier: Apache-2.0
// Activations, plain and gated: known values, slopes, adjoints against finite differences, extremes.
#define BOOST_TEST_MODULE ops_activation
#include "lancet/ops/activation.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using enum activation_kind;

template <class B>
double activated(activation_kind kind, double x) {
  tensor<B> in(1, 1), out(1, 1);
  in.all()(0, 0) = static_cast<typename B::scalar>(x);
  ops::activation<B>(kind, in, {}, out.all());
  return static_cast<double>(out.all()(0, 0));
}

// torch.nn.functional.silu, gelu(approximate="tanh"), gelu at 1.5, from their formulas in long double.
BOOST_AUTO_TEST_CASE_TEMPLATE(known_values, B, both_backends) {
  BOOST_TEST(std::abs(activated<B>(silu, 1.5) - 1.5 / (1 + std::exp(-1.5))) < 1e-15);
  BOOST_TEST(std::abs(activated<B>(gelu, 1.5) - 0.75 * (1 + std::erf(1.5 / std::sqrt(2.0)))) < 1e-15);
  double const inner = std::sqrt(2 / 3.14159265358979323846) * (1.5 + 0.044715 * 1.5 * 1.5 * 1.5);
  BOOST_TEST(std::abs(activated<B>(gelu_tanh, 1.5) - 0.75 * (1 + std::tanh(inner))) < 1e-15);
  // The two forms of GELU are close and not equal.
  BOOST_TEST(std::abs(activated<B>(gelu_tanh, 1.5) - activated<B>(gelu, 1.5)) > 1e-5);
  for (activation_kind const kind : {silu, gelu_tanh, gelu}) BOOST_TEST(activated<B>(kind, 0) == 0.0);
}

using every_backend = boost::mpl::list<backend::reference<float>, backend::reference<double>,
                                       backend::eigen<float>, backend::eigen<double>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(far_out_they_are_0_or_x, B, every_backend) {
  for (activation_kind const kind : {silu, gelu_tanh, gelu})
    for (double const x : {30.0, 100.0, 1000.0, 20000.0}) {
      BOOST_TEST(std::abs(activated<B>(kind, x) / x - 1) < 1e-6);
      BOOST_TEST(std::abs(activated<B>(kind, -x)) < 1e-5);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adjoints, B, both_backends) {
  for (activation_kind const kind : {silu, gelu_tanh, gelu})
    for (bool const gated : {false, true}) {
      window<B> x(4, 23, 1, 4), up(4, 23, 2, 2);
      tensor<B> const weights = random_tensor<B>(4, 23, 3);
      const_view<B> const u = gated ? const_view<B>(up) : const_view<B>{};
      tensor<B> y(4, 23), gx(4, 23), gup(4, 23);
      auto const objective = [&] {
        ops::activation<B>(kind, x, u, y.all());
        return weighted_sum<B>(weights, y);
      };
      ops::activation_adjoint<B>(kind, weights, x, u, gx.all(), gated ? gup.all() : view<B>{});
      check_gradient<B>("activation", x.all(), gx, objective);
      if (gated) check_gradient<B>("up", up.all(), gup, objective);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  tensor<B> x(3, 4), y(3, 5);
  check_throws<usage_error>([&] { ops::activation<B>(silu, x, {}, y.all()); },
                            "ops::activation: got [3, 5], expected [3, 4]");
  check_throws<usage_error>([&] { ops::activation_adjoint<B>(silu, y, x, {}, x.all(), {}); },
                            "ops::activation_adjoint: got [3, 5], expected [3, 4]");
}

}  // namespace
}  // namespace lancet_test
