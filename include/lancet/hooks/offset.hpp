// SPDX-License-Identifier: Apache-2.0
// offset: a' = a + α·δ on chosen columns of a site; δ is learned, and its gradient collected on the way back.
#pragma once

#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// Adds strength·delta to columns [first, first + |delta|) of every row at site S of one layer.
template <class B, class S>
class offset {
 public:
  using edits = sites<S>;

  offset(index layer, index first_column, index columns)
      : layer_(layer), first_(first_column), delta_(1, columns), gradient_(1, columns) {}

  tensor<B>& delta() { return delta_; }              // [1, columns]
  tensor<B> const& delta() const { return delta_; }  // [1, columns]
  tensor<B>& gradient() { return gradient_; }        // [1, columns], added to by every backward pass
  [[nodiscard]] index layer() const { return layer_; }
  [[nodiscard]] index first_column() const { return first_; }
  double strength = 1;

  [[nodiscard]] layer_span layers() const { return {layer_, layer_}; }
  void on(S, view<B> value, place const&) {
    ops::add_row_vector<B>(static_cast<typename B::scalar>(strength), delta_,
                           value.col_range(first_, delta_.cols()));
  }
  void adjoint(S, view<B> g, place const&) {
    ops::column_sum<B>(static_cast<typename B::scalar>(strength), g.col_range(first_, delta_.cols()),
                       gradient_.all());
  }

 private:
  index layer_;
  index first_;
  tensor<B> delta_;
  tensor<B> gradient_;
};

}  // namespace lancet
