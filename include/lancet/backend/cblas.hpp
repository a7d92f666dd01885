// SPDX-License-Identifier: Apache-2.0
// Products by a BLAS with the C interface: of prepared weights for any host backend, as the policy
// `backend::eigen<float, backend::product::cblas>`, and of two matrices that change.
#pragma once

#include <cblas.h>

#include <algorithm>
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

/// c = op(a)·op(b), or c += with `accumulate`: op(a) [m, k], op(b) [k, n], c [m, n], on the calling thread.
template <class B>
void blas_product(const_view<B> a, ops::transpose ta, const_view<B> b, ops::transpose tb, view<B> c,
                  bool accumulate) {
  using T = typename B::scalar;
  auto const size = [](index x) { return static_cast<int>(x); };
  auto const stride = [](const_view<B> v) { return static_cast<int>(std::max<index>(1, v.stride)); };
  auto const word = [](ops::transpose t) { return t == ops::transpose::yes ? CblasTrans : CblasNoTrans; };
  index const k = ta == ops::transpose::no ? a.cols : a.rows;
  T const beta = accumulate ? T(1) : T(0);
  if (c.rows == 1 && k > 0) {  // a BLAS multiplies a vector several times as fast as a matrix of one row
    CBLAS_TRANSPOSE const other = tb == ops::transpose::yes ? CblasNoTrans : CblasTrans;
    int const step = ta == ops::transpose::no ? 1 : stride(a);
    if constexpr (std::is_same_v<T, float>)
      cblas_sgemv(CblasRowMajor, other, size(b.rows), size(b.cols), 1, b.data, stride(b), a.data, step, beta,
                  c.data, 1);
    else
      cblas_dgemv(CblasRowMajor, other, size(b.rows), size(b.cols), 1, b.data, stride(b), a.data, step, beta,
                  c.data, 1);
  } else if constexpr (std::is_same_v<T, float>) {
    cblas_sgemm(CblasRowMajor, word(ta), word(tb), size(c.rows), size(c.cols), size(k), 1, a.data, stride(a),
                b.data, stride(b), beta, c.data, stride(c));
  } else {
    cblas_dgemm(CblasRowMajor, word(ta), word(tb), size(c.rows), size(c.cols), size(k), 1, a.data, stride(a),
                b.data, stride(b), beta, c.data, stride(c));
  }
}

}  // namespace detail

namespace host {

/// `ops::matmul` by a BLAS, in even tiles of at most 256 × 512 elements that the executor runs. They are cut
/// by shape alone, so results are bit-equal for any number of threads; but a BLAS chooses its kernel by the
/// number of rows: bits of a row depend on the batch that it is in.
template <class B>
void blas_matmul(const_view<B> a, ops::transpose ta, const_view<B> b, ops::transpose tb, view<B> c,
                 bool accumulate) {
  lancet::detail::switch_off_blas_threads();
  constexpr index most_rows = 256, most_columns = 512;
  index const down = (c.rows + most_rows - 1) / most_rows,
              across = (c.cols + most_columns - 1) / most_columns;
  parallel_for(down * across, [&](index tile) {
    index const i = tile / across * c.rows / down, m = (tile / across + 1) * c.rows / down - i;
    index const j = tile % across * c.cols / across, n = (tile % across + 1) * c.cols / across - j;
    lancet::detail::blas_product<B>(ta == ops::transpose::no ? a.row_range(i, m) : a.col_range(i, m), ta,
                                    tb == ops::transpose::no ? b.col_range(j, n) : b.row_range(j, n), tb,
                                    c.row_range(i, m).col_range(j, n), accumulate);
  });
}

/// W [out, in] of host backend `B`, as it is: a BLAS has no call that packs a matrix for later products.
template <class B>
class cblas_weight {
 public:
  cblas_weight() = default;
  /// Takes over a copy of w [out, in].
  explicit cblas_weight(const_view<B> w) : w_(tensor<B>::clone(w)) {}

  [[nodiscard]] index out() const { return w_.rows(); }
  [[nodiscard]] index in() const { return w_.cols(); }
  [[nodiscard]] index bytes() const { return w_.capacity() * static_cast<index>(sizeof(typename B::scalar)); }

  /// y = x·Wᵀ + bias, or y += x·Wᵀ with `accumulate` (no bias then): x [R, in], y [R, out]; bias [1, out] or
  /// empty.
  void apply(const_view<B> x, const_view<B> bias, view<B> y, bool accumulate) const {
    blas_matmul<B>(x, ops::transpose::no, w_, ops::transpose::yes, y, accumulate);
    if (!accumulate && bias.data) ops::add_row_vector<B>(1, bias, y);
  }
  /// gx = gy·W, or gx += with `accumulate`: gy [R, out], gx [R, in].
  void apply_adjoint(const_view<B> gy, view<B> gx, bool accumulate) const {
    blas_matmul<B>(gy, ops::transpose::no, w_, ops::transpose::no, gx, accumulate);
  }
  /// y[i] = W[rows[i]]: y [R, in].
  void gather(std::span<index const> rows, view<B> y) const { ops::gather_rows<B>(w_, rows, y); }

 private:
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
