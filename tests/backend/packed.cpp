// SPDX-License-Identifier: Apache-2.0
// Products with a packed right-hand side, and packed weights: ragged shapes, any threads, every instruction
// set.
#define BOOST_TEST_MODULE backend_packed
#include "lancet/backend/gemm/packed.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "lancet/backend/eigen.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using lancet::index;
using lancet::gemm::multiply;
using lancet::gemm::packed_matrix;

template <class T>
std::vector<T> numbers(index count, std::uint64_t seed, bool integers) {
  std::vector<T> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<T>(integers ? std::floor(6 * uniform(seed, i)) : uniform(seed, i));
  return out;
}

/// Integer entries: every order of summation gives the same bits, so the result must be exact.
template <class T>
void check_product(index m, index n, index k, bool accumulate, bool biased, bool row_major) {
  index const lda = k + 2, ldc = n + 3, ldb = (row_major ? n : k) + 1;
  std::vector<T> const a = numbers<T>(m * lda, 1, true), b = numbers<T>((row_major ? k : n) * ldb, 2, true),
                       bias = numbers<T>(n, 3, true);
  std::vector<T> c = numbers<T>(m * ldc, 4, true), expected = c;
  for (index i = 0; i < m; ++i)
    for (index j = 0; j < n; ++j) {
      T sum = accumulate ? c[static_cast<std::size_t>(i * ldc + j)]
              : biased   ? bias[static_cast<std::size_t>(j)]
                         : T(0);
      for (index p = 0; p < k; ++p)
        sum += a[static_cast<std::size_t>(i * lda + p)] *
               b[static_cast<std::size_t>(row_major ? p * ldb + j : j * ldb + p)];
      expected[static_cast<std::size_t>(i * ldc + j)] = sum;
    }
  packed_matrix<T> const packed(k, n,
                                lancet::gemm::strided<T>{b.data(), row_major ? ldb : 1, row_major ? 1 : ldb});
  multiply<T>(m, a.data(), lda, packed, c.data(), ldc, accumulate, biased ? bias.data() : nullptr);
  BOOST_CHECK_MESSAGE(c == expected, sizeof(T)
                                         << " bytes: [" << m << ", " << k << "] · [" << k << ", " << n << "]"
                                         << (accumulate ? " accumulated" : "") << (biased ? " with bias" : "")
                                         << (row_major ? ", rows" : ", columns"));
}

template <class T>
void check_shapes() {
  for (index const m : {1, 2, 5, 13, 15, 112, 113, 230})
    for (index const n : {1, 15, 16, 33, 129}) check_product<T>(m, n, 67, false, false, true);
  for (index const k : {0, 1, 3, 511, 512, 513, 1030})
    for (bool const accumulate : {false, true})
      for (bool const biased : {false, true}) {
        check_product<T>(7, 50, k, accumulate, biased, false);
        check_product<T>(3, 32, k, accumulate, biased, true);
      }
  check_product<T>(1, 700, 20, false, true, true);  // more panels than one tile holds
  for (index const m : {8, 9, 20, 130}) {           // rows of 4 and 8 KiB: copied from nine on
    static_assert(lancet::gemm::rows_collide<T>(9, 1024) && !lancet::gemm::rows_collide<T>(8, 1024));
    check_product<T>(m, 70, 1022, false, true, false);
    check_product<T>(m, 33, 2046, true, false, true);
  }
  check_product<T>(0, 5, 5, false, false, true);
  check_product<T>(5, 0, 5, false, false, true);
}

BOOST_AUTO_TEST_CASE(products_of_integers_are_exact) {
  check_shapes<float>();
  check_shapes<double>();
}

BOOST_AUTO_TEST_CASE(elements_of_a_packed_matrix) {
  std::vector<float> const b = numbers<float>(9 * 40, 5, false);
  packed_matrix<float> const packed(9, 37, {b.data(), 40, 1}), turned(37, 9, {b.data(), 1, 40});
  BOOST_TEST(packed.k() == 9);
  BOOST_TEST(packed.n() == 37);
  for (index p = 0; p < 9; ++p)
    for (index j = 0; j < 37; ++j) {
      float const x = b[static_cast<std::size_t>(p * 40 + j)];
      BOOST_REQUIRE(packed(p, j) == x);
      BOOST_REQUIRE(turned(j, p) == x);
    }
  for (index j = 37; j < packed.panels() * packed.columns(); ++j)
    BOOST_TEST(packed(3, j) == 0.0F);  // padding
}

// What the sweep rests on: a row has the same bits in any batch, on any number of threads.
template <class T>
void check_invariance() {
  index const m = 300, n = 150, k = 700;
  std::vector<T> const a = numbers<T>(m * k, 6, false), b = numbers<T>(k * n, 7, false),
                       bias = numbers<T>(n, 8, false);
  packed_matrix<T> const packed(k, n, {b.data(), n, 1});
  std::vector<T> whole(static_cast<std::size_t>(m * n));
  lancet::set_threads(1);
  multiply<T>(m, a.data(), k, packed, whole.data(), n, false, bias.data());
  for (int const threads : {1, 2, 3}) {
    lancet::set_threads(threads);
    for (index const rows : {1, 2, 3, 13, 14, 15, 64, 111, 112, 113, 225, 300})
      for (index const first : {index{0}, index{7}, m - rows}) {
        if (first + rows > m) continue;
        std::vector<T> part(static_cast<std::size_t>(rows * n));
        multiply<T>(rows, a.data() + first * k, k, packed, part.data(), n, false, bias.data());
        BOOST_CHECK_MESSAGE(std::equal(part.begin(), part.end(), whole.begin() + first * n),
                            rows << " rows from " << first << " on " << threads << " threads");
      }
  }
}

