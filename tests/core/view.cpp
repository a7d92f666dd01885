// SPDX-License-Identifier: Apache-2.0
// Views: windows into row-major memory, their ranges, and what they refuse.
#define BOOST_TEST_MODULE core_view
#include "lancet/core/view.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <type_traits>
#include <vector>

#include "support/errors.hpp"

namespace lancet_test {
namespace {

using lancet::index;

struct host_memory {
  using scalar = float;
  static constexpr bool host = true;
  template <class View>
  static View native(View v) {
    return v;
  }
};
struct device_memory {
  using scalar = float;
  static constexpr bool host = false;
};

using view = lancet::view<host_memory>;
using const_view = lancet::const_view<host_memory>;

// A view converts to a const view and never back.
static_assert(std::is_convertible_v<view, const_view>);
static_assert(!std::is_convertible_v<const_view, view>);
static_assert(std::is_convertible_v<lancet::view<host_memory, 1>, lancet::const_view<host_memory, 1>>);
static_assert(!std::is_convertible_v<lancet::const_view<host_memory, 1>, lancet::view<host_memory, 1>>);
// Views are handed around by value.
static_assert(std::is_trivially_copyable_v<view> && std::is_aggregate_v<view>);
// Elements can be touched on the host alone.
template <class View>
concept indexable = requires(View v) {
  v(0, 0);
};
static_assert(indexable<view> && !indexable<lancet::view<device_memory>>);

// [4, 5] with row stride 7, element (i, j) = 10·i + j; the gaps hold −1.
struct fixture {
  std::vector<float> memory = std::vector<float>(4 * 7, -1.0F);
  view all{memory.data(), 4, 5, 7};
  fixture() {
    for (index i = 0; i < 4; ++i)
      for (index j = 0; j < 5; ++j) all(i, j) = static_cast<float>(10 * i + j);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(elements_lie_row_by_row, fixture) {
  for (index i = 0; i < 4; ++i)
    for (index j = 0; j < 5; ++j) {
      BOOST_TEST(&all(i, j) == memory.data() + 7 * i + j);
      BOOST_TEST(all.row(i)[j] == static_cast<float>(10 * i + j));
    }
  BOOST_TEST(std::count(memory.begin(), memory.end(), -1.0F) == 8);
  BOOST_TEST(all.size() == 20);
  BOOST_TEST(all.native().data == all.data);
}

BOOST_FIXTURE_TEST_CASE(ranges_are_windows_of_the_same_memory, fixture) {
  view const middle = all.row_range(1, 2).col_range(2, 3);  // [2, 3]
  BOOST_TEST(middle.rows == 2);
  BOOST_TEST(middle.cols == 3);
  BOOST_TEST(middle.stride == 7);
  BOOST_TEST(middle(0, 0) == 12.0F);
  BOOST_TEST(middle(1, 2) == 24.0F);
  middle(1, 0) = 99.0F;
  BOOST_TEST(all(2, 2) == 99.0F);
  BOOST_TEST(all.col_range(1, 4).row_range(3, 1)(0, 3) == 34.0F);
  const_view const read = middle;
  BOOST_TEST(read(1, 0) == 99.0F);
}

BOOST_FIXTURE_TEST_CASE(contiguous_means_no_gap_between_rows, fixture) {
  BOOST_TEST(!all.contiguous());
  BOOST_TEST(all.row_range(2, 1).contiguous());  // one row has no gap
  BOOST_TEST((view{memory.data(), 4, 7, 7}.contiguous()));
}

BOOST_FIXTURE_TEST_CASE(empty_ranges_are_ranges, fixture) {
  BOOST_TEST(all.row_range(4, 0).size() == 0);
  BOOST_TEST(all.col_range(0, 0).size() == 0);
  BOOST_TEST(view{}.row_range(0, 0).size() == 0);
}

BOOST_FIXTURE_TEST_CASE(ranges_outside_are_refused, fixture) {
  using lancet::usage_error;
  check_throws<usage_error>([&] { (void)all.row_range(3, 2); },
                            "view.row_range: got 2 from 3, expected a range inside [0, 4)");
  check_throws<usage_error>([&] { (void)all.col_range(-1, 2); },
                            "view.col_range: got 2 from -1, expected a range inside [0, 5)");
  check_throws<usage_error>([&] { (void)all.row_range(1, -1); }, "view.row_range");
  index const huge = std::numeric_limits<index>::max();
  check_throws<usage_error>([&] { (void)all.row_range(huge, 1); }, "view.row_range");
  check_throws<usage_error>([&] { (void)all.row_range(1, huge); }, "view.row_range");
}

BOOST_FIXTURE_TEST_CASE(rank_one_is_a_row, fixture) {
  lancet::view<host_memory, 1> const v{memory.data(), 5};
  BOOST_TEST(v(3) == 3.0F);
  view const row = v.as_row();
  BOOST_TEST(row.rows == 1);
  BOOST_TEST(row.cols == 5);
  BOOST_TEST(row(0, 4) == 4.0F);
}

BOOST_FIXTURE_TEST_CASE(shapes_read_well, fixture) { BOOST_TEST(lancet::shape_text(all) == "[4, 5]"); }

}  // namespace lancet_test
