// SPDX-License-Identifier: Apache-2.0
// What `native()` of the xtensor backend writes lands where it should, and nowhere else; and the storage
// under it.
#define BOOST_TEST_MODULE backend_xtensor_native
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#if __has_include(<xtensor/core/xnoalias.hpp>)
#include <xtensor/core/xnoalias.hpp>
#else
#include <xtensor/xnoalias.hpp>
#endif

#include "lancet/backend/xtensor.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;

static_assert(tensor_backend<backend::xtensor<float>> && tensor_backend<backend::xtensor<double>>);
static_assert(tensor_backend<backend::xtensor<float, backend::product::cblas>>);
static_assert(std::is_nothrow_move_constructible_v<tensor<backend::xtensor<float>>>);

using backends = boost::mpl::list<backend::xtensor<float>, backend::xtensor<double>>;

/// A window [5, 7] with gaps between its rows, written natively and by element; both must end up equal,
/// frames included.
template <class B>
struct two_windows {
  window<B> native{5, 7, 1}, plain{5, 7, 1};

  template <class Write, class Value>
  void check(Write write, Value value) {
    write(native.all());
    for (index i = 0; i < 5; ++i)
      for (index j = 0; j < 7; ++j) plain.all()(i, j) = value(i, j, plain.all()(i, j));
    std::vector<double> const got = native.values(), expected = plain.values();
    BOOST_TEST(got == expected, boost::test_tools::per_element());
  }
};

BOOST_AUTO_TEST_CASE_TEMPLATE(an_element, B, backends) {
  using T = typename B::scalar;
  two_windows<B>().check([](view<B> v) { v.native()(3, 6) = T(9); },
                         [](index i, index j, T x) { return i == 3 && j == 6 ? T(9) : x; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row, B, backends) {
  using T = typename B::scalar;
  two_windows<B>().check([](view<B> v) { xt::row(v.native(), 4) *= T(2); },
                         [](index i, index, T x) { return i == 4 ? T(2) * x : x; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_column, B, backends) {
  using T = typename B::scalar;
  two_windows<B>().check([](view<B> v) { xt::col(v.native(), 6) = T(3); },
                         [](index, index j, T x) { return j == 6 ? T(3) : x; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_range_of_columns, B, backends) {
  using T = typename B::scalar;
  auto const value = [](index, index j, T x) { return j >= 2 && j < 5 ? x + T(1) : x; };
  two_windows<B>().check([](view<B> v) { v.col_range(2, 3).native() += T(1); }, value);
  two_windows<B>().check(
      [](view<B> v) {
        auto all = v.native();
        auto some = xt::view(all, xt::all(), xt::range(2, 5));
        some += T(1);
      },
      value);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whole_expressions, B, backends) {
  using T = typename B::scalar;
  window<B> x(5, 7, 2), y(5, 7, 3);
  auto const a = x.all(), b = y.all();
  two_windows<B>().check([](view<B> v) { v.native() = T(4); }, [](index, index, T) { return T(4); });
  two_windows<B>().check([](view<B> v) { v.native() = v.native() * T(2) + T(1); },
                         [](index, index, T v) { return v * T(2) + T(1); });
  two_windows<B>().check([&](view<B> v) { v.native() = a.native() * b.native(); },
                         [&](index i, index j, T) { return a(i, j) * b(i, j); });
  two_windows<B>().check([&](view<B> v) { xt::noalias(v.native()) = a.native(); },
                         [&](index i, index j, T) { return a(i, j); });
  two_windows<B>().check([&](view<B> v) { v.native() -= xt::view(a.native(), xt::range(2, 3), xt::all()); },
                         [&](index, index j, T v) { return v - a(2, j); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_row_one_column_and_nothing, B, backends) {
  using T = typename B::scalar;
  two_windows<B>().check([](view<B> v) { v.row_range(4, 1).native() = T(6); },
                         [](index i, index, T x) { return i == 4 ? T(6) : x; });
  two_windows<B>().check([](view<B> v) { v.col_range(6, 1).native() = T(6); },
                         [](index, index j, T x) { return j == 6 ? T(6) : x; });
  two_windows<B>().check(
      [](view<B> v) {
        v.row_range(5, 0).native() = T(6);
        v.col_range(7, 0).native() = T(6);
      },
      [](index, index, T x) { return x; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(reading, B, backends) {
  using T = typename B::scalar;
  window<B> x(5, 7, 1);
  const_view<B> const v = x;
  auto const native = v.native();
  static_assert(std::is_same_v<decltype(native(0, 0)), T const&>);
  BOOST_TEST((native.shape() == std::array<std::size_t, 2>{5, 7}));
  xt::xtensor<T, 2> const copy = native;
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 7; ++j) {
      T const* const at = v.row(static_cast<index>(i)) + j;
      BOOST_TEST(&native(i, j) == at);
      BOOST_TEST(copy(i, j) == *at);
    }
}

/// What `native` returns must hold everything that it needs.
BOOST_AUTO_TEST_CASE_TEMPLATE(outlives_the_view, B, backends) {
  using T = typename B::scalar;
  window<B> x(5, 7, 1);
  auto const make = [](view<B> v) { return v.col_range(1, 6).native(); };
  auto native = make(x);
  make(window<B>(9, 9, 2)).shape();  // what lay on the stack is gone
  auto moved = std::move(native);
  moved(4, 5) = T(8);
  BOOST_TEST(x.all()(4, 6) == T(8));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(storage_is_aligned_and_zero, B, backends) {
  using T = typename B::scalar;
  for (index const size : {1, 3, 17, 1000}) {
    typename B::storage s(size);
    BOOST_TEST(s.size() == size);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(s.data()) % 64 == 0U);
    for (index i = 0; i < size; ++i) BOOST_TEST(s.data()[i] == T(0));
    typename B::storage const taken = std::move(s);
    BOOST_TEST(taken.size() == size);
    BOOST_TEST(s.size() == 0);  // so that a tensor that was moved from can be resized
  }
  BOOST_TEST(typename B::storage().size() == 0);
  BOOST_TEST(typename B::storage(0).size() == 0);
  BOOST_CHECK_THROW(typename B::storage(-1), resource_error);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_moved_tensor_can_be_used_again, B, backends) {
  tensor<B> a(3, 4);
  tensor<B> const b = std::move(a);
  a.resize(2, 6);
  a.all()(1, 5) = 1;
  BOOST_TEST(b.all()(2, 3) == 0);
}

}  // namespace
}  // namespace lancet_test
