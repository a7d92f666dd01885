// SPDX-License-Identifier: Apache-2.0
// product::cblas: prepared weights multiplied by a BLAS with the C interface, for the Eigen backend:
//   #include <lancet/backend/eigen.hpp> and this header; backend::eigen<float, backend::product::cblas>.
#pragma once

#include <cblas.h>

#include <type_traits>

#include "lancet/core/executor.hpp"
#include "lancet/ops/linear.hpp"

/// OpenBLAS's; null where the program is linked with another BLAS.
extern "C" [[gnu::weak]] void openblas_set_num_threads(int threads);

namespace lancet {

namespace detail {

/// Tiles run on the executor's threads, so those of the BLAS would only compete with them. OpenBLAS's are
/// switched off at the first product of the process, for the whole process; those of another BLAS are the
/// environment's affair (MKL_NUM_THREADS=1, BLIS_NUM_THREADS=1, …).
inline void switch_off_blas_threads() {
  static bool const once = [] {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(once);
}

/// c[m, n] = a[m, k] · op(b) (or +=), all row-major, on the calling thread.
template <class T>
void blas_product(index m, index n, index k, T const* a, index lda, T const* b, index ldb, CBLAS_TRANSPOSE tb,
                  T* c, index ldc, bool accumulate) {
  T const beta = accumulate ? T(1) : T(0);
  auto const size = [](index x) { return static_cast<int>(x); };
  if constexpr (std::is_same_v<T, float>)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, tb, size(m), size(n), size(k), 1, a, size(lda), b, size(ldb),
                beta, c, size(ldc));
  else
    cblas_dgemm(CblasRowMajor, CblasNoTrans, tb, size(m), size(n), size(k), 1, a, size(lda), b, size(ldb),
                beta, c, size(ldc));
}

/// y[n] = b · x (or +=) with b [n, k] row-major, or bᵀ · x with b [k, n]: a product of one row.
template <class T>
void blas_row(index rows, index cols, T const* b, index ldb, CBLAS_TRANSPOSE tb, T const* x, T* y,
              bool accumulate) {
  T const beta = accumulate ? T(1) : T(0);
  auto const size = [](index v) { return static_cast<int>(v); };
  if constexpr (std::is_same_v<T, float>)
    cblas_sgemv(CblasRowMajor, tb, size(rows), size(cols), 1, b, size(ldb), x, 1, beta, y, 1);
  else
    cblas_dgemv(CblasRowMajor, tb, size(rows), size(cols), 1, b, size(ldb), x, 1, beta, y, 1);
}

}  // namespace detail

namespace host {

/// W [out, in] of host backend `B`, as it is: a BLAS has no call that packs a matrix for later products.
/// Tiles of the result are cut by shape alone, but a BLAS chooses its kernel by the number of rows: bits of a
/// row depend on the batch that it is in.
template <class B>
class cblas_weight {
  using T = typename B::scalar;

 public:
  cblas_weight() = default;
  /// Takes over a copy of w [out, in].
  explicit cblas_weight(const_view<B> w) : w_(tensor<B>::clone(w)) {}

  [[nodiscard]] index out() const { return w_.rows(); }
  [[nodiscard]] index in() const { return w_.cols(); }
  [[nodiscard]] index bytes() const { return w_.capacity() * static_cast<index>(sizeof(T)); }

  /// y = x·Wᵀ + bias, or y += x·Wᵀ with `accumulate` (no bias then): x [R, in], y [R, out]; bias [1, out] or
  /// empty.
  void apply(const_view<B> x, const_view<B> bias, view<B> y, bool accumulate) const {
    const_view<B> const w = w_;
    tiles(y, [&](view<B> part, index row, index column) {
      if (part.rows == 1)
        lancet::detail::blas_row<T>(part.cols, w.cols, w.row(column), w.stride, CblasNoTrans, x.row(row),
                                    part.data, accumulate);
      else
        lancet::detail::blas_product<T>(part.rows, part.cols, w.cols, x.row(row), x.stride, w.row(column),
                                        w.stride, CblasTrans, part.data, part.stride, accumulate);
      if (!accumulate && bias.data)
        for (index i = 0; i < part.rows; ++i)
          for (index j = 0; j < part.cols; ++j) part(i, j) += bias.data[column + j];
    });
  }
  /// gx = gy·W, or gx += with `accumulate`: gy [R, out], gx [R, in].
  void apply_adjoint(const_view<B> gy, view<B> gx, bool accumulate) const {
    const_view<B> const w = w_;
    tiles(gx, [&](view<B> part, index row, index column) {
      if (part.rows == 1)
        lancet::detail::blas_row<T>(w.rows, part.cols, w.data + column, w.stride, CblasTrans, gy.row(row),
                                    part.data, accumulate);
      else
        lancet::detail::blas_product<T>(part.rows, part.cols, w.rows, gy.row(row), gy.stride, w.data + column,
                                        w.stride, CblasNoTrans, part.data, part.stride, accumulate);
    });
  }
  /// y[i] = W[rows[i]]: y [R, in].
  void gather(std::span<index const> rows, view<B> y) const { ops::gather_rows<B>(w_, rows, y); }

 private:
  /// Calls f(part of y, its first row, its first column) for even tiles of at most 256 × 512 elements.
  template <class F>
  static void tiles(view<B> y, F&& f) {
    lancet::detail::switch_off_blas_threads();
    constexpr index most_rows = 256, most_columns = 512;
    index const down = (y.rows + most_rows - 1) / most_rows,
                across = (y.cols + most_columns - 1) / most_columns;
    parallel_for(down * across, [&](index tile) {
      index const row = tile / across * y.rows / down, rows = (tile / across + 1) * y.rows / down - row;
      index const column = tile % across * y.cols / across,
                  columns = (tile % across + 1) * y.cols / across - column;
      f(y.row_range(row, rows).col_range(column, columns), row, column);
    });
  }

  tensor<B> w_;
};

}  // namespace host

namespace backend::product {

/// A BLAS with the C interface, in tiles of rows and columns that the executor runs.
struct cblas {
  template <class B>
  using weight = host::cblas_weight<B>;
};

}  // namespace backend::product
}  // namespace lancet
