// SPDX-License-Identifier: Apache-2.0
// A weight packed once for lancet's own matrix product; the packing for the adjoint is made at its first use.
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "lancet/backend/concept.hpp"
#include "lancet/backend/gemm/packed.hpp"
#include "lancet/core/tensor.hpp"

namespace lancet::host {

/// W [out, in] of host backend `B`, as panels of Wᵀ for y = x·Wᵀ and, once a backward pass asks, of W for gx
/// = gy·W; kept as `Stored`.
template <class B, class Stored = typename B::scalar>
class packed_weight {
  using T = typename B::scalar;

 public:
  packed_weight() = default;
  explicit packed_weight(const_view<B> w)
      : forward_(w.cols, w.rows, gemm::strided<T>{w.data, 1, w.stride}), adjoint_(std::make_unique<lazy>()) {}
  packed_weight(index out, index in, row_source<T> const& rows)
      : forward_(in, out, rows), adjoint_(std::make_unique<lazy>()) {}

  [[nodiscard]] index out() const { return forward_.n(); }
  [[nodiscard]] index in() const { return forward_.k(); }
  [[nodiscard]] index bytes() const { return forward_.bytes() + (adjoint_ ? adjoint_->matrix.bytes() : 0); }

  void apply(const_view<B> x, const_view<B> bias, view<B> y, bool accumulate) const {
    gemm::multiply(x.rows, x.data, x.stride, forward_, y.data, y.stride, accumulate, bias.data);
  }
  void apply_adjoint(const_view<B> gy, view<B> gx, bool accumulate) const {
    std::call_once(adjoint_->once, [this] {
      aligned_buffer<T> w(out() * in());
      index const columns = forward_.columns();
      parallel_for(forward_.panels(), [&](index panel) {
        for (index j = 0; j < std::min(columns, out() - panel * columns); ++j)
          for (index p = 0; p < in(); ++p)
            w.data()[(panel * columns + j) * in() + p] = T(forward_.panel(panel)[p * columns + j]);
      });
      adjoint_->matrix = gemm::packed_matrix<T, Stored>(out(), in(), gemm::strided<T>{w.data(), in(), 1});
    });
    gemm::multiply(gy.rows, gy.data, gy.stride, adjoint_->matrix, gx.data, gx.stride, accumulate);
  }
  /// y[i] = W[rows[i]]: y [R, in].
  void gather(std::span<index const> rows, view<B> y) const {
    for (index i = 0; i < y.rows; ++i)
      for (index p = 0; p < in(); ++p) y(i, p) = forward_(p, rows[static_cast<std::size_t>(i)]);
  }

 private:
  struct lazy {
    std::once_flag once;
    gemm::packed_matrix<T, Stored> matrix;
  };
  gemm::packed_matrix<T, Stored> forward_;
  std::unique_ptr<lazy> adjoint_;
};

}  // namespace lancet::host
