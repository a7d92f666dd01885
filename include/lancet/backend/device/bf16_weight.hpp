// SPDX-License-Identifier: Apache-2.0
// Weights in bfloat16: half the memory, and products of rounded inputs with sums in float.
#pragma once

#include "lancet/backend/device/operations.hpp"

namespace lancet::device {

/// W [out, in] of device backend `B`, prepared as bfloat16. Members as in plain_weight.
template <class B>
class bf16_weight {
  using T = typename B::scalar;
  using runtime = typename B::runtime;

 public:
  bf16_weight() = default;
  explicit bf16_weight(const_view<B> w) : rows_(w.rows), cols_(w.cols), w_(w.rows * w.cols) {
    B::round_to_bf16(w, w_.data());
  }

  [[nodiscard]] index out() const { return rows_; }
  [[nodiscard]] index in() const { return cols_; }
  [[nodiscard]] index bytes() const { return w_.size() * static_cast<index>(sizeof(bfloat16)); }

  void apply(const_view<B> x, const_view<B> bias, view<B> y, bool accumulate) const {
    B::bf16_product(x, w_.data(), rows_, cols_, false, y, accumulate);
    if (!accumulate && bias.data) ops::add_row_vector<B>(1, bias, y);
  }
  void apply_adjoint(const_view<B> gy, view<B> gx, bool accumulate) const {
    B::bf16_product(gy, w_.data(), rows_, cols_, true, gx, accumulate);
  }
  void gather(std::span<index const> rows, view<B> y) const { B::bf16_gather(w_.data(), cols_, rows, y); }

 private:
  index rows_ = 0, cols_ = 0;
  storage<bfloat16, runtime> w_;  // [out, in]
};

}  // namespace lancet::device
