// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention, fused and in steps: values, prefixes, adjoints against finite differences.
#define BOOST_TEST_MODULE ops_attention
#include "lancet/ops/attention.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "ops/both_backends.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

/// Ragged segments, some behind a prefix, of one small attention; q, k, v lie side by side as in a layer.
template <class B>
struct ragged {
  struct lengths {
    index own, prefix;
  };
  attention_shape shape{4, 2, 5, 0.45};
  std::vector<lengths> segments{{1, 0}, {4, 3}, {6, 0}, {1, 7}};
  std::vector<tensor<B>> qkv, cached, z, gz, g;
  std::vector<ops::attention_part<B>> parts;
  std::vector<ops::attention_gradient<B>> gradients;

  ragged() {
    std::uint64_t seed = 1;
    for (auto const [n, p] : segments) {
      qkv.push_back(random_tensor<B>(n, 8 * 5, seed++, 2));
      cached.push_back(random_tensor<B>(p, 4 * 5, seed++, 2));
      z.emplace_back(n, 4 * 5);
      gz.push_back(random_tensor<B>(n, 4 * 5, seed++));
      g.emplace_back(n, 8 * 5);
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      view<B> const x = qkv[i].all(), before = cached[i].all(), d = g[i].all();
      parts.push_back({x.col_range(0, 20),
                       {before.col_range(0, 10), x.col_range(20, 10)},
                       {before.col_range(10, 10), x.col_range(30, 10)},
                       z[i].all()});
      gradients.push_back({gz[i].all(), d.col_range(0, 20), d.col_range(20, 10), d.col_range(30, 10)});
    }
  }

  [[nodiscard]] double objective_of_results() const {
    double sum = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) sum += weighted_sum<B>(gz[i].all(), parts[i].z);
    return sum;
  }
};

