// SPDX-License-Identifier: Apache-2.0
// The parameters of a model, prepared for products at load, and what a loader fills them from.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lancet/core/executor.hpp"
#include "lancet/model/architecture.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {

/// A norm's weight and bias; the bias is empty for RMSNorm, both where there is no norm.
template <class B>
struct norm_weights {
  tensor<B> weight;  // [1, D]
  tensor<B> bias;    // [1, D] or empty
};

/// A prepared weight [out, in] from its rows, without a copy of the whole where the backend's weight can.
template <class B>
[[nodiscard]] typename B::weight make_weight(index out, index in,
                                             row_source<typename B::scalar> const& rows) {
  if constexpr (std::is_constructible_v<typename B::weight, index, index, row_source<typename B::scalar>>) {
    return typename B::weight(out, in, rows);
  } else {
    std::vector<typename B::scalar> host(static_cast<std::size_t>(out * in));
    parallel_for((out + 63) / 64, [&](index block) {
      rows(block * 64, std::min<index>(64, out - block * 64), host.data() + block * 64 * in);
    });
    tensor<B> w(out, in);
    B::upload(host.data(), w.all());
    return typename B::weight(w.all());
  }
}

/// A projection; products of one input lie stacked in one weight.
template <class B>
struct projection {
  typename B::weight weight;  // [out, in]
  tensor<B> bias;             // [1, out] or empty

  [[nodiscard]] const_view<B> bias_view() const { return bias.empty() ? const_view<B>{} : bias.all(); }
};

/// Norms that the architecture does not have stay empty. A norm on the stream is the branch's post_norm.
template <class B>
struct layer_weights {
  norm_weights<B> attn_norm;
  projection<B> qkv;       // [H·d + 2·G·d, D]: queries, keys, values
  norm_weights<B> q_norm;  // of a head [1, d], or of all [1, H·d]
  norm_weights<B> k_norm;  // [1, d] or [1, G·d]
  projection<B> o;         // [D, H·d]
  norm_weights<B> attn_post_norm;
  norm_weights<B> mlp_norm;
  projection<B> mlp_in;  // gated [2·F, D]: gate, up; plain [F, D]
  projection<B> down;    // [D, F]
  norm_weights<B> mlp_post_norm;
};

/// All parameters of a model. Loaders give [out, in] matrices in the Hugging Face order of heads and
/// rotation.
template <class B>
struct model_weights {
  typename B::weight embedding;  // [V, D]; also the unembedding when tied
  tensor<B> positions;           // [context, D] or empty
  tensor<B> token_types;         // [types, D] or empty
  norm_weights<B> embedding_norm;
  std::vector<layer_weights<B>> layers;
  norm_weights<B> final_norm;
  projection<B> head;  // [D, D] where head_kind is dense
  norm_weights<B> head_norm;
  std::unique_ptr<typename B::weight> unembedding;  // [C, D] unless tied
  tensor<B> unembedding_bias;                       // [1, C] or empty

  [[nodiscard]] typename B::weight const& unembed() const { return unembedding ? *unembedding : embedding; }
};

/// Numbers that a model consists of.
template <class B>
[[nodiscard]] index parameter_count(model_weights<B> const& m) {
  index count = 0;
  auto const add = [&](tensor<B> const& t) { count += t.rows() * t.cols(); };
  auto const norm = [&](norm_weights<B> const& n) { add(n.weight), add(n.bias); };
  auto const weight = [&](typename B::weight const& w) { count += w.out() * w.in(); };
  auto const project = [&](projection<B> const& p) { weight(p.weight), add(p.bias); };
  weight(m.embedding);
  if (m.unembedding) weight(*m.unembedding);
  for (tensor<B> const* const t : {&m.positions, &m.token_types, &m.unembedding_bias}) add(*t);
  for (norm_weights<B> const* const n : {&m.embedding_norm, &m.final_norm, &m.head_norm}) norm(*n);
  project(m.head);
  for (layer_weights<B> const& l : m.layers) {
    for (projection<B> const* const p : {&l.qkv, &l.o, &l.mlp_in, &l.down}) project(*p);
    for (norm_weights<B> const* const n :
         {&l.attn_norm, &l.q_norm, &l.k_norm, &l.attn_post_norm, &l.mlp_norm, &l.mlp_post_norm})
      norm(*n);
  }
  return count;
}

/// Where a projection's rows lie in its stacked weight: W_Q, W_K, W_V in qkv; gate and up in mlp_in, of which a
/// plain MLP has one, whichever it is called.
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
      return {a.mlp == mlp_kind::plain ? 0 : a.mlp_width, a.mlp_width};
    case proj::down:
      return {0, a.width};
  }
  return {0, 0};
}

}  // namespace lancet
