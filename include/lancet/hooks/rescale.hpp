// SPDX-License-Identifier: Apache-2.0
// rescale: a' = a + α·(γ∘a + β) at a site, a factor and a constant for every column.
//
// At a projection's output a = W·x + b with β = −γ∘b it scales the rows of W alone: the half of DoRA
// (Liu et al. 2024, eq. 5) that is no low-rank change. Fixed numbers: no gradient is collected.
#pragma once

#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

template <class B, class S>
class rescale {
  using T = typename B::scalar;

 public:
  using edits = sites<S>;

  /// γ and β start at zero.
  rescale(index layer, index columns)
      : layer_(layer), gamma_(1, columns), beta_(1, columns), factor_(1, columns) {}

  tensor<B>& gamma() { return gamma_; }              // [1, columns]
  tensor<B>& beta() { return beta_; }                // [1, columns]
  tensor<B> const& gamma() const { return gamma_; }  // [1, columns]
  tensor<B> const& beta() const { return beta_; }    // [1, columns]
  [[nodiscard]] index layer() const { return layer_; }
  double strength = 1;

  [[nodiscard]] layer_span layers() const { return {layer_, layer_}; }
  void on(S, view<B> value, place const&) {
    ops::scale_columns<B>(factor(), value);
    ops::add_row_vector<B>(static_cast<T>(strength), beta_, value);
  }
  void adjoint(S, view<B> g, place const&) { ops::scale_columns<B>(factor(), g); }

 private:
  /// 1 + α·γ [1, columns]
  [[nodiscard]] const_view<B> factor() {
    ops::fill<B>(factor_.all(), 1);
    ops::axpy<B>(static_cast<T>(strength), gamma_, factor_.all());
    return factor_;
  }

  index layer_;
  tensor<B> gamma_, beta_, factor_;
};

}  // namespace lancet
