// SPDX-License-Identifier: Apache-2.0
// Owning matrices and the aligned memory under them.
#define BOOST_TEST_MODULE core_tensor
#include "lancet/core/tensor.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "lancet/backend/reference.hpp"
#include "support/errors.hpp"

namespace lancet_test {
namespace {

using lancet::index;

using B = lancet::backend::reference<double>;
using tensor = lancet::tensor<B>;

static_assert(!std::is_copy_constructible_v<tensor> && !std::is_copy_assignable_v<tensor>,
              "copies are explicit");
static_assert(std::is_nothrow_move_constructible_v<tensor> && std::is_nothrow_move_assignable_v<tensor>);

}  // namespace

BOOST_AUTO_TEST_CASE(starts_with_zeros) {
  tensor t(3, 5);
  BOOST_TEST(t.rows() == 3);
  BOOST_TEST(t.cols() == 5);
  BOOST_TEST(!t.empty());
  for (index i = 0; i < 3; ++i)
    for (index j = 0; j < 5; ++j) BOOST_TEST(t.all()(i, j) == 0.0);
  BOOST_TEST(tensor().empty());
  BOOST_TEST(tensor(0, 4).empty());
}

BOOST_AUTO_TEST_CASE(lies_on_a_cache_line) {
  for (index const n : {1, 3, 100}) {
    tensor const t(n, 7);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(t.all().data) % 64 == 0U);
  }
}

BOOST_AUTO_TEST_CASE(clone_copies_any_view) {
  tensor t(4, 6);
  for (index i = 0; i < 4; ++i)
    for (index j = 0; j < 6; ++j) t.all()(i, j) = static_cast<double>(10 * i + j);
  tensor c = tensor::clone(t.all().row_range(1, 2).col_range(3, 2));
  BOOST_TEST(c.rows() == 2);
  BOOST_TEST(c.cols() == 2);
  BOOST_TEST(c.all()(1, 1) == 24.0);
  c.all()(1, 1) = 0;
  BOOST_TEST(t.all()(2, 4) == 24.0);
}

BOOST_AUTO_TEST_CASE(resize_reuses_memory_that_is_large_enough) {
  tensor t(4, 6);
  double const* const memory = t.all().data;
  t.resize(2, 12);
  BOOST_TEST(t.all().data == memory);
  BOOST_TEST(t.all().stride == 12);
  t.resize(1, 3);
  BOOST_TEST(t.capacity() == 24);
  t.resize(6, 4);
  BOOST_TEST(t.all().data == memory);
  t.resize(5, 5);
  BOOST_TEST(t.capacity() == 25);
  BOOST_TEST(t.rows() == 5);
}

BOOST_AUTO_TEST_CASE(moves_take_the_memory) {
  tensor t(2, 2);
  double const* const memory = t.all().data;
  tensor u = std::move(t);
  BOOST_TEST(u.all().data == memory);
  tensor w;
  w = std::move(u);
  BOOST_TEST(w.all().data == memory);
  BOOST_TEST(w.rows() == 2);
}

BOOST_AUTO_TEST_CASE(memory_that_does_not_exist_is_a_resource_error) {
  auto const elements = [](index n) { return lancet::aligned_buffer<double>(n).data()[0]; };
  check_throws<lancet::resource_error>([&] { (void)elements(index{1} << 50); }, "9007199254740992 bytes");
  // The number of bytes does not fit into a size: it must not wrap to a small one.
  check_throws<lancet::resource_error>([&] { (void)elements((index{1} << 61) + 1); }, "out of memory");
  check_throws<lancet::resource_error>([&] { (void)elements(-1); }, "out of memory");
}

BOOST_AUTO_TEST_CASE(buffers_move) {
  lancet::aligned_buffer<float> a(10);
  a.data()[9] = 4;
  lancet::aligned_buffer<float> b = std::move(a);
  BOOST_TEST(b.size() == 10);
  BOOST_TEST(b.data()[9] == 4.0F);
  BOOST_TEST(a.size() == 0);
  a = std::move(b);
  BOOST_TEST(a.size() == 10);
  BOOST_TEST(lancet::aligned_buffer<float>(0).data() == nullptr);
}

}  // namespace lancet_test
