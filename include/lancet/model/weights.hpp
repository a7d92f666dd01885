// SPDX-License-Identifier: Apache-2.0
// The parameters of a model, prepared for products at load, and what a loader fills them from.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lancet/model/architecture.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {

/// A norm's weight and bias; the bias is empty for RMSNorm.
template <class B>
struct norm_weights {
  tensor<B> weight;  // [1, D]
  tensor<B> bias;    // [1, D] or empty
};

/// A projection; products of one input lie stacked in one weight.
template <class B>
struct projection {
  typename B::weight weight;  // [out, in]
  tensor<B> bias;             // [1, out] or empty

  [[nodiscard]] const_view<B> bias_view() const { return bias.empty() ? const_view<B>{} : bias.all(); }
};

template <class B>
struct layer_weights {
  norm_weights<B> attn_norm;
  projection<B> qkv;  // [H·d + 2·G·d, D]: queries, keys, values
  projection<B> o;    // [D, H·d]
  norm_weights<B> mlp_norm;
  projection<B> mlp_in;  // gated [2·F, D]: gate, up; plain [F, D]
  projection<B> down;    // [D, F]
};

/// All parameters of a decoder. Loaders give [out, in] matrices in the Hugging Face order of heads and
/// rotation.
template <class B>
struct model_weights {
  typename B::weight embedding;  // [V, D]; also the unembedding when tied
  tensor<B> positions;           // [context, D] or empty
  std::vector<layer_weights<B>> layers;
  norm_weights<B> final_norm;
  std::unique_ptr<typename B::weight> unembedding;  // [V, D] unless tied

  [[nodiscard]] typename B::weight const& unembed() const { return unembedding ? *unembedding : embedding; }
};

/// Where a projection's rows lie in its stacked weight: W_Q, W_K, W_V in qkv; gate and up in mlp_in.
struct stacked_rows {
  index first;
  index count;
};

template <class Arch>
[[nodiscard]] stacked_rows rows_of(Arch const& a, proj p) {
  sizes<Arch> const n(a);
  switch (p) {
    case proj::q:
      return {0, n.q};
    case proj::k:
      return {n.q, n.kv};
    case proj::v:
      return {n.q + n.kv, n.kv};
    case proj::o:
      return {0, a.width};
    case proj::gate:
      return {0, a.mlp_width};
    case proj::up:
      return {a.mlp_width, a.mlp_width};
    case proj::down:
      return {0, a.width};
  }
  return {0, 0};
}

}  // namespace lancet
