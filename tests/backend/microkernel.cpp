// SPDX-License-Identifier: Apache-2.0
// Register tiles of every instruction set that this machine has: exact where sums are exact, and the same row
// for any m.
#define BOOST_TEST_MODULE backend_microkernel
#include "lancet/backend/gemm/microkernel.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "lancet/core/aligned.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using lancet::aligned_buffer;
using lancet::index;
using lancet::gemm::kernel_set;

/// The levels that differ on this machine, widest first.
template <class T>
std::vector<kernel_set<T>> levels() {
  std::vector<kernel_set<T>> out;
  std::set<std::string> seen;
  for (char const* wish : {"avx512", "avx2", "baseline"}) {
    kernel_set<T> const set = lancet::gemm::detail::make_kernels<T>(wish);
    if (seen.insert(set.name).second)
      out.push_back(set);
    else
      std::printf("SKIPPED tiles of %s: this machine runs %s instead\n", wish, set.name);
  }
  return out;
}

/// One product: a [m, k] with row stride k + 3, a panel [k, columns], c [m, columns] with row stride columns
/// + 5.
template <class T>
struct product {
  kernel_set<T> const& set;
  index m, k, lda = k + 3, ldc = set.columns + 5;
  std::vector<T> a;
  aligned_buffer<T> panel;
  std::vector<T> c;

  template <class Value>
  product(kernel_set<T> const& s, index rows, index depth, Value&& value)
      : set(s),
        m(rows),
        k(depth),
        a(static_cast<std::size_t>(m * lda)),
        panel(k * s.columns),
        c(static_cast<std::size_t>(m * ldc)) {
    std::uint64_t i = 0;
    for (T& x : a) x = static_cast<T>(value(1, i++));
    for (index j = 0; j < panel.size(); ++j) panel.data()[j] = static_cast<T>(value(2, i++));
    i = 0;
    for (T& x : c) x = static_cast<T>(value(3, i++));
  }
  void run(bool accumulate) { set.tiles[m](k, a.data(), lda, panel.data(), c.data(), ldc, accumulate); }
};

template <class T>
void check_exact() {
  auto const integer = [](std::uint64_t seed, std::uint64_t i) { return std::floor(8 * uniform(seed, i)); };
  for (kernel_set<T> const& set : levels<T>()) BOOST_TEST_CONTEXT(set.name << ", " << sizeof(T) << " bytes") {
      BOOST_REQUIRE(set.rows <= kernel_set<T>::most_rows && set.columns <= kernel_set<T>::most_columns);
      for (index m = 1; m <= set.rows; ++m)
        for (index const k : {0, 1, 2, 7, 64, 301})
          for (bool const accumulate : {false, true}) {
            product<T> p(set, m, k, integer);
            std::vector<T> expected = p.c;
            for (index i = 0; i < m; ++i)
              for (index j = 0; j < set.columns; ++j) {
                T& out = expected[static_cast<std::size_t>(i * p.ldc + j)];
                if (!accumulate) out = 0;
                for (index q = 0; q < k; ++q)
                  out += p.a[static_cast<std::size_t>(i * p.lda + q)] * p.panel.data()[q * set.columns + j];
              }
            p.run(accumulate);
            BOOST_CHECK_MESSAGE(p.c == expected, "m " << m << ", k " << k << ", accumulate " << accumulate);
          }
    }
}

template <class T>
void check_rows_alone() {
  for (kernel_set<T> const& set : levels<T>()) BOOST_TEST_CONTEXT(set.name << ", " << sizeof(T) << " bytes") {
      product<T> whole(set, set.rows, 173, [](std::uint64_t s, std::uint64_t i) { return uniform(s, i); });
      std::vector<T> const before = whole.c;
      whole.run(true);
      for (index m = 1; m < set.rows; ++m)
        for (index first = 0; first + m <= set.rows; ++first) {
          std::vector<T> c = before;
          set.tiles[m](whole.k, whole.a.data() + first * whole.lda, whole.lda, whole.panel.data(),
                       c.data() + first * whole.ldc, whole.ldc, true);
          auto const begin = first * whole.ldc, end = (first + m) * whole.ldc;
          BOOST_CHECK_MESSAGE(std::equal(c.begin() + begin, c.begin() + end, whole.c.begin() + begin),
                              "rows " << first << " to " << first + m - 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(sums_of_integers_are_exact) {
  check_exact<float>();
  check_exact<double>();
}

BOOST_AUTO_TEST_CASE(a_row_does_not_depend_on_the_others) {
  check_rows_alone<float>();
  check_rows_alone<double>();
}

BOOST_AUTO_TEST_CASE(the_baseline_is_always_there) {
  BOOST_TEST(std::string(lancet::gemm::detail::make_kernels<float>("baseline").name) == "baseline");
  BOOST_TEST(std::string(lancet::gemm::detail::make_kernels<double>("baseline").name) == "baseline");
  // Asking for less gives no more.
  BOOST_TEST(std::string(lancet::gemm::detail::make_kernels<float>("avx2").name) != "avx512");
}

}  // namespace
}  // namespace lancet_test
