// SPDX-License-Identifier: Apache-2.0
// low_rank: W' = W + α·s·B·A confined to columns of one projection's input (heads of W_O, neurons of W_down).
//
// Hu et al. 2021 (LoRA): y += α·s·(x·Aᵀ)·Bᵀ with A [r, c], B [out, r] on the chosen c columns of x. α is the
// surgery's strength (1 in training), s the adapter's own scale (PEFT's lora_alpha / r).
#pragma once

#include <vector>

#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

template <class B, proj P>
class low_rank {
  using T = typename B::scalar;

 public:
  using edits = sites<site::linear<P>>;

  /// `columns` of the projection's input, ascending. A and B start at zero: set them before use.
  low_rank(index layer, std::vector<index> columns, index out, index rank, double scale)
      : layer_(layer),
        columns_(std::move(columns)),
        scale_(scale),
        a_(rank, std::ssize(columns_)),
        b_(out, rank),
        ga_(rank, std::ssize(columns_)),
        gb_(out, rank) {
    for (std::size_t i = 1; i < columns_.size(); ++i)
      if (columns_[i] <= columns_[i - 1]) throw usage_error("low_rank: columns must be ascending");
    if (columns_.empty() || rank < 1)
      throw usage_error("low_rank: got no columns or no rank, expected at least one each");
  }

  tensor<B>& a() { return a_; }  // [r, c]
  tensor<B>& b() { return b_; }  // [out, r]
  tensor<B> const& a() const { return a_; }
  tensor<B> const& b() const { return b_; }
  tensor<B>& gradient_a() { return ga_; }  // added to by every backward pass
  tensor<B>& gradient_b() { return gb_; }
  [[nodiscard]] index layer() const { return layer_; }
  [[nodiscard]] std::vector<index> const& columns() const { return columns_; }
  [[nodiscard]] double scale() const { return scale_; }
  double strength = 1;

  [[nodiscard]] layer_span layers() const { return {layer_, layer_}; }
  void bind(pass_shape const& shape) const {
    index const width = P == proj::o      ? shape.heads * shape.head_dim
                        : P == proj::down ? shape.mlp_width
                                          : shape.width;
    if (columns_.back() >= width)
      fail_expected("low_rank", "column " + std::to_string(columns_.back()),
                    "a column below the projection's input width " + std::to_string(width));
  }

  void on(site::linear<P>, const_view<B> x, view<B> y, place const&) {
    const_view<B> const part = chosen(x);  // [R, c]
    h_.resize(x.rows, a_.rows());
    ops::matmul<B>(part, ops::transpose::no, a_, ops::transpose::yes, h_.all());  // [R, r]
    ops::scale<B>(factor(), h_.all());
    ops::matmul<B>(h_, ops::transpose::no, b_, ops::transpose::yes, y, true);  // [R, out]
  }

  void adjoint(site::linear<P>, const_view<B> x, view<B> gx, const_view<B> gy, place const&) {
    const_view<B> const part = chosen(x);  // [R, c]
    h_.resize(x.rows, a_.rows());
    ops::matmul<B>(part, ops::transpose::no, a_, ops::transpose::yes, h_.all());  // [R, r]
    ops::scale<B>(factor(), h_.all());
    ops::matmul<B>(gy, ops::transpose::yes, h_, ops::transpose::no, gb_.all(), true);  // [out, r]
    gh_.resize(x.rows, a_.rows());
    ops::matmul<B>(gy, ops::transpose::no, b_, ops::transpose::no, gh_.all());  // [R, r]
    ops::scale<B>(factor(), gh_.all());
    ops::matmul<B>(gh_, ops::transpose::yes, part, ops::transpose::no, ga_.all(), true);  // [r, c]
    if (contiguous()) {
      ops::matmul<B>(gh_, ops::transpose::no, a_, ops::transpose::no,
                     gx.col_range(columns_.front(), std::ssize(columns_)), true);
    } else {
      gpart_.resize(x.rows, std::ssize(columns_));
      ops::matmul<B>(gh_, ops::transpose::no, a_, ops::transpose::no, gpart_.all());  // [R, c]
      for (index j = 0; j < std::ssize(columns_); ++j)
        ops::axpy<B>(1, gpart_.all().col_range(j, 1), gx.col_range(columns_[static_cast<std::size_t>(j)], 1));
    }
  }

  /// The chosen columns of x [R, c], as a window where they are contiguous, copied otherwise (valid until the
  /// next call).
  [[nodiscard]] const_view<B> chosen(const_view<B> x) {
    index const count = std::ssize(columns_);
    if (contiguous()) return x.col_range(columns_.front(), count);
    part_.resize(x.rows, count);
    for (index j = 0; j < count; ++j)
      B::copy(x.col_range(columns_[static_cast<std::size_t>(j)], 1), part_.all().col_range(j, 1));
    return part_;
  }

 private:
  [[nodiscard]] bool contiguous() const {
    return columns_.back() - columns_.front() + 1 == std::ssize(columns_);
  }
  [[nodiscard]] T factor() const { return static_cast<T>(strength * scale_); }

  index layer_;
  std::vector<index> columns_;
  double scale_;
  tensor<B> a_, b_, ga_, gb_;
  tensor<B> h_, gh_, part_, gpart_;
};

}  // namespace lancet
