// SPDX-License-Identifier: Apache-2.0
// Laws of operations: they compute what their formulas say, agree with the reference backend, stay inside
// their views, and do not depend on the number of threads.
#pragma once

#include "lancet/backend/reference.hpp"
#include "laws/law.hpp"
#include "support/errors.hpp"
#include "support/every_operation.hpp"
#include "support/ragged_attention.hpp"
#include "support/segments.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using enum activation_kind;

BOOST_AUTO_TEST_CASE_TEMPLATE(memory_gives_back_what_it_got, B, backends) {
  static_assert(tensor_backend<B>);
  BOOST_TEST(numbers<B>(tensor<B>(3, 5)) == std::vector<double>(15, 0.0), "memory starts with zeros");
  for (index const cols : {1, 37}) {
    window<B> x(5, cols, 1), copied(5, cols, 2), uploaded(5, cols, 3);
    B::copy(x, copied.all());
    B::upload(elements<B>(x).data(), uploaded.all());
    for (std::size_t i = 0; i < x.values().size(); ++i)
      BOOST_TEST(x.values()[i] == static_cast<typename B::scalar>(uniform(1, i)));
    BOOST_TEST(copied.values() == x.values());
    BOOST_TEST(uploaded.values() == x.values());
  }
  typename B::storage one(4), other(std::move(one));
  BOOST_TEST(other.size() == 4);
  BOOST_TEST(one.size() == 0, "memory is empty when moved from");
  tensor<B> nothing(0, 3);
  B::copy(nothing, nothing.all());
  BOOST_TEST(elements<B>(nothing).empty());
}

// Formulas in double; a scalar's own rounding is all that may differ.

BOOST_AUTO_TEST_CASE_TEMPLATE(norms, B, backends) {
  double const tolerance = by_scalar<B>(1e-6, 1e-14);
  tensor<B> x = make_tensor<B>(1, 4, {1, 2, 3, 4}), mean(1, 1), s(1, 1), y(1, 4);
  tensor<B> const w = make_tensor<B>(1, 4, {2, 2, 2, 3}), b = make_tensor<B>(1, 4, {-1, -1, -1, 0});
  ops::norm_scale<B>(norm_kind::rms, x, 0.5, mean.all(), s.all());
  BOOST_TEST(numbers<B>(mean)[0] == 0.0);
  check_close(numbers<B>(s), std::vector{std::sqrt(30.0 / 4 + 0.5)}, tolerance, "RMSNorm's scale");
  ops::norm_scale<B>(norm_kind::layer, x, 0.5, mean.all(), s.all());
  BOOST_TEST(numbers<B>(mean)[0] == 2.5);
  double const scale = std::sqrt(5.0 / 4 + 0.5);
  check_close(numbers<B>(s), std::vector{scale}, tolerance, "LayerNorm's scale");
  ops::norm_apply<B>(x, mean, s, w, b, y.all());
  check_close(numbers<B>(y), std::vector{-3 / scale - 1, -1 / scale - 1, 1 / scale - 1, 4.5 / scale},
              tolerance, "norm_apply");
  ops::norm_apply<B>(x, mean, s, w, b, x.all());
  BOOST_TEST(numbers<B>(x) == numbers<B>(y), "in place");
}

template <class B>
double activated(activation_kind kind, double x) {
  tensor<B> y(1, 1);
  ops::activation<B>(kind, make_tensor<B>(1, 1, {x}), {}, y.all());
  return numbers<B>(y)[0];
}

