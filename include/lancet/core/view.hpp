// SPDX-License-Identifier: Apache-2.0
// Views: what every operation and every hook sees of a tensor. They own nothing.
//
// A view is a pointer into a backend's memory with a row-major shape. Elements can be touched only where the
// backend's memory is the host's; elsewhere a view is an address that operations understand.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include "lancet/core/error.hpp"

namespace lancet {

/// Signed size and index type of the whole library.
using index = std::ptrdiff_t;

/// Row-major window of `T` (const or not) in the memory of backend `B`; see `view` and `const_view`.
template <class B, class T, int Rank>
struct basic_view;

template <class B, class T>
struct basic_view<B, T, 2> {
  T* data = nullptr;
  index rows = 0;
  index cols = 0;
  index stride = 0;  ///< elements from one row to the next, >= cols

  /// A view converts to a const view, never back.
  template <class U>
  requires(std::is_same_v<U, T const> && !std::is_const_v<T>) operator basic_view<B, U, 2>() const {
    return {data, rows, cols, stride};
  }

  /// Rows [first, first + count): [count, cols].
  [[nodiscard]] basic_view row_range(index first, index count) const {
    check_range("row_range", first, count, rows);
    return {data + first * stride, count, cols, stride};
  }
  /// Columns [first, first + count): [rows, count].
  [[nodiscard]] basic_view col_range(index first, index count) const {
    check_range("col_range", first, count, cols);
    return {rows == 0 ? data : data + first, rows, count, stride};  // no rows may have no memory
  }

  [[nodiscard]] T* row(index i) const { return data + i * stride; }
  [[nodiscard]] T& operator()(index i, index j) const requires(B::host) { return data[i * stride + j]; }
  [[nodiscard]] index size() const { return rows * cols; }
  [[nodiscard]] bool contiguous() const { return stride == cols || rows <= 1; }

  /// The backend library's own object over the same memory (Eigen::Map, …); leaves portability.
  [[nodiscard]] auto native() const { return B::native(*this); }

 private:
  static void check_range(char const* what, index first, index count, index extent) {
    if (first < 0 || count < 0 || first > extent - count)
      fail_expected(std::string("view.") + what,
                    std::to_string(count) + " from " + std::to_string(first),  // their sum may overflow
                    "a range inside [0, " + std::to_string(extent) + ")");
  }
};

template <class B, class T>
struct basic_view<B, T, 1> {
  T* data = nullptr;
  index size = 0;

  template <class U>
  requires(std::is_same_v<U, T const> && !std::is_const_v<T>) operator basic_view<B, U, 1>() const {
    return {data, size};
  }
  [[nodiscard]] T& operator()(index i) const requires(B::host) { return data[i]; }
  /// The same elements as one row: [1, size].
  [[nodiscard]] basic_view<B, T, 2> as_row() const { return {data, 1, size, size}; }
};

/// Mutable view of rank 1 or 2 in the memory of backend `B`.
template <class B, int Rank = 2>
using view = basic_view<B, typename B::scalar, Rank>;

/// Read-only view of rank 1 or 2 in the memory of backend `B`.
template <class B, int Rank = 2>
using const_view = basic_view<B, typename B::scalar const, Rank>;

/// "[rows, cols]", for messages.
template <class B, class T>
[[nodiscard]] std::string shape_text(basic_view<B, T, 2> const& v) {
  return "[" + std::to_string(v.rows) + ", " + std::to_string(v.cols) + "]";
}

}  // namespace lancet
