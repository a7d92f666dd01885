// SPDX-License-Identifier: Apache-2.0
// Weights multiplied by a BLAS: equal to the reference backend, at every tile border, on any number of
// threads.
#define BOOST_TEST_MODULE backend_cblas
#include "lancet/backend/cblas.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>

#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"
#include "support/every_operation.hpp"

extern "C" [[gnu::weak]] int openblas_get_num_threads();  // null with another BLAS

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;

template <class T>
using with_blas = backend::eigen<T, backend::product::cblas>;
static_assert(tensor_backend<with_blas<float>> && tensor_backend<with_blas<double>>);

/// max |x − y| / max(1, |y|); an element too many, from a border that was written, is a large difference.
[[nodiscard]] double difference(std::vector<double> const& got, std::vector<double> const& expected) {
  if (got.size() != expected.size()) return 1e300;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(got[i] - expected[i]) / std::max(1.0, std::abs(expected[i])));
  return worst;
}

// The first test: threads are switched off once a process, at its first product.
BOOST_AUTO_TEST_CASE(threads_of_openblas_are_switched_off) {
  if (!openblas_get_num_threads) {
    std::printf("SKIPPED the threads of a BLAS: this one is not OpenBLAS\n");
    return;
  }
  openblas_set_num_threads(2);
  BOOST_TEST_REQUIRE(openblas_get_num_threads() == 2);
  using B = with_blas<float>;
  B::weight const w{random_tensor<B>(4, 3, 1).all()};
  tensor<B> y(2, 4);
  ops::linear<B>(random_tensor<B>(2, 3, 2), w, {}, y.all());
  BOOST_TEST(openblas_get_num_threads() == 1);
}

BOOST_AUTO_TEST_CASE(every_operation) {
  operation_results const exact = run_every_operation<backend::reference<double>>();
  operation_results const wide = run_every_operation<with_blas<double>>();
  operation_results const narrow = run_every_operation<with_blas<float>>();
  for (auto const& [name, values] : exact) {
    BOOST_CHECK_MESSAGE(difference(wide.at(name), values) <= 2e-13, name << " in double");
    BOOST_CHECK_MESSAGE(difference(narrow.at(name), values) <= 4e-5, name << " in float");
  }
}

/// y = x·Wᵀ + b and gx = gy·W inside frames; every result in one list.
template <class B>
[[nodiscard]] std::vector<double> products(index rows, index out, index in, bool accumulate) {
  window<B> source(out, in, 1), x(rows, in, 2), bias(1, out, 3), gy(rows, out, 4), y(rows, out, 5),
      gx(rows, in, 6);
  typename B::weight const w{const_view<B>(source)};
  ops::linear<B>(x, w, accumulate ? const_view<B>{} : const_view<B>(bias), y.all(), accumulate);
  ops::linear_adjoint<B>(gy, w, gx.all(), accumulate);
  std::vector<double> all = y.values();
  std::vector<double> const back = gx.values();
  all.insert(all.end(), back.begin(), back.end());
  return all;
}

BOOST_AUTO_TEST_CASE(products_at_the_borders_of_tiles) {
  for (bool const accumulate : {false, true})
    for (index const rows : {1, 2, 255, 256, 257})
      for (index const out : {1, 512, 513, 1030})
        for (index const in : {1, 20, 520}) {
          double const d = difference(products<with_blas<double>>(rows, out, in, accumulate),
                                      products<backend::eigen<double>>(rows, out, in, accumulate));
          BOOST_CHECK_MESSAGE(d <= 1e-12, rows << " rows, W [" << out << ", " << in << "]"
                                               << (accumulate ? ", accumulated" : "") << ": differs by "
                                               << d);
        }
}

BOOST_AUTO_TEST_CASE(bit_equal_on_any_number_of_threads) {
  for (index const rows : {1, 14, 300}) {
    set_threads(1);
    std::vector<double> const one = products<with_blas<float>>(rows, 1030, 70, false);
    for (int const threads : {2, 3}) {
      set_threads(threads);
      BOOST_CHECK_MESSAGE(products<with_blas<float>>(rows, 1030, 70, false) == one,
                          rows << " rows on " << threads << " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes_of_a_weight) {
  using B = with_blas<float>;
  B::weight const w{random_tensor<B>(45, 23, 1).all()};
  BOOST_TEST(w.out() == 45);
  BOOST_TEST(w.in() == 23);
  BOOST_TEST(w.bytes() == 45 * 23 * 4);
}

}  // namespace
}  // namespace lancet_test
