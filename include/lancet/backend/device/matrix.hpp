// SPDX-License-Identifier: Apache-2.0
// Matrices of device memory: what kernels see of a view.
#pragma once

#include <type_traits>

#include "lancet/core/device.hpp"
#include "lancet/core/view.hpp"

namespace lancet::device {

/// Row-major window of device memory, [rows, cols]: what kernels see of a view.
template <class T>
struct matrix {
  T* data = nullptr;
  index rows = 0, cols = 0, stride = 0;

  matrix() = default;
  matrix(T* first, index rows_of_it, index cols_of_it, index stride_of_it)
      : data(first), rows(rows_of_it), cols(cols_of_it), stride(stride_of_it) {}
  template <class B, class U>
  requires std::is_convertible_v<U*, T*> matrix(basic_view<B, U, 2> const& v)
      : data(v.data), rows(v.rows), cols(v.cols), stride(v.stride) {}

  LANCET_DEVICE T& operator()(index i, index j) const { return data[i * stride + j]; }
  LANCET_DEVICE T* row(index i) const { return data + i * stride; }
};

}  // namespace lancet::device