BOOST_AUTO_TEST_CASE(a_row_has_the_same_bits_in_any_batch_and_on_any_number_of_threads) {
  check_invariance<float>();
  check_invariance<double>();
}

BOOST_AUTO_TEST_CASE(packed_weights) {
  using B = lancet::backend::eigen<double>;
  lancet::host::packed_weight<B> const packed(random_tensor<B>(45, 23, 9).all());
  lancet::plain_weight<B> const plain(random_tensor<B>(45, 23, 9).all());
  BOOST_TEST(packed.out() == 45);
  BOOST_TEST(packed.in() == 23);
  lancet::index const before = packed.bytes();
  auto const x = random_tensor<B>(6, 23, 10), gy = random_tensor<B>(6, 45, 11),
             bias = random_tensor<B>(1, 45, 12);
  for (bool const accumulate : {false, true}) {
    window<B> y(6, 45, 13), y2(6, 45, 13), gx(6, 23, 14), gx2(6, 23, 14);
    packed.apply(x, bias, y, accumulate);
    plain.apply(x, bias, y2, accumulate);
    packed.apply_adjoint(gy, gx, accumulate);
    plain.apply_adjoint(gy, gx2, accumulate);
    auto const a = y.values(), b = y2.values(), c = gx.values(), d = gx2.values();
    BOOST_REQUIRE(a.size() == b.size());
    BOOST_REQUIRE(c.size() == d.size());
    for (std::size_t i = 0; i < a.size(); ++i) BOOST_TEST(std::abs(a[i] - b[i]) <= 1e-13);
    for (std::size_t i = 0; i < c.size(); ++i) BOOST_TEST(std::abs(c[i] - d[i]) <= 1e-13);
  }
  BOOST_TEST(packed.bytes() > before);  // the adjoint's packing is made at its first use
  std::vector<index> const rows{44, 0, 17, 17};
  lancet::tensor<B> g(4, 23), g2(4, 23);
  packed.gather(rows, g);
  plain.gather(rows, g2);
  for (index i = 0; i < 4; ++i)
    for (index j = 0; j < 23; ++j) BOOST_TEST(g.all()(i, j) == g2.all()(i, j));
}

// Kept in bfloat16, a weight is that of its rounded elements in float, bit for bit, in half the memory.
BOOST_AUTO_TEST_CASE(weights_in_bfloat16) {
  using B = lancet::backend::eigen<float>;
  for (auto const& shape : {std::pair<index, index>{45, 23}, {300, 1100}}) {
    index const out = shape.first, in = shape.second;
    auto const w = random_tensor<B>(out, in, 9);
    auto rounded = lancet::tensor<B>::clone(w);
    for (index i = 0; i < out; ++i)
      for (index j = 0; j < in; ++j)
        rounded.all()(i, j) = static_cast<float>(lancet::bfloat16::round(w.all()(i, j)));
    lancet::host::packed_weight<B, lancet::bfloat16> const half(w.all());
    lancet::host::packed_weight<B> const whole(rounded.all());
    BOOST_TEST(2 * half.bytes() == whole.bytes());
    lancet::host::packed_weight<B, lancet::bfloat16> const streamed(
        out, in, [&](index first, index count, float* to) {
          for (index i = 0; i < count; ++i) std::copy_n(w.all().row(first + i), in, to + i * in);
        });
    for (index const m : {1, 13, 150})
      for (bool const accumulate : {false, true}) {
        auto const x = random_tensor<B>(m, in, 10), gy = random_tensor<B>(m, out, 11),
                   bias = random_tensor<B>(1, out, 12);
        window<B> y(m, out, 13), y2(m, out, 13), y3(m, out, 13), gx(m, in, 14), gx2(m, in, 14);
        half.apply(x, bias, y, accumulate);
        whole.apply(x, bias, y2, accumulate);
        streamed.apply(x, bias, y3, accumulate);
        half.apply_adjoint(gy, gx, accumulate);
        whole.apply_adjoint(gy, gx2, accumulate);
        BOOST_TEST((y.values() == y2.values()));
        BOOST_TEST((y.values() == y3.values()));
        BOOST_TEST((gx.values() == gx2.values()));
      }
    std::vector<index> const rows{out - 1, 0};
    lancet::tensor<B> g(2, in);
    half.gather(rows, g);
    BOOST_TEST(g.all()(0, in - 1) == rounded.all()(out - 1, in - 1));
  }
}

// The instruction set is chosen once a process: the tests above run again in processes of their own.
BOOST_AUTO_TEST_CASE(at_every_instruction_set) {
  if (char const* level = std::getenv("LANCET_ISA")) {
    auto const expected = lancet::gemm::detail::make_kernels<float>(level).name;
    BOOST_TEST(std::string(lancet::gemm::kernels<float>().name) == expected);
    return;
  }
  std::string const self = boost::unit_test::framework::master_test_suite().argv[0];
  for (std::string const level : {"avx512", "avx2", "baseline"}) {
    if (lancet::gemm::detail::make_kernels<float>(level).name != level) {
      std::printf("SKIPPED packed products at %s: this machine does not have it\n", level.c_str());
      continue;
    }
    std::string const command = "LANCET_ISA=" + level + " '" + self + "' --log_level=error --report_level=no";
    BOOST_CHECK_MESSAGE(std::system(command.c_str()) == 0, command);
  }
}

}  // namespace
}  // namespace lancet_test
