// SPDX-License-Identifier: Apache-2.0
// On a GPU: products of the precisions that are chosen by type, against the same products in double.
#define BOOST_TEST_MODULE device_precision
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "laws/backends/cuda.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

/// The largest errors of x·Wᵀ and gy·W, of 512 products each.
template <class B>
double worst_error() {
  constexpr index n = 512;
  auto const x = random_tensor<B>(n, n, 1), w = random_tensor<B>(n, n, 2);
  typename B::weight const prepared(w.all());
  tensor<B> y(n, n), gx(n, n);
  prepared.apply(x, {}, y.all(), false);
  prepared.apply_adjoint(x, gx.all(), false);
  auto const xs = numbers<B>(x), ws = numbers<B>(w), ys = numbers<B>(y), gs = numbers<B>(gx);
  auto const at = [](index i, index j) { return static_cast<std::size_t>(i * n + j); };
  double worst = 0;
  for (index i = 0; i < n; i += 7)
    for (index j = 0; j < n; ++j) {
      double forward = 0, backward = 0;
      for (index k = 0; k < n; ++k) {
        forward += xs[at(i, k)] * ws[at(j, k)];
        backward += xs[at(i, k)] * ws[at(k, j)];
      }
      worst = std::max({worst, std::abs(ys[at(i, j)] - forward), std::abs(gs[at(i, j)] - backward)});
    }
  return worst;
}

// The worst of as many such sums on a CPU: 1.7e-5 in float; with factors of 10 bits 9e-3, 2.4e-2 if they are cut off
// instead of rounded; with factors of 7 bits 7e-2.
BOOST_AUTO_TEST_CASE(products_err_as_their_precision_does) {
  double const fp32 = worst_error<backend::cuda<float>>(),
               tf32 = worst_error<backend::cuda<float, cuda::math::tf32>>(),
               bf16 = worst_error<backend::cuda<float, cuda::math::bf16_weights>>();
  BOOST_TEST(fp32 < 1e-4);
  BOOST_TEST(tf32 < 6e-2);
  BOOST_TEST(bf16 < 2e-1);
  // What was asked for is what ran.
  BOOST_TEST(tf32 > 20 * fp32);
  BOOST_TEST(bf16 > tf32);
}

}  // namespace
}  // namespace lancet_test
