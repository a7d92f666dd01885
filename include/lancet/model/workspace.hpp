// SPDX-License-Identifier: Apache-2.0
// The memory of a pass: values of each layer that the adjoints need, and scratch; reused from pass to pass.
#pragma once

#include <algorithm>
#include <vector>

#include "lancet/hooks/keep.hpp"
#include "lancet/model/transformer.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/rope.hpp"

namespace lancet {

/// Values of one norm: its divisor before any hook, and the mean (0 for RMSNorm).
template <class B>
struct norm_values {
  tensor<B> mean;       // [R, 1]
  tensor<B> raw_scale;  // [R, 1] before hooks
  tensor<B> scale;      // [R, 1]
  tensor<B> out;        // [R, D]

  void resize(index rows, index width) {
    mean.resize(rows, 1);
    raw_scale.resize(rows, 1);
    scale.resize(rows, 1);
    out.resize(rows, width);
  }
};

/// The same of a norm whose output is kept elsewhere, and which no hook looks into.
template <class B>
struct post_norm_values {
  tensor<B> mean;   // [R, 1]
  tensor<B> scale;  // [R, 1]
};

/// What the norm of queries or keys leaves for its adjoint: a row of it is one head, or all heads.
template <class B>
struct qk_norm_values {
  tensor<B> in;     // [R, columns]
  tensor<B> mean;   // [R·(heads or 1), 1]
  tensor<B> scale;  // [R·(heads or 1), 1]
  tensor<B> out;    // [R, columns]
};

/// Attention weights of one segment, kept only where a hook asks for scores or pattern.
template <class B>
struct pattern_values {
  tensor<B> softmax;  // [H·n, K] before the pattern's hooks
  tensor<B> pattern;  // [H·n, K] after them
};

/// Everything that one layer's adjoints read. Hooked sites hold their value after the hooks.
template <class B>
struct layer_values {
  tensor<B> resid_pre;  // [R, D]
  tensor<B> attn_in;    // [R, D] where hooked; resid_pre otherwise
  tensor<B> split_in;   // [R, (H + 2·G)·D] where q_in, k_in or v_in is hooked
  norm_values<B> attn_norm;
  norm_values<B> split_norm;  // of each head's input, heads one after the other: [R·(H + 2·G), …]
  qk_norm_values<B> q_norm, k_norm;
  tensor<B> qkv;       // [R, H·d + 2·G·d] after rotation
  tensor<B> z;         // [R, H·d]
  tensor<B> head_out;  // [R, H·D] where hooked
  tensor<B> attn_sum;  // [R, D] where a norm follows; attn_out otherwise
  post_norm_values<B> attn_post;
  tensor<B> attn_out;                       // [R, D]
  std::vector<pattern_values<B>> patterns;  // one a segment where hooked
  tensor<B> mid_sum;                        // [R, D] where a norm stands on the stream; resid_mid otherwise
  tensor<B> resid_mid;                      // [R, D]
  tensor<B> mlp_in;                         // [R, D] where hooked; resid_mid otherwise
  norm_values<B> mlp_norm;
  tensor<B> mlp_pre;   // [R, 2·F] gate and up; [R, F] plain
  tensor<B> mlp_post;  // [R, F]
  tensor<B> mlp_sum;   // [R, D] where a norm follows; mlp_out otherwise
  post_norm_values<B> mlp_post_norm;
  tensor<B> mlp_out;   // [R, D]
  tensor<B> post_sum;  // [R, D] where a norm stands on the stream; the next resid_pre otherwise

