// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm: what they compute, and their adjoints against finite differences.
#define BOOST_TEST_MODULE ops_norm
#include "lancet/ops/norm.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

BOOST_AUTO_TEST_CASE_TEMPLATE(values, B, both_backends) {
  tensor<B> x(1, 4), w(1, 4), b(1, 4), mean(1, 1), s(1, 1), y(1, 4);
  for (index j = 0; j < 4; ++j) {
    x.all()(0, j) = static_cast<double>(j + 1);
    w.all()(0, j) = 2;
    b.all()(0, j) = -1;
  }
  ops::norm_scale<B>(norm_kind::rms, x, 0.5, mean.all(), s.all());
  BOOST_TEST(mean.all()(0, 0) == 0.0);
  BOOST_TEST(std::abs(s.all()(0, 0) - std::sqrt(30.0 / 4 + 0.5)) < 1e-15);
  ops::norm_scale<B>(norm_kind::layer, x, 0.5, mean.all(), s.all());
  BOOST_TEST(mean.all()(0, 0) == 2.5);
  BOOST_TEST(std::abs(s.all()(0, 0) - std::sqrt(5.0 / 4 + 0.5)) < 1e-15);
  ops::norm_apply<B>(x, mean, s, w, b, y.all());
  for (index j = 0; j < 4; ++j)
    BOOST_TEST(std::abs(y.all()(0, j) - ((static_cast<double>(j) - 1.5) / std::sqrt(1.75) * 2 - 1)) < 1e-14);
  ops::norm_apply<B>(x, mean, s, w, b, x.all());  // in place
  for (index j = 0; j < 4; ++j) BOOST_TEST(x.all()(0, j) == y.all()(0, j));
}

// The gradient through the scale that the pass used, with a hook between: scale' = scale·factor + shift.
BOOST_AUTO_TEST_CASE_TEMPLATE(adjoints, B, both_backends) {
  for (norm_kind const kind : {norm_kind::rms, norm_kind::layer})
    for (bool const biased : {false, true})
      for (double const factor : {1.0, 0.6, 0.0}) {  // 0: a frozen scale
        window<B> x(3, 19, 1, 2, 0.3);
        tensor<B> const w = random_tensor<B>(1, 19, 2, 0.5, 1), b = random_tensor<B>(1, 19, 3),
                        weights = random_tensor<B>(3, 19, 4);
        tensor<B> mean(3, 1), raw(3, 1), s(3, 1), y(3, 19);
        auto const objective = [&] {
          ops::norm_scale<B>(kind, x, 1e-5, mean.all(), raw.all());
          for (index i = 0; i < 3; ++i) s.all()(i, 0) = factor * raw.all()(i, 0) + 0.7;
          ops::norm_apply<B>(x, mean, s, w, biased ? b.all() : const_view<B>{}, y.all());
          return weighted_sum<B>(weights, y);
        };
        (void)objective();
        tensor<B> gc = tensor<B>::clone(weights), gs(3, 1), gx(3, 19);
        ops::norm_apply_adjoint<B>(gc, x, mean, s, w, gc.all(), gs.all());  // gc may be gy
        ops::scale<B>(factor, gs.all());
        ops::norm_scale_adjoint<B>(kind, gc, gs, x, mean, raw, gx.all());
        check_gradient<B>("norm", x.all(), gx, objective);

        (void)objective();  // the values at x again
        tensor<B> again = tensor<B>::clone(gx);
        ops::norm_scale_adjoint<B>(kind, gc, gs, x, mean, raw, again.all());
        for (index i = 0; i < 3; ++i)
          for (index j = 0; j < 19; ++j)
            BOOST_TEST(std::abs(again.all()(i, j) - 2 * gx.all()(i, j)) < 1e-14);  // it adds
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  tensor<B> x(3, 4), s(2, 1), y(3, 5), w(1, 4);
  check_throws<usage_error>([&] { ops::norm_scale<B>(norm_kind::rms, x, 0, s.all(), s.all()); },
                            "ops::norm_scale: got [2, 1], expected [3, 1]");
  check_throws<usage_error>([&] { ops::norm_apply<B>(x, s, s, w, {}, y.all()); },
                            "ops::norm_apply: got [3, 5], expected [3, 4]");
}

}  // namespace
}  // namespace lancet_test
