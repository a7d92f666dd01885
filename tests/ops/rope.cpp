// SPDX-License-Identifier: Apache-2.0
// Rotary positions: angles, the law that only distances matter, and the adjoint.
#define BOOST_TEST_MODULE ops_rope
#include "lancet/ops/rope.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

template <class B>
tensor<B> turned(tensor<B> const& x, std::vector<index> const& positions, index rotary, index head_dim,
                 ops::turn direction = ops::turn::forward) {
  rope_table<B> table;
  table.build(positions, rotary, 10000);
  tensor<B> y = tensor<B>::clone(x);
  ops::rope<B>(table, direction, head_dim, y.all());
  return y;
}

// Su et al. 2021 in the half-split order: (x_j, x_{j + r/2}) turn by position·base^(−2j/r).
BOOST_AUTO_TEST_CASE_TEMPLATE(values, B, both_backends) {
  index const head_dim = 6, rotary = 4;
  tensor<B> const x = random_tensor<B>(3, 2 * head_dim, 1);
  std::vector<index> const positions{0, 1, 17};
  tensor<B> const y = turned<B>(x, positions, rotary, head_dim);
  for (index i = 0; i < 3; ++i)
    for (index h = 0; h < 2; ++h) {
      for (index j = 0; j < 2; ++j) {
        double const angle = static_cast<double>(positions[static_cast<std::size_t>(i)]) *
                             std::pow(10000.0, -2.0 * static_cast<double>(j) / 4);
        double const a = x.all()(i, h * head_dim + j), b = x.all()(i, h * head_dim + 2 + j);
        BOOST_TEST(std::abs(y.all()(i, h * head_dim + j) - (a * std::cos(angle) - b * std::sin(angle))) <
                   1e-14);
        BOOST_TEST(std::abs(y.all()(i, h * head_dim + 2 + j) - (b * std::cos(angle) + a * std::sin(angle))) <
                   1e-14);
      }
      for (index j = rotary; j < head_dim; ++j)  // columns that do not turn
        BOOST_TEST(y.all()(i, h * head_dim + j) == x.all()(i, h * head_dim + j));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(scores_depend_on_distances_alone, B, both_backends) {
  tensor<B> const x = random_tensor<B>(2, 8, 2);
  auto const score = [&](index q, index k) {
    tensor<B> const y = turned<B>(x, {q, k}, 8, 8);
    double sum = 0;
    for (index j = 0; j < 8; ++j) sum += y.all()(0, j) * y.all()(1, j);
    return sum;
  };
  BOOST_TEST(std::abs(score(5, 2) - score(103, 100)) < 1e-12);
  BOOST_TEST(std::abs(score(5, 2) - score(5, 3)) > 1e-3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(backward_undoes_forward, B, both_backends) {
  tensor<B> const x = random_tensor<B>(5, 24, 3);
  std::vector<index> const positions{3, 0, 0, 40, 7};
  tensor<B> const back = turned<B>(turned<B>(x, positions, 8, 12), positions, 8, 12, ops::turn::backward);
  for (index i = 0; i < 5; ++i)
    for (index j = 0; j < 24; ++j) BOOST_TEST(std::abs(back.all()(i, j) - x.all()(i, j)) < 1e-14);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adjoint, B, both_backends) {
  window<B> x(4, 24, 4);
  tensor<B> const weights = random_tensor<B>(4, 24, 5);
  std::vector<index> const positions{9, 10, 0, 1};
  tensor<B> const gx = turned<B>(weights, positions, 10, 12, ops::turn::backward);
  check_gradient<B>("rope", x.all(), gx, [&] {
    return weighted_sum<B>(weights, turned<B>(tensor<B>::clone(x), positions, 10, 12));
  });
}

// A table is used for one batch after another, and remembers positions: no use may disturb the next.
BOOST_AUTO_TEST_CASE_TEMPLATE(tables_are_reused, B, both_backends) {
  rope_table<B> table;
  auto const check = [&](std::vector<index> const& positions, index rotary, double base) {
    table.build(positions, rotary, base);
    rope_table<B> fresh;
    fresh.build(positions, rotary, base);
    BOOST_REQUIRE(table.cosine.rows() == std::ssize(positions));
    BOOST_REQUIRE(table.cosine.cols() == rotary / 2);
    for (index i = 0; i < std::ssize(positions); ++i)
      for (index j = 0; j < rotary / 2; ++j) {
        BOOST_TEST(table.cosine.all()(i, j) == fresh.cosine.all()(i, j));
        BOOST_TEST(table.sine.all()(i, j) == fresh.sine.all()(i, j));
        double const angle = static_cast<double>(positions[static_cast<std::size_t>(i)]) *
                             std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(rotary));
        BOOST_TEST(std::abs(table.sine.all()(i, j) - std::sin(angle)) < 1e-13);
      }
  };
  check({0, 1, 2}, 8, 10000);
  check({7, 3}, 8, 10000);
  check({1}, 8, 10000);
  check({5, 6, 9}, 8, 500);
  check({5, 6, 9}, 4, 500);
  check({}, 4, 500);
  check({2, 2, 11}, 8, 10000);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  rope_table<B> table;
  table.build(std::vector<index>{0, 1}, 4, 10000);
  tensor<B> x(3, 8);
  check_throws<usage_error>([&] { ops::rope<B>(table, ops::turn::forward, 4, x.all()); },
                            "ops::rope (table): got [2, 2], expected [3, 2]");
}

}  // namespace
}  // namespace lancet_test
