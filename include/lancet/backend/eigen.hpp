// SPDX-License-Identifier: Apache-2.0
// The Eigen backend: Eigen::Map views, Eigen products of changing matrices, prepared weights through a
// product policy (`product::packed` is lancet's own kernel; `product::eigen`, and `product::cblas` in
// cblas.hpp).
#pragma once

#include <Eigen/Core>

#include "lancet/backend/host/operations.hpp"
#include "lancet/backend/host/product.hpp"

namespace lancet::backend {

namespace product {
/// Eigen's own product of two matrices.
using eigen = plain;
}  // namespace product

template <class Scalar, class Product = product::packed>
struct eigen : host::operations<eigen<Scalar, Product>, Scalar> {
  using base = host::operations<eigen<Scalar, Product>, Scalar>;
  using typename base::in;
  using typename base::out;
  static constexpr char const* name = "eigen";
  using weight = typename Product::template weight<eigen>;

  using matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  /// Eigen::Map of a view: [rows, cols], row-major with the view's stride.
  static auto native(out v) {
    return Eigen::Map<matrix, 0, Eigen::OuterStride<>>(v.data, v.rows, v.cols,
                                                       Eigen::OuterStride<>(v.stride));
  }
  static auto native(in v) {
    return Eigen::Map<matrix const, 0, Eigen::OuterStride<>>(v.data, v.rows, v.cols,
                                                             Eigen::OuterStride<>(v.stride));
  }

  /// Tiles of c are even and cut by shape alone, and Eigen's threads never run inside them: bit-equal for any
  /// number of threads. Unlike a prepared weight's, a row's bits depend on how many rows ride along: Eigen
  /// sums the last rows of a product in another order.
  static void matmul(in a, ops::transpose ta, in b, ops::transpose tb, out c, bool accumulate) {
    constexpr index tile_rows = 64, tile_cols = 512;
    index const across = (c.cols + tile_cols - 1) / tile_cols, down = (c.rows + tile_rows - 1) / tile_rows;
    parallel_for(across * down, [&](index tile) {
      index const i = tile / across * c.rows / down, m = (tile / across + 1) * c.rows / down - i;
      index const j = tile % across * tile_cols, n = std::min(tile_cols, c.cols - j);
      auto part = native(c.row_range(i, m).col_range(j, n));
      auto const left = native(ta == ops::transpose::no ? a.row_range(i, m) : a.col_range(i, m));
      auto const right = native(tb == ops::transpose::no ? b.col_range(j, n) : b.row_range(j, n));
      auto const fill = [&](auto const& product) {
        if (accumulate)
          part.noalias() += product;
        else
          part.noalias() = product;
      };
      if (ta == ops::transpose::no && tb == ops::transpose::no) fill(left * right);
      if (ta == ops::transpose::no && tb == ops::transpose::yes) fill(left * right.transpose());
      if (ta == ops::transpose::yes && tb == ops::transpose::no) fill(left.transpose() * right);
      if (ta == ops::transpose::yes && tb == ops::transpose::yes) fill(left.transpose() * right.transpose());
    });
  }
};

}  // namespace lancet::backend
