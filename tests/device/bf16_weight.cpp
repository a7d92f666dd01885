// SPDX-License-Identifier: Apache-2.0
// Weights in bfloat16 on a device: rounding, and products against the same in double.
#define BOOST_TEST_MODULE device_bf16_weight
#include "lancet/backend/device/bf16_weight.hpp"

#include <Eigen/Core>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "lancet/backend/emulated.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::bfloat16;
using B = backend::emulated<float, device::bf16_weight>;
static_assert(tensor_backend<B>);

BOOST_AUTO_TEST_CASE(rounds_to_nearest_even_as_eigen_does) {
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)
    for (std::uint32_t const lower : {0U, 1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      float const x = std::bit_cast<float>(upper << 16 | lower);
      float const got = static_cast<float>(bfloat16::round(x)),
                  expected = static_cast<float>(Eigen::bfloat16(x));
      if (!(got == expected || (std::isnan(got) && std::isnan(expected) && std::isnan(x))))
        BOOST_ERROR("x = " << x << ": got " << got << ", expected " << expected);
    }
}

double rounded(float x) { return static_cast<double>(static_cast<float>(bfloat16::round(x))); }

BOOST_AUTO_TEST_CASE(products_are_those_of_rounded_factors) {
  index const in = 37, out = 21, rows = 5;
  tensor<B> const w = random_tensor<B>(out, in, 1), bias = random_tensor<B>(1, out, 2);
  B::weight const prepared(w.all());
  BOOST_TEST(prepared.bytes() == 2 * in * out);
  window<B> x(rows, in, 3), y(rows, out, 4), gy(rows, out, 5), gx(rows, in, 6);
  auto const wv = elements<B>(w), bv = elements<B>(bias);
  auto const before = x.values(), g_before = gy.values(), gx_before = gx.values();
  prepared.apply(x, bias, y.all(), false);
  prepared.apply_adjoint(gy, gx.all(), true);
  auto const got = y.values(), got_gx = gx.values();
  for (index i = 0; i < rows; ++i) {
    for (index o = 0; o < out; ++o) {
      double sum = static_cast<double>(bv[static_cast<std::size_t>(o)]);
      for (index k = 0; k < in; ++k)
        sum += rounded(static_cast<float>(before[static_cast<std::size_t>(i * in + k)])) *
               rounded(wv[static_cast<std::size_t>(o * in + k)]);
      BOOST_TEST(std::abs(got[static_cast<std::size_t>(i * out + o)] - sum) < 1e-5);
    }
    for (index k = 0; k < in; ++k) {
      double sum = gx_before[static_cast<std::size_t>(i * in + k)];
      for (index o = 0; o < out; ++o)
        sum += rounded(static_cast<float>(g_before[static_cast<std::size_t>(i * out + o)])) *
               rounded(wv[static_cast<std::size_t>(o * in + k)]);
      BOOST_TEST(std::abs(got_gx[static_cast<std::size_t>(i * in + k)] - sum) < 1e-5);
    }
  }
  std::vector<index> const chosen{20, 0};
  tensor<B> gathered(2, in);
  prepared.gather(chosen, gathered.all());
  for (index k = 0; k < in; ++k)
    BOOST_TEST(static_cast<double>(elements<B>(gathered)[static_cast<std::size_t>(k)]) ==
               rounded(wv[static_cast<std::size_t>(20 * in + k)]));
}

}  // namespace
}  // namespace lancet_test
