// SPDX-License-Identifier: Apache-2.0
// The operations that hooks are written with: values, adjoint pairs, refusals.
#define BOOST_TEST_MODULE ops_basic
#include "lancet/ops/basic.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "lancet/ops/linear.hpp"
#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using ops::transpose;

/// ⟨a, b⟩ over all elements.
template <class B>
double inner(const_view<B> a, std::type_identity_t<const_view<B>> b) {
  return weighted_sum<B>(a, b);
}

// An operation and its adjoint satisfy ⟨gy, A x⟩ = ⟨Aᵀ gy, x⟩.
BOOST_AUTO_TEST_CASE_TEMPLATE(gather_and_scatter_are_adjoint, B, both_backends) {
  std::vector<index> const rows{3, 0, 3, 1};
  tensor<B> const x = random_tensor<B>(5, 7, 1), gy = random_tensor<B>(4, 7, 2);
  tensor<B> y(4, 7), gx(5, 7);
  ops::gather_rows<B>(x, rows, y.all());
  ops::scatter_add_rows<B>(gy, rows, gx.all());
  BOOST_TEST(std::abs(inner<B>(gy, y) - inner<B>(gx, x)) < 1e-13);
  for (index j = 0; j < 7; ++j) BOOST_TEST(gx.all()(3, j) == gy.all()(0, j) + gy.all()(2, j));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(add_row_vector_and_column_sum_are_adjoint, B, both_backends) {
  tensor<B> const v = random_tensor<B>(1, 7, 3), gy = random_tensor<B>(6, 7, 4);
  tensor<B> y(6, 7), gv(1, 7);
  ops::add_row_vector<B>(2.5, v, y.all());
  ops::column_sum<B>(2.5, gy, gv.all());
  BOOST_TEST(std::abs(inner<B>(gy, y) - inner<B>(gv, v)) < 1e-13);
  tensor<B> const once = tensor<B>::clone(gv);
  ops::column_sum<B>(2.5, gy, gv.all());  // it adds
  for (index j = 0; j < 7; ++j) BOOST_TEST(std::abs(gv.all()(0, j) - 2 * once.all()(0, j)) < 1e-14);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(linear_and_its_adjoint, B, both_backends) {
  typename B::weight const w{random_tensor<B>(9, 14, 5).all()};
  tensor<B> const bias = random_tensor<B>(1, 9, 6), weights = random_tensor<B>(5, 9, 7);
  window<B> x(5, 14, 8);
  tensor<B> y(5, 9), gx(5, 14);
  auto const objective = [&] {
    ops::linear<B>(x, w, bias, y.all());
    return weighted_sum<B>(weights, y);
  };
  ops::linear_adjoint<B>(weights, w, gx.all());
  check_gradient<B>("linear", x.all(), gx, objective);
  tensor<B> twice = tensor<B>::clone(gx);
  ops::linear_adjoint<B>(weights, w, twice.all(), true);
  for (index j = 0; j < 14; ++j) BOOST_TEST(std::abs(twice.all()(2, j) - 2 * gx.all()(2, j)) < 1e-13);
}

// The four products that an adapter's adjoint takes.
BOOST_AUTO_TEST_CASE_TEMPLATE(products_and_their_adjoints, B, both_backends) {
  for (transpose const ta : {transpose::no, transpose::yes})
    for (transpose const tb : {transpose::no, transpose::yes}) {
      window<B> a(ta == transpose::no ? 4 : 6, ta == transpose::no ? 6 : 4, 9);
      window<B> b(tb == transpose::no ? 6 : 5, tb == transpose::no ? 5 : 6, 10);
      tensor<B> const g = random_tensor<B>(4, 5, 11);
      tensor<B> c(4, 5), ga(a.all().rows, a.all().cols), gb(b.all().rows, b.all().cols);
      auto const objective = [&] {
        ops::matmul<B>(a, ta, b, tb, c.all());
        return weighted_sum<B>(g, c);
      };
      auto const other = [](transpose t) { return t == transpose::no ? transpose::yes : transpose::no; };
      if (ta == transpose::no)
        ops::matmul<B>(g, transpose::no, b, other(tb), ga.all());
      else
        ops::matmul<B>(b, tb, g, transpose::yes, ga.all());
      if (tb == transpose::no)
        ops::matmul<B>(a, other(ta), g, transpose::no, gb.all());
      else
        ops::matmul<B>(g, transpose::yes, a, ta, gb.all());
      check_gradient<B>("a", a.all(), ga, objective);
      check_gradient<B>("b", b.all(), gb, objective);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(row_dots_and_masks, B, both_backends) {
  tensor<B> const x = random_tensor<B>(3, 5, 12), y = random_tensor<B>(3, 5, 13);
  tensor<B> dots(3, 1);
  ops::row_dot<B>(x, y, dots.all());
  BOOST_TEST(std::abs(dots.all()(1, 0) - inner<B>(x.all().row_range(1, 1), y.all().row_range(1, 1))) < 1e-15);
  tensor<B> z = tensor<B>::clone(x), mask(1, 5);
  mask.all()(0, 2) = 1;
  ops::scale_columns<B>(mask, z.all());
  for (index i = 0; i < 3; ++i)
    for (index j = 0; j < 5; ++j) BOOST_TEST(z.all()(i, j) == (j == 2 ? x.all()(i, j) : 0.0));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  tensor<B> a(3, 4), b(4, 5), v(1, 5), c(3, 5);
  std::vector<index> const rows{0, 1};
  typename B::weight const w{b.all()};
  check_throws<usage_error>([&] { ops::copy<B>(a, b.all()); }, "ops::copy: got [3, 4], expected [4, 5]");
  check_throws<usage_error>([&] { ops::axpy<B>(1, a, b.all()); }, "ops::axpy: got [3, 4], expected [4, 5]");
  check_throws<usage_error>([&] { ops::matmul<B>(a, transpose::no, b, transpose::no, a.all()); },
                            "ops::matmul (c): got [3, 4], expected [3, 5]");
  check_throws<usage_error>([&] { ops::matmul<B>(a, transpose::no, b, transpose::yes, a.all()); },
                            "ops::matmul (op(b))");
  check_throws<usage_error>([&] { ops::gather_rows<B>(a, rows, c.all()); }, "ops::gather_rows");
  check_throws<usage_error>([&] { ops::scatter_add_rows<B>(a, rows, c.all()); }, "ops::scatter_add_rows");
  check_throws<usage_error>([&] { ops::row_dot<B>(a, a, v.all()); }, "ops::row_dot (out)");
  check_throws<usage_error>([&] { ops::scale_columns<B>(v, a.all()); }, "ops::scale_columns");
  check_throws<usage_error>([&] { ops::add_row_vector<B>(1, v, a.all()); }, "ops::add_row_vector");
  check_throws<usage_error>([&] { ops::column_sum<B>(1, a, v.all()); }, "ops::column_sum");
  check_throws<usage_error>([&] { ops::linear<B>(a, w, {}, c.all()); },
                            "ops::linear (x): got [3, 4], expected [3, 5]");
  check_throws<usage_error>([&] { ops::linear_adjoint<B>(a, w, a.all()); }, "ops::linear_adjoint (gx)");
}

}  // namespace
}  // namespace lancet_test