BOOST_AUTO_TEST_CASE_TEMPLATE(activations, B, backends) {
  double const tolerance = by_scalar<B>(1e-6, 1e-14);
  auto const check = [&](activation_kind kind, double expected) {
    check_close(std::vector{activated<B>(kind, 1.5)}, std::vector{expected}, tolerance, "f(1.5)");
  };
  check(silu, 1.5 / (1 + std::exp(-1.5)));
  check(gelu, 0.75 * (1 + std::erf(1.5 / std::sqrt(2.0))));
  double const inner = std::sqrt(2 / std::numbers::pi) * (1.5 + 0.044715 * 1.5 * 1.5 * 1.5);
  check(gelu_tanh, 0.75 * (1 + std::tanh(inner)));
  check(relu, 1.5);
  check(activation_kind::tanh, std::tanh(1.5));
  for (activation_kind const kind : {silu, gelu_tanh, gelu, relu, activation_kind::tanh}) {
    BOOST_TEST(activated<B>(kind, 0) == 0.0);
    for (double const x : {30.0, 100.0, 1000.0, 20000.0}) {
      bool const bounded = kind == activation_kind::tanh;
      BOOST_TEST(std::abs(activated<B>(kind, x) / (bounded ? 1 : x) - 1) < 1e-6);
      BOOST_TEST(std::abs(activated<B>(kind, -x) + (bounded ? 1 : 0)) < 1e-5);
    }
  }
}

template <class B>
tensor<B> turned(tensor<B> const& x, std::vector<index> const& positions, index rotary, index head_dim,
                 ops::turn direction = ops::turn::forward) {
  rope_table<B> table;
  table.build(single_rows(positions), {.dims = rotary});
  tensor<B> y = tensor<B>::clone(x);
  ops::rope<B>(table, direction, head_dim, y.all());
  return y;
}

// Su et al. 2021 in the half-split order: (x_j, x_{j + r/2}) turn by position·base^(−2j/r).
BOOST_AUTO_TEST_CASE_TEMPLATE(rotations, B, backends) {
  double const tolerance = by_scalar<B>(1e-6, 1e-14);
  std::vector<index> const positions{0, 1, 17};
  tensor<B> const x = random_tensor<B>(3, 2 * 6, 1);  // two heads of 6 columns, 4 of which turn
  std::vector<double> expected = numbers<B>(x);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t column = 12 * i; column < 12 * (i + 1); column += 6)
      for (std::size_t j = 0; j < 2; ++j) {
        double const angle =
            static_cast<double>(positions[i]) * std::pow(10000.0, -2.0 * static_cast<double>(j) / 4);
        double const a = expected[column + j], b = expected[column + 2 + j];
        expected[column + j] = a * std::cos(angle) - b * std::sin(angle);
        expected[column + 2 + j] = b * std::cos(angle) + a * std::sin(angle);
      }
  tensor<B> const y = turned<B>(x, positions, 4, 6);
  check_close(numbers<B>(y), expected, tolerance, "rope");
  check_close<B>(turned<B>(y, positions, 4, 6, ops::turn::backward), x, tolerance, "there and back");

  auto const score = [&](index q, index k) {  // depends on the distance alone
    std::vector<double> const z = numbers<B>(turned<B>(random_tensor<B>(2, 8, 2), {q, k}, 8, 8));
    double sum = 0;
    for (std::size_t j = 0; j < 8; ++j) sum += z[j] * z[8 + j];
    return sum;
  };
  BOOST_TEST(std::abs(score(5, 2) - score(103, 100)) < by_scalar<B>(1e-5, 1e-12));
  BOOST_TEST(std::abs(score(5, 2) - score(5, 3)) > 1e-3);
}

// A table serves one batch after another, and remembers positions: no use may disturb the next.
BOOST_AUTO_TEST_CASE_TEMPLATE(rotation_tables_are_reused, B, backends) {
  rope_table<B> table;
  auto const check = [&](std::vector<index> const& positions, index rotary, double base) {
    table.build(single_rows(positions), {.dims = rotary, .base = base});
    std::vector<double> cosines, sines;
    for (index const p : positions)
      for (index j = 0; j < rotary / 2; ++j) {
        double const angle = static_cast<double>(p) *
                             std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(rotary));
        cosines.push_back(std::cos(angle)), sines.push_back(std::sin(angle));
      }
    check_close(numbers<B>(table.cosine), cosines, by_scalar<B>(1e-7, 1e-13), "cosines");
    check_close(numbers<B>(table.sine), sines, by_scalar<B>(1e-7, 1e-13), "sines");
  };
  check({0, 1, 2}, 8, 10000);
  check({7, 3}, 8, 10000);
  check({1}, 8, 10000);
  check({5, 6, 9}, 8, 500);
  check({5, 6, 9}, 4, 500);
  check({}, 4, 500);
  check({2, 2, 11}, 8, 10000);
}

