// SPDX-License-Identifier: Apache-2.0
// The xtensor backend: xt::xtensor storage and xt::view windows, products of changing matrices by a CBLAS (as
// xtensor-blas does them), prepared weights through a product policy (backend/host/product.hpp).
//
// Operations never go through xtensor's expressions: writing one head's columns through an xt::view takes 17
// to 35 times as long as a loop over its rows. xtensor is what memory is kept in and what users see of it.
#pragma once

#if __has_include(<xtensor/containers/xtensor.hpp>)  // since 0.26
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <array>

#include "lancet/backend/cblas.hpp"
#include "lancet/backend/host/operations.hpp"
#include "lancet/backend/host/product.hpp"

namespace lancet::host {

/// `size` zeroed elements in an xt::xtensor of rank 1, aligned to 64 bytes.
template <class T>
class xtensor_storage {
 public:
  using array_type = xt::xtensor<T, 1, xt::layout_type::row_major, aligned_allocator<T>>;

  xtensor_storage() = default;
  explicit xtensor_storage(index size)
      : array_(typename array_type::shape_type{static_cast<std::size_t>(size)}, T{}) {}

  /// Of what is owned: an xt::xtensor that was moved from keeps its shape.
  [[nodiscard]] index size() const { return static_cast<index>(array_.storage().size()); }
  [[nodiscard]] T* data() { return array_.data(); }
  [[nodiscard]] T const* data() const { return array_.data(); }

 private:
  array_type array_;
};

}  // namespace lancet::host

namespace lancet::backend {

template <class Scalar, class Product = product::packed>
struct xtensor : host::operations<xtensor<Scalar, Product>, Scalar> {
  using base = host::operations<xtensor<Scalar, Product>, Scalar>;
  using typename base::in;
  using typename base::out;
  using storage = host::xtensor_storage<Scalar>;
  static constexpr char const* name = "xtensor";
  using weight = typename Product::template weight<xtensor>;

  /// xt::view of a view: [rows, cols], the first columns of an adaptor [rows, stride], which it owns. Not an
  /// adaptor with strides: that writes wrong elements without a word (xtensor-stack/xtensor#2773). The
  /// adaptor counts the last row in full; nothing reads or writes what lies behind its columns.
  static auto native(out v) { return columns(v); }
  static auto native(in v) { return columns(v); }

  /// The tiles of a BLAS: bit-equal for any number of threads.
  static void matmul(in a, ops::transpose ta, in b, ops::transpose tb, out c, bool accumulate) {
    host::blas_matmul<xtensor>(a, ta, b, tb, c, accumulate);
  }

 private:
  template <class View>
  static auto columns(View v) {
    std::array const shape{static_cast<std::size_t>(v.rows), static_cast<std::size_t>(v.stride)};
    // + makes the pointer a value: xt::adapt would keep a reference to a variable.
    return xt::view(
        xt::adapt<xt::layout_type::row_major>(+v.data, shape[0] * shape[1], xt::no_ownership(), shape),
        xt::all(), xt::range(std::size_t{0}, static_cast<std::size_t>(v.cols)));
  }
};

}  // namespace lancet::backend