  template <class Arch>
  void resize(Arch const& a, index rows) {
    sizes<Arch> const n(a);
    resid_pre.resize(rows, a.width);
    if (norms_input(a)) attn_norm.resize(rows, a.width);
    qkv.resize(rows, n.qkv);
    z.resize(rows, n.q);
    attn_out.resize(rows, a.width);
    if (a.residual == residual_kind::serial) resid_mid.resize(rows, a.width);
    if (norms_input(a)) mlp_norm.resize(rows, a.width);
    mlp_pre.resize(rows, n.mlp_in);
    mlp_post.resize(rows, a.mlp_width);
    mlp_out.resize(rows, a.width);
    for (tensor<B>* const t : {&attn_sum, &mlp_sum})
      if (norms_output(a)) t->resize(rows, a.width);
    for (tensor<B>* const t : {&mid_sum, &post_sum})
      if (norms_stream(a)) t->resize(rows, a.width);
  }
};

/// The residual that the MLP reads: after attention's write, or the block's input where the two run in parallel.
template <class Arch, class B>
[[nodiscard]] tensor<B>& stream_of_mlp(Arch const& a, layer_values<B>& v) {
  return a.residual == residual_kind::parallel ? v.resid_pre : v.resid_mid;
}

/// Rows that are read out after the last layer.
template <class B>
struct readout_values {
  std::vector<index> rows;  // M rows of the batch
  tensor<B> resid;          // [M, D] before the final norm
  norm_values<B> norm;      // norm.out [M, D]; equals resid where there is no final norm
  tensor<B> head_pre;       // [M, D] where there is a head: W·norm.out + b
  tensor<B> head_post;      // [M, D] its activation
  tensor<B> head_norm;      // [M, D] where the head has one
  post_norm_values<B> head_norm_values;
  tensor<B> logits;    // [M, C] where asked for
  tensor<B> uncapped;  // [M, C] logits / cap before the cap, where there is one
  enum class last { norm, head, head_norm } features_are = last::norm;

  /// What the unembedding reads: [M, D].
  [[nodiscard]] tensor<B>& features() {
    return features_are == last::norm ? norm.out : features_are == last::head ? head_post : head_norm;
  }
};

/// The memory of passes over one model. One workspace serves one pass at a time; give each thread its own.
template <class B>
struct workspace {
  std::vector<segment> segments;
  std::vector<std::shared_ptr<kv_cache<B> const>> prefixes;
  std::vector<index> positions;  // of each row
  rope_table<B> rope, local_rope;
  tensor<B> embed_sum;  // [R, D] before the embeddings' norm
  post_norm_values<B> embed_norm;
  pass_kind kind = pass_kind::forward;  // of the pass that filled it
  index rows = 0;

  /// Layer l's values: its own when it is differentiated, a shared slot otherwise.
  [[nodiscard]] layer_values<B>& layer(index l) {
    return values[static_cast<std::size_t>(l >= first_kept ? l - first_kept + 1 : 0)];
  }
  std::vector<layer_values<B>> values;  // slot 0 is shared by layers below first_kept
  index first_kept = 0;
  tensor<B> resid_last;  // [R, D] residual after the last layer
  readout_values<B> readout;
  keep_store<B> keeps;

  // Backward scratch.
  tensor<B> g_resid;   // [R, D]
  tensor<B> g_out;     // [R, D] gradient of the layer's output, where both branches need it
  tensor<B> g_branch;  // [R, D] gradient of a branch's output, then of its input
  tensor<B> g_norm;    // [R, D]
  tensor<B> g_scale;   // [R, 1]
  tensor<B> g_qkv;     // [R, H·d + 2·G·d]
  tensor<B> g_heads;   // [R, H·d] or [R, G·d], after and before the norm of queries and keys
  tensor<B> g_heads_in;
  tensor<B> g_heads_scale;
  tensor<B> g_z;     // [R, H·d]
  tensor<B> g_wide;  // [R, H·D] or [R, (H + 2·G)·D] where head_out or split inputs are hooked
  tensor<B> g_mlp;   // [R, 2·F] or [R, F]
  tensor<B> g_post;  // [R, F]
  std::vector<ops::attention_part<B>> parts;
  std::vector<ops::attention_gradient<B>> part_gradients;
};

}  // namespace lancet
