// SPDX-License-Identifier: Apache-2.0
// Laws of adjoints: a linear operation and its adjoint satisfy ⟨gy, A x⟩ = ⟨Aᵀ gy, x⟩, every gradient is that
// of finite differences (in double), and gradients that are documented to add up do. In float, adjoints are
// held to those of the reference in double by the laws of operations.
#pragma once

#include "lancet/ops/activation.hpp"
#include "lancet/ops/linear.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"
#include "laws/law.hpp"
#include "support/finite_differences.hpp"
#include "support/ragged_attention.hpp"
#include "support/segments.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using ops::transpose;

/// `again` is what became of a gradient when it was added a second time.
template <class B>
void check_twice(tensor<B> const& again, tensor<B> const& once, std::string_view what) {
  tensor<B> twice = tensor<B>::clone(once);
  ops::scale<B>(2, twice.all());
  check_close<B>(again, twice, by_scalar<B>(1e-5, 1e-13), what);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(gather_and_scatter, B, backends) {
  std::vector<index> const rows{3, 0, 3, 1};
  tensor<B> const x = random_tensor<B>(5, 7, 1), gy = random_tensor<B>(4, 7, 2);
  tensor<B> y(4, 7), gx(5, 7);
  ops::gather_rows<B>(x, rows, y.all());
  ops::scatter_add_rows<B>(gy, rows, gx.all());
  BOOST_TEST(std::abs(weighted_sum<B>(gy, y) - weighted_sum<B>(gx, x)) < by_scalar<B>(1e-5, 1e-13));
  tensor<B> both = tensor<B>::clone(gy.all().row_range(0, 1));  // row 3 was read twice
  ops::axpy<B>(1, gy.all().row_range(2, 1), both.all());
  BOOST_TEST(numbers<B>(gx.all().row_range(3, 1)) == numbers<B>(both));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(add_row_vector_and_column_sum, B, backends) {
  tensor<B> const v = random_tensor<B>(1, 7, 3), gy = random_tensor<B>(6, 7, 4);
  tensor<B> y(6, 7), gv(1, 7);
  ops::add_row_vector<B>(2.5, v, y.all());
  ops::column_sum<B>(2.5, gy, gv.all());
  BOOST_TEST(std::abs(weighted_sum<B>(gy, y) - weighted_sum<B>(gv, v)) < by_scalar<B>(1e-5, 1e-13));
  tensor<B> const once = tensor<B>::clone(gv);
  ops::column_sum<B>(2.5, gy, gv.all());
  check_twice(gv, once, "column_sum");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(linear_in_any_scalar, B, backends) {
  typename B::weight const w{random_tensor<B>(9, 14, 5).all()};
  tensor<B> const x = random_tensor<B>(5, 14, 8), gy = random_tensor<B>(5, 9, 7);
  tensor<B> y(5, 9), gx(5, 14);
  ops::linear<B>(x, w, {}, y.all());
  ops::linear_adjoint<B>(gy, w, gx.all());
  BOOST_TEST(std::abs(weighted_sum<B>(gy, y) - weighted_sum<B>(gx, x)) < by_scalar<B>(1e-5, 1e-13));
  tensor<B> twice = tensor<B>::clone(gx);
  ops::linear_adjoint<B>(gy, w, twice.all(), true);
  check_twice(twice, gx, "linear_adjoint");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(linear_with_a_bias, B, precise_backends) {
  typename B::weight const w{random_tensor<B>(9, 14, 5).all()};
  tensor<B> const bias = random_tensor<B>(1, 9, 6), weights = random_tensor<B>(5, 9, 7);
  window<B> x(5, 14, 8);
  tensor<B> y(5, 9), gx(5, 14);
  ops::linear_adjoint<B>(weights, w, gx.all());
  check_gradient<B>("linear", x.all(), gx, [&] {
    ops::linear<B>(x, w, bias, y.all());
    return weighted_sum<B>(weights, y);
  });
}

// The four products that an adapter's adjoint takes.
BOOST_AUTO_TEST_CASE_TEMPLATE(products, B, precise_backends) {
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

// The gradient through the scale that the pass used, with a hook between: scale' = scale·factor + 0.7.
BOOST_AUTO_TEST_CASE_TEMPLATE(norms, B, precise_backends) {
  for (norm_kind const kind : {norm_kind::rms, norm_kind::layer})
    for (bool const biased : {false, true})
      for (double const factor : {1.0, 0.6, 0.0}) {  // 0: a frozen scale
        window<B> x(3, 19, 1, 2, 0.3);
        tensor<B> const w = random_tensor<B>(1, 19, 2, 0.5, 1), b = random_tensor<B>(1, 19, 3),
                        weights = random_tensor<B>(3, 19, 4), shift = make_tensor<B>(1, 1, {0.7});
        tensor<B> mean(3, 1), raw(3, 1), s(3, 1), y(3, 19);
        auto const objective = [&] {
          ops::norm_scale<B>(kind, x, 1e-5, mean.all(), raw.all());
          B::copy(raw, s.all());
          ops::scale<B>(factor, s.all());
          ops::add_row_vector<B>(1, shift, s.all());
          ops::norm_apply<B>(x, mean, s, w, biased ? b.all() : const_view<B>{}, y.all());
          return weighted_sum<B>(weights, y);
        };
        static_cast<void>(objective());
        tensor<B> gc = tensor<B>::clone(weights), gs(3, 1), gx(3, 19);
        ops::norm_apply_adjoint<B>(gc, x, mean, s, w, gc.all(), gs.all());  // gc may be gy
        ops::scale<B>(factor, gs.all());
        ops::norm_scale_adjoint<B>(kind, gc, gs, x, mean, raw, gx.all());
        check_gradient<B>("norm", x.all(), gx, objective);

        static_cast<void>(objective());  // the values at x again
        tensor<B> again = tensor<B>::clone(gx);
        ops::norm_scale_adjoint<B>(kind, gc, gs, x, mean, raw, again.all());
        check_twice(again, gx, "norm_scale_adjoint");
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rotations, B, precise_backends) {
  window<B> x(4, 24, 4);
  tensor<B> const weights = random_tensor<B>(4, 24, 5);
  tensor<B> y(4, 24), gx = tensor<B>::clone(weights);
  rope_table<B> table;
  table.build(single_rows({9, 10, 0, 1}), {.dims = 10});
  ops::rope<B>(table, ops::turn::backward, 12, gx.all());
  check_gradient<B>("rope", x.all(), gx, [&] {
    B::copy(x, y.all());
    ops::rope<B>(table, ops::turn::forward, 12, y.all());
    return weighted_sum<B>(weights, y);
  });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(activations, B, precise_backends) {
  using enum activation_kind;
  for (activation_kind const kind : {silu, gelu_tanh, gelu, relu, activation_kind::tanh})
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

template <class B>
double weighted_results(ragged_attention<B> const& r) {
  double sum = 0;
  for (std::size_t i = 0; i < r.parts.size(); ++i) sum += weighted_sum<B>(r.gz[i], r.parts[i].z);
  return sum;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(fused_attention, B, precise_backends) {
  for (attention_shape const& shape : attention_shapes()) {
    ragged_attention<B> r(shape);
    ops::attention_adjoint<B>(r.shape, r.parts, r.gradients);
    std::vector<tensor<B>> once;
    for (std::size_t s = 0; s < r.parts.size(); ++s) {
      check_gradient<B>("segment " + std::to_string(s), r.qkv[s].all(), r.g[s], [&] {
        ops::attention<B>(r.shape, r.parts);
        return weighted_results(r);
      });
      once.push_back(tensor<B>::clone(r.g[s]));
    }
    ops::attention_adjoint<B>(r.shape, r.parts, r.gradients);
    for (std::size_t s = 0; s < r.parts.size(); ++s) check_twice(r.g[s], once[s], "attention_adjoint");
  }
}

// In steps, with a change of the scores and of the pattern between: what a hook does.
BOOST_AUTO_TEST_CASE_TEMPLATE(attention_in_steps, B, precise_backends) {
  for (attention_shape const& shape : attention_shapes()) {
    ragged_attention<B> r(shape);
    std::size_t const s = 1;
    auto const& part = r.parts[s];
    index const n = part.q.rows, keys = part.keys.count();
    tensor<B> softmax(4 * n, keys), pattern(4 * n, keys), gp(4 * n, keys);
    tensor<B> const bump = random_tensor<B>(4 * n, keys, 60);
    auto const objective = [&] {
      ops::attention_scores<B>(r.shape, part.q, part.keys, softmax.all());
      ops::axpy<B>(0.5, bump, softmax.all());
      ops::masked_softmax<B>(r.shape.mask, n, softmax, softmax.all());
      ops::copy<B>(softmax, pattern.all());
      ops::scale<B>(0.3, pattern.all().row_range(n, n));  // one head
      ops::attention_mix<B>(r.shape, pattern, part.values, part.z);
      return weighted_sum<B>(r.gz[s], part.z);
    };
    static_cast<void>(objective());
    auto const& g = r.gradients[s];
    ops::attention_mix_adjoint<B>(r.shape, g.gz, pattern, part.values, gp.all(), g.gv);
    ops::scale<B>(0.3, gp.all().row_range(n, n));
    ops::softmax_adjoint<B>(softmax, gp.all());
    ops::attention_scores_adjoint<B>(r.shape, gp, part.q, part.keys, g.gq, g.gk);
    check_gradient<B>("q, k, v", r.qkv[s].all(), r.g[s], objective);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_gradient_of_log_sum_exp_is_softmax, B, precise_backends) {
  window<B> x(3, 29, 2, 3);
  std::vector<double> const a{1.5, -1, 0.25};
  std::vector<double> lse(3);
  ops::log_sum_exp<B>(x, lse);
  tensor<B> g(3, 29);
  ops::scaled_softmax<B>(x, lse, a, g.all());
  check_gradient<B>("log_sum_exp", x.all(), g, [&] {
    ops::log_sum_exp<B>(x, lse);
    return a[0] * lse[0] + a[1] * lse[1] + a[2] * lse[2];
  });
}

}  // namespace
}  // namespace lancet_test