/// softmax(scale·q·Kᵀ)·V of one row and head, written out.
double expected_z(ragged<backend::reference<double>> const& r, std::size_t segment, index i, index h,
                  index c) {
  auto const& part = r.parts[segment];
  index const d = r.shape.head_dim, kv = h / 2 * d, seen = part.keys.prefix.rows + i + 1;
  double top = 0, bottom = 0;
  for (index j = 0; j < seen; ++j) {
    double score = 0;
    for (index p = 0; p < d; ++p) score += part.q(i, h * d + p) * part.keys.row(j)[kv + p];
    double const weight = std::exp(r.shape.scale * score);
    top += weight * part.values.row(j)[kv + c];
    bottom += weight;
  }
  return top / bottom;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(values, B, both_backends) {
  ragged<backend::reference<double>> const inputs;
  ragged<B> r;
  ops::attention<B>(r.shape, r.parts);
  for (std::size_t s = 0; s < r.parts.size(); ++s)
    for (index i = 0; i < r.segments[s].own; ++i)
      for (index h = 0; h < 4; ++h)
        for (index c = 0; c < 5; ++c)
          BOOST_TEST(std::abs(r.z[s].all()(i, h * 5 + c) - expected_z(inputs, s, i, h, c)) < 1e-13);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adjoint_of_the_fused_form, B, both_backends) {
  ragged<B> r;
  auto const objective = [&] {
    ops::attention<B>(r.shape, r.parts);
    return r.objective_of_results();
  };
  ops::attention_adjoint<B>(r.shape, r.parts, r.gradients);
  for (std::size_t s = 0; s < r.parts.size(); ++s)
    check_gradient<B>("segment " + std::to_string(s), r.qkv[s].all(), r.g[s].all(), objective);
  // Gradients are added to what is there.
  std::vector<tensor<B>> once;
  for (auto const& g : r.g) once.push_back(tensor<B>::clone(g));
  ops::attention_adjoint<B>(r.shape, r.parts, r.gradients);
  for (std::size_t s = 0; s < r.parts.size(); ++s)
    for (index i = 0; i < r.g[s].rows(); ++i)
      for (index j = 0; j < r.g[s].cols(); ++j)
        BOOST_TEST(std::abs(r.g[s].all()(i, j) - 2 * once[s].all()(i, j)) < 1e-12);
}

// In steps, with a change of the scores and of the pattern between: what a hook does.
BOOST_AUTO_TEST_CASE_TEMPLATE(adjoints_of_the_steps, B, both_backends) {
  ragged<B> r;
  std::size_t const s = 1;
  auto const& part = r.parts[s];
  index const n = part.q.rows, keys = part.keys.count();
  tensor<B> softmax(4 * n, keys), pattern(4 * n, keys), gp(4 * n, keys);
  tensor<B> const bump = random_tensor<B>(4 * n, keys, 60);
  auto const objective = [&] {
    ops::attention_scores<B>(r.shape, part.q, part.keys, softmax.all());
    ops::axpy<B>(0.5, bump, softmax.all());
    ops::causal_softmax<B>(n, softmax, softmax.all());
    ops::copy<B>(softmax, pattern.all());
    ops::scale<B>(0.3, pattern.all().row_range(n, n));  // one head
    ops::attention_mix<B>(r.shape, pattern, part.values, part.z);
    return weighted_sum<B>(r.gz[s].all(), part.z);
  };
  (void)objective();
  auto const& g = r.gradients[s];
  ops::attention_mix_adjoint<B>(r.shape, g.gz, pattern, part.values, gp.all(), g.gv);
  ops::scale<B>(0.3, gp.all().row_range(n, n));
  ops::causal_softmax_adjoint<B>(softmax, gp.all());
  ops::attention_scores_adjoint<B>(r.shape, gp, part.q, part.keys, g.gq, g.gk);
  check_gradient<B>("q, k, v", r.qkv[s].all(), r.g[s].all(), objective);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(patterns_are_causal_distributions, B, both_backends) {
  ragged<B> r;
  for (auto const& part : r.parts) {
    index const n = part.q.rows, before = part.keys.prefix.rows;
    tensor<B> p(4 * n, before + n);
    ops::attention_scores<B>(r.shape, part.q, part.keys, p.all());
    ops::causal_softmax<B>(n, p, p.all());
    for (index row = 0; row < 4 * n; ++row) {
      double sum = 0;
      for (index j = 0; j < before + n; ++j) {
        BOOST_TEST(p.all()(row, j) >= 0);
        if (j > before + row % n) BOOST_TEST(p.all()(row, j) == 0.0);
        sum += p.all()(row, j);
      }
      BOOST_TEST(std::abs(sum - 1) < 1e-14);
    }
  }
}

// Keys from a prefix or from the segment itself: the same bits on the backend that promises it.
template <class T>
void check_prefix_bits() {
  using B = backend::eigen<T>;
  for (index const d : {5, 16, 64})
    for (index const n : {2, 9, 70, 150}) {
      attention_shape const shape{4, 2, d, 0.3};
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
        bool equal = true;
        for (index i = 0; i < n - first; ++i)
          for (index j = 0; j < 4 * d; ++j) equal = equal && z.all()(i, j) == whole.all()(first + i, j);
        BOOST_CHECK_MESSAGE(equal, "head size " << d << ", " << n << " rows, prefix of " << first);
      }
    }
}

BOOST_AUTO_TEST_CASE(a_prefix_changes_no_bit) {
  check_prefix_bits<float>();
  check_prefix_bits<double>();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shapes_that_do_not_fit, B, both_backends) {
  ragged<B> r;
  tensor<B> small(2, 2);
  check_throws<usage_error>(
      [&] { ops::attention_scores<B>(r.shape, r.parts[1].q, r.parts[1].keys, small.all()); },
      "ops::attention_scores: got [2, 2], expected [16, 7]");
  check_throws<usage_error>([&] { ops::attention_mix<B>(r.shape, small, r.parts[1].values, r.z[1].all()); },
                            "ops::attention_mix: got [2, 2], expected [16, 7]");
}

}  // namespace
}  // namespace lancet_test