/// softmax(capped(scale·q·Kᵀ))·V of one segment, written out: [n, H·d].
template <class B>
std::vector<double> expected_attention(attention_shape const& s, ops::attention_part<B> const& part) {
  auto const rows = [](key_rows<B> const& from) {
    std::vector<double> out = numbers<B>(from.prefix), own = numbers<B>(from.own);
    out.insert(out.end(), own.begin(), own.end());
    return out;
  };
  std::vector<double> const q = numbers<B>(part.q), keys = rows(part.keys), values = rows(part.values);
  auto const at = [](std::vector<double> const& m, index cols, index i, index j) {
    return m[static_cast<std::size_t>(i * cols + j)];
  };
  index const d = s.head_dim, width = s.heads * d, kv_width = s.kv_heads * d;
  std::vector<double> out;
  for (index i = 0; i < part.q.rows; ++i)
    for (index column = 0; column < width; ++column) {
      index const head = column / d, first = head / s.group() * d;
      double top = 0, bottom = 0;
      for (index j = 0; j < part.keys.count(); ++j) {
        index const back = part.keys.prefix.rows + i - j;
        if (s.mask.causal && (back < 0 || (s.mask.window > 0 && back >= s.mask.window))) continue;
        double score = 0;
        for (index c = 0; c < d; ++c)
          score += at(q, width, i, head * d + c) * at(keys, kv_width, j, first + c);
        score *= s.scale;
        double const weight = std::exp(s.cap == 0 ? score : s.cap * std::tanh(score / s.cap));
        top += weight * at(values, kv_width, j, first + column % d);
        bottom += weight;
      }
      out.push_back(top / bottom);
    }
  return out;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(attention_is_softmax_of_scores_times_values, B, backends) {
  for (attention_shape const& shape : attention_shapes()) {
    ragged_attention<B> r(shape);
    ops::attention<B>(r.shape, r.parts);
    for (auto const& part : r.parts)
      check_close(numbers<B>(part.z), expected_attention<B>(r.shape, part), by_scalar<B>(1e-5, 1e-13), "z");
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(patterns_are_distributions_over_what_is_seen, B, backends) {
  for (attention_shape const& shape : attention_shapes()) {
    ragged_attention<B> r(shape);
    for (auto const& part : r.parts) {
      index const n = part.q.rows, keys = part.keys.count();
      tensor<B> pattern(4 * n, keys);
      ops::attention_scores<B>(r.shape, part.q, part.keys, pattern.all());
      ops::masked_softmax<B>(r.shape.mask, n, pattern, pattern.all());
      std::vector<double> const p = numbers<B>(pattern);
      for (index row = 0; row < 4 * n; ++row) {
        double sum = 0;
        for (index j = 0; j < keys; ++j) {
          double const weight = p[static_cast<std::size_t>(row * keys + j)];
          BOOST_TEST(weight >= 0);
          if (!shape.mask.sees(part.keys.prefix.rows + row % n, j)) BOOST_TEST(weight == 0.0);
          sum += weight;
        }
        BOOST_TEST(std::abs(sum - 1) < by_scalar<B>(1e-6, 1e-14));
      }
    }
  }
}

// Kernels of devices are compiled for a few head sizes, the widest of 256 floats or 128 doubles.
BOOST_AUTO_TEST_CASE_TEMPLATE(wide_heads, B, backends) {
  index const widest = sizeof(typename B::scalar) == sizeof(float) ? 256 : 128;
  for (index const d : {100, 128, 200, 256}) {
    if (d > widest) continue;
    operation_results const got = run_wide_head<B>(d);
    for (auto const& [name, values] : run_wide_head<backend::reference<double>>(d))
      check_close(got.at(name), values, by_scalar<B>(4e-5, 2e-13), name);
  }
}

// Keys from a prefix or from the segment itself.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_prefix_is_as_good_as_own_keys, B, backends) {
  for (index const d : {5, 16, 64})
    for (auto const& [rows, window] :
         {std::pair<index, index>{2, 0}, {9, 0}, {70, 0}, {150, 0}, {9, 2}, {150, 70}, {150, 5}}) {
      index const n = rows;
      attention_shape const shape{4, 2, d, 0.3, 0, {window, true}};
      tensor<B> x = random_tensor<B>(n, 8 * d, 70, 2), whole(n, 4 * d);
      auto const part = [&](index first, tensor<B>& z) {
        view<B> const before = x.all().row_range(0, first), own = x.all().row_range(first, n - first);
        return ops::attention_part<B>{own.col_range(0, 4 * d),
                                      {before.col_range(4 * d, 2 * d), own.col_range(4 * d, 2 * d)},
                                      {before.col_range(6 * d, 2 * d), own.col_range(6 * d, 2 * d)},
                                      z.all()};
      };
      std::vector<ops::attention_part<B>> const all{part(0, whole)};
      ops::attention<B>(shape, all);
      for (index const first : {index{1}, n / 2, n - 1}) {
        tensor<B> z(n - first, 4 * d);
        std::vector<ops::attention_part<B>> const suffix{part(first, z)};
        ops::attention<B>(shape, suffix);
        check_close<B>(z, whole.all().row_range(first, n - first), beside_others(by_scalar<B>(1e-5, 1e-13)),
                       "head size " + std::to_string(d) + ", prefix of " + std::to_string(first));
      }
    }
}

// A float sum over 49,152 equal terms would stop growing long before the end.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_large_vocabulary_loses_nothing, B, backends) {
  index const v = 49152;
  tensor<B> const x = random_tensor<B>(2, v, 1, 3);
  std::vector<double> lse(2);
  ops::log_sum_exp<B>(x, lse);
  for (index i = 0; i < 2; ++i) {
    long double sum = 0;
    for (double const one : numbers<B>(x.all().row_range(i, 1)))
      sum += std::exp(static_cast<long double>(one));
    BOOST_TEST(std::abs(lse[static_cast<std::size_t>(i)] - static_cast<double>(std::log(sum))) <
               by_scalar<B>(3e-7, 1e-12));
  }
  tensor<B> y(2, v);
  ops::scaled_softmax<B>(x, lse, std::vector<double>{1, -2}, y.all());
  double total = 0;
  for (double const p : numbers<B>(y.all().row_range(1, 1))) total += p;
  BOOST_TEST(std::abs(total + 2) < 2e-6);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(softmax_far_from_zero, B, backends) {
  tensor<B> const x =
      make_tensor<B>(3, 4, {1000, 1000, 1000, 1000, -20000, -20000, -20000, -20000, -500, -500, 500, -500});
  std::vector<double> lse(3);
  ops::log_sum_exp<B>(x, lse);
  check_close(lse, std::vector{1000 + std::log(4.0), -20000 + std::log(4.0), 500.0}, 1e-9, "log_sum_exp");
  tensor<B> y(3, 4);
  ops::scaled_softmax<B>(x, lse, std::vector<double>{1, 1, 1}, y.all());
  check_close(numbers<B>(y), std::vector{.25, .25, .25, .25, .25, .25, .25, .25, 0., 0., 1., 0.}, 1e-6,
              "softmax");
}

// The reference in double is the exact answer; inputs are rounded to float there, and sums have some hundred
// terms. A frame that was written shows as a result of another size.
BOOST_AUTO_TEST_CASE_TEMPLATE(every_operation_agrees_with_the_reference, B, backends) {
  static operation_results const exact = run_every_operation<backend::reference<double>>();
  operation_results const got = run_every_operation<B>();
  BOOST_REQUIRE(got.size() == exact.size());
  for (auto const& [name, values] : exact) {
    BOOST_CHECK_MESSAGE(difference(values, std::vector(values.size(), 0.0)) < 1e6,
                        name << ": wrote outside its result");
    check_close(got.at(name), values, by_scalar<B>(4e-5, 2e-13), name);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(threads_change_no_bit, B, backends) {
  set_threads(1);
  operation_results const one = run_every_operation<B>();
  for_thread_counts(
      [&](int threads) { BOOST_CHECK_MESSAGE(run_every_operation<B>() == one, threads << " threads"); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_weight_gives_back_its_rows, B, backends) {
  tensor<B> const w = random_tensor<B>(45, 23, 1);
  typename B::weight const prepared(w.all());
  BOOST_TEST(prepared.out() == 45);
  BOOST_TEST(prepared.in() == 23);
  BOOST_TEST(prepared.bytes() >= index{45 * 23 * sizeof(typename B::scalar)});
  std::vector<index> const rows{44, 0, 17, 0};
  tensor<B> gathered(4, 23), expected(4, 23);
  prepared.gather(rows, gathered);
  ops::gather_rows<B>(w, rows, expected.all());
  BOOST_TEST(numbers<B>(gathered) == numbers<B>(expected));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit_are_refused, B, backends) {
  using ops::transpose;
  tensor<B> a(3, 4), b(4, 5), v(1, 5), c(3, 5), s(2, 1);
  std::vector<index> const rows{0, 1};
  std::vector<double> lse(2);
  typename B::weight const w{b.all()};
  auto const refused = [](auto&& f, std::string_view sentence) { check_throws<usage_error>(f, sentence); };
  refused([&] { ops::copy<B>(a, b.all()); }, "ops::copy: got [3, 4], expected [4, 5]");
  refused([&] { ops::axpy<B>(1, a, b.all()); }, "ops::axpy: got [3, 4], expected [4, 5]");
  refused([&] { ops::matmul<B>(a, transpose::no, b, transpose::no, a.all()); },
          "ops::matmul (c): got [3, 4], expected [3, 5]");
  refused([&] { ops::matmul<B>(a, transpose::no, b, transpose::yes, a.all()); }, "ops::matmul (op(b))");
  refused([&] { ops::gather_rows<B>(a, rows, c.all()); }, "ops::gather_rows");
  refused([&] { ops::scatter_add_rows<B>(a, rows, c.all()); }, "ops::scatter_add_rows");
  refused([&] { ops::row_dot<B>(a, a, v.all()); }, "ops::row_dot (out)");
  refused([&] { ops::scale_columns<B>(v, a.all()); }, "ops::scale_columns");
  refused([&] { ops::add_row_vector<B>(1, v, a.all()); }, "ops::add_row_vector");
  refused([&] { ops::column_sum<B>(1, a, v.all()); }, "ops::column_sum");
  refused([&] { ops::linear<B>(a, w, {}, c.all()); }, "ops::linear (x): got [3, 4], expected [3, 5]");
  refused([&] { ops::linear_adjoint<B>(a, w, a.all()); }, "ops::linear_adjoint (gx)");
  refused([&] { ops::norm_scale<B>(norm_kind::rms, a, 0, s.all(), s.all()); },
          "ops::norm_scale: got [2, 1], expected [3, 1]");
  refused([&] { ops::norm_apply<B>(a, s, s, v, {}, c.all()); },
          "ops::norm_apply: got [3, 5], expected [3, 4]");
  refused([&] { ops::activation<B>(silu, a, {}, c.all()); }, "ops::activation: got [3, 5], expected [3, 4]");
  refused([&] { ops::activation_adjoint<B>(silu, c, a, {}, a.all(), {}); },
          "ops::activation_adjoint: got [3, 5], expected [3, 4]");
  refused([&] { ops::log_sum_exp<B>(a, lse); }, "ops::log_sum_exp");
  refused([&] { ops::scaled_softmax<B>(a, lse, lse, c.all()); }, "ops::scaled_softmax");
  rope_table<B> table;
  table.build(single_rows(rows), {.dims = 4});
  refused([&] { ops::rope<B>(table, ops::turn::forward, 4, a.all()); },
          "ops::rope (table): got [2, 2], expected [3, 2]");
  ragged_attention<B> r;
  refused([&] { ops::attention_scores<B>(r.shape, r.parts[1].q, r.parts[1].keys, s.all()); },
          "ops::attention_scores: got [2, 1], expected [16, 7]");
  refused([&] { ops::attention_mix<B>(r.shape, s, r.parts[1].values, r.parts[1].z); },
          "ops::attention_mix: got [2, 1], expected [16, 7]");
}

}  // namespace
}  // namespace lancet_test
