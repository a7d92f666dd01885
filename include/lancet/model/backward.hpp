// SPDX-License-Identifier: Apache-2.0
// The backward pass: adjoints in reverse order of the forward pass, weights frozen, down to the lowest layer
// asked for.
//
// It reads the values that a forward pass with pass_kind::record left in the workspace, and costs one forward
// pass.
#pragma once

#include "lancet/model/forward.hpp"

namespace lancet {

// A firing is one line, so that the code-generation test can strip it.
// clang-format off

template <class B, class Arch, class H>
class backward_pass {
 public:
  backward_pass(transformer<B, Arch> const& model, H& hooks, workspace<B>& ws)
      : model_(model), arch_(model.arch()), hooks_(hooks), ws_(ws) {}

  /// From the gradient of the rows read, before or after this call through `logits` or directly: g_final [M, D].
  /// Leaves the gradient of the residual after the last layer in ws.g_resid.
  void read(tensor<B>& g_final) {
    if (ws_.kind != pass_kind::record)
      throw usage_error("backward: got a workspace of a forward pass that kept nothing, expected one of pass_kind::record");
    read_out<B, Arch, H>{model_, hooks_, ws_, at(arch_.layers)}.read_adjoint(g_final);
  }

  /// g_final [M, D] += from the gradient of the logits [M, C], which a hook on logits may change.
  void logits(tensor<B>& g_logits, tensor<B>& g_final) {
    read_out<B, Arch, H>{model_, hooks_, ws_, at(arch_.layers)}.logits_adjoint(g_logits, g_final);
  }

  /// One layer: ws.g_resid is the gradient of its output; becomes that of its resid_pre.
  void layer(index l) {
    layer_values<B>& v = ws_.layer(l);
    layer_weights<B> const& w = model_.weights().layers[static_cast<std::size_t>(l)];
    if constexpr (H::template lists_backward<site::resid_post>) hooks_.template fire_adjoint<site::resid_post, B>(ws_.keeps, ws_.g_resid.all(), at(l));
    ws_.g_branch.resize(ws_.rows, arch_.width);
    ws_.g_norm.resize(ws_.rows, arch_.width);
    ws_.g_scale.resize(ws_.rows, 1);
    if (norms_stream(arch_)) through_post_norm(v.post_sum, w.mlp_post_norm, v.mlp_post_norm, ws_.g_resid);
    if (arch_.residual == residual_kind::parallel) {
      ws_.g_out.resize(ws_.rows, arch_.width);
      B::copy(ws_.g_resid, ws_.g_out.all());
    }
    mlp_block(l, v, w);
    if constexpr (H::template lists_backward<site::resid_mid>) if (arch_.residual == residual_kind::serial) hooks_.template fire_adjoint<site::resid_mid, B>(ws_.keeps, ws_.g_resid.all(), at(l));
    if (norms_stream(arch_)) through_post_norm(v.mid_sum, w.attn_post_norm, v.attn_post, ws_.g_resid);
    attention_block(l, v, w);
    if constexpr (H::template lists_backward<site::resid_pre>) hooks_.template fire_adjoint<site::resid_pre, B>(ws_.keeps, ws_.g_resid.all(), at(l));
  }

  /// After layer 0: the gradient at the embedding, before positions were added.
  void embed() {
    if (arch_.embedding_norm) through_post_norm(ws_.embed_sum, model_.weights().embedding_norm, ws_.embed_norm, ws_.g_resid);
    if constexpr (H::template lists_backward<site::embed>) hooks_.template fire_adjoint<site::embed, B>(ws_.keeps, ws_.g_resid.all(), at(0));
  }

  void end() { hooks_.end(pass_kind::backward); }

 private:
  void mlp_block(index l, layer_values<B>& v, layer_weights<B> const& w) {
    bool const gated = arch_.mlp == mlp_kind::gated;
    B::copy(ws_.g_resid, ws_.g_branch.all());  // mlp_out
    if constexpr (H::template lists_backward<site::mlp_out>) hooks_.template fire_adjoint<site::mlp_out, B>(ws_.keeps, ws_.g_branch.all(), at(l));
    if (norms_output(arch_)) through_post_norm(v.mlp_sum, w.mlp_post_norm, v.mlp_post_norm, ws_.g_branch);
    if constexpr (H::template lists_backward<site::mlp_sum>) hooks_.template fire_adjoint<site::mlp_sum, B>(ws_.keeps, ws_.g_branch.all(), at(l));
    ws_.g_post.resize(ws_.rows, arch_.mlp_width);
    ops::linear_adjoint<B>(ws_.g_branch, w.down.weight, ws_.g_post.all());
    if constexpr (H::template lists_backward<site::linear<proj::down>>) hooks_.template fire_linear_adjoint<site::linear<proj::down>, B>(v.mlp_post, ws_.g_post.all(), ws_.g_branch, at(l));
    if constexpr (H::template lists_backward<site::mlp_post>) hooks_.template fire_adjoint<site::mlp_post, B>(ws_.keeps, ws_.g_post.all(), at(l));

    sizes<Arch> const n(arch_);
    ws_.g_mlp.resize(ws_.rows, n.mlp_in);
    view<B> const gate = v.mlp_pre.all().col_range(0, arch_.mlp_width);                                     // [R, F]
    view<B> const up = gated ? v.mlp_pre.all().col_range(arch_.mlp_width, arch_.mlp_width) : view<B>{};     // [R, F]
    view<B> const g_gate = ws_.g_mlp.all().col_range(0, arch_.mlp_width);                                   // [R, F]
    view<B> const g_up = gated ? ws_.g_mlp.all().col_range(arch_.mlp_width, arch_.mlp_width) : view<B>{};   // [R, F]
    ops::activation_adjoint<B>(arch_.activation, ws_.g_post, gate, up, g_gate, g_up);
    if constexpr (H::template lists_backward<site::mlp_up>) if (gated) hooks_.template fire_adjoint<site::mlp_up, B>(ws_.keeps, g_up, at(l));
    if constexpr (H::template lists_backward<site::mlp_pre>) hooks_.template fire_adjoint<site::mlp_pre, B>(ws_.keeps, g_gate, at(l));
    ops::linear_adjoint<B>(ws_.g_mlp, w.mlp_in.weight, ws_.g_norm.all());
    [[maybe_unused]] const_view<B> const x = branch_input<site::mlp_in>(l, stream_of_mlp(arch_, v), v.mlp_in, v.mlp_norm);  // [R, D]
    if constexpr (H::template lists_backward<site::linear<proj::up>>) hooks_.template fire_linear_adjoint<site::linear<proj::up>, B>(x, ws_.g_norm.all(), gated ? g_up : g_gate, at(l));
    if constexpr (H::template lists_backward<site::linear<proj::gate>>) if (gated) hooks_.template fire_linear_adjoint<site::linear<proj::gate>, B>(x, ws_.g_norm.all(), g_gate, at(l));
    norm_adjoint<site::mlp_in, site::mlp_scale, site::mlp_norm>(l, stream_of_mlp(arch_, v), v.mlp_in, v.mlp_norm, w.mlp_norm);
  }

  void attention_block(index l, layer_values<B>& v, layer_weights<B> const& w) {
    sizes<Arch> const n(arch_);
    B::copy(arch_.residual == residual_kind::parallel ? ws_.g_out : ws_.g_resid, ws_.g_branch.all());  // attn_out
    if constexpr (H::template lists_backward<site::attn_out>) hooks_.template fire_adjoint<site::attn_out, B>(ws_.keeps, ws_.g_branch.all(), at(l));
    if (norms_output(arch_)) through_post_norm(v.attn_sum, w.attn_post_norm, v.attn_post, ws_.g_branch);
    if constexpr (H::template lists_backward<site::attn_sum>) hooks_.template fire_adjoint<site::attn_sum, B>(ws_.keeps, ws_.g_branch.all(), at(l));
    ws_.g_z.resize(ws_.rows, n.q);
    bool head_out = false;
    if constexpr (listened<H, site::head_out>) head_out = hooks_.template wants<site::head_out>(l);
    if (head_out) {
      ws_.g_wide.resize(ws_.rows, arch_.heads * arch_.width);
      for (index h = 0; h < arch_.heads; ++h) B::copy(ws_.g_branch, ws_.g_wide.all().col_range(h * arch_.width, arch_.width));
      if constexpr (H::template lists_backward<site::head_out>) hooks_.template fire_adjoint<site::head_out, B>(ws_.keeps, ws_.g_wide.all(), at(l));
      head_out_adjoint(arch_, w.o.weight, ws_.g_wide, ws_.g_z);
    } else {
      ops::linear_adjoint<B>(ws_.g_branch, w.o.weight, ws_.g_z.all());
    }
    if constexpr (H::template lists_backward<site::linear<proj::o>>) hooks_.template fire_linear_adjoint<site::linear<proj::o>, B>(v.z, ws_.g_z.all(), ws_.g_branch, at(l));
    if constexpr (H::template lists_backward<site::z>) hooks_.template fire_adjoint<site::z, B>(ws_.keeps, ws_.g_z.all(), at(l));

    ws_.g_qkv.resize(ws_.rows, n.qkv);
    ops::fill<B>(ws_.g_qkv.all(), 0);
    attention_adjoint(l, v);
    view<B> const gq = ws_.g_qkv.all().col_range(0, n.q);              // [R, H·d]
    view<B> const gk = ws_.g_qkv.all().col_range(n.q, n.kv);           // [R, G·d]
    view<B> const gv = ws_.g_qkv.all().col_range(n.q + n.kv, n.kv);    // [R, G·d]
    if constexpr (H::template lists_backward<site::rot_k>) hooks_.template fire_adjoint<site::rot_k, B>(ws_.keeps, gk, at(l));
    if constexpr (H::template lists_backward<site::rot_q>) hooks_.template fire_adjoint<site::rot_q, B>(ws_.keeps, gq, at(l));
    if (arch_.positions == position_kind::rope)
      ops::rope<B>(has_local_rope(arch_, l) ? ws_.local_rope : ws_.rope, ops::turn::backward, arch_.head_dim, ws_.g_qkv.all().col_range(0, n.q + n.kv));
    if (arch_.qk_norm != qk_norm_kind::none) {
      qk_norm_adjoint(arch_, gk, w.k_norm, v.k_norm, ws_);
      qk_norm_adjoint(arch_, gq, w.q_norm, v.q_norm, ws_);
    }
    if constexpr (H::template lists_backward<site::v>) hooks_.template fire_adjoint<site::v, B>(ws_.keeps, gv, at(l));
    if constexpr (H::template lists_backward<site::k>) hooks_.template fire_adjoint<site::k, B>(ws_.keeps, gk, at(l));
    if constexpr (H::template lists_backward<site::q>) hooks_.template fire_adjoint<site::q, B>(ws_.keeps, gq, at(l));

    if (split_inputs_wanted<H>(hooks_, l)) {
      split_inputs<B, Arch, H>{arch_, hooks_, ws_}.backward(l, v, w, at(l));
      return;
    }
    ops::linear_adjoint<B>(ws_.g_qkv, w.qkv.weight, ws_.g_norm.all());
    [[maybe_unused]] const_view<B> const x = branch_input<site::attn_in>(l, v.resid_pre, v.attn_in, v.attn_norm);  // [R, D]
    if constexpr (H::template lists_backward<site::linear<proj::v>>) hooks_.template fire_linear_adjoint<site::linear<proj::v>, B>(x, ws_.g_norm.all(), gv, at(l));
    if constexpr (H::template lists_backward<site::linear<proj::k>>) hooks_.template fire_linear_adjoint<site::linear<proj::k>, B>(x, ws_.g_norm.all(), gk, at(l));
    if constexpr (H::template lists_backward<site::linear<proj::q>>) hooks_.template fire_linear_adjoint<site::linear<proj::q>, B>(x, ws_.g_norm.all(), gq, at(l));
    norm_adjoint<site::attn_in, site::attn_scale, site::attn_norm>(l, v.resid_pre, v.attn_in, v.attn_norm, w.attn_norm);
  }

  /// What a branch's first projection read.
  template <class In>
  const_view<B> branch_input(index l, tensor<B>& residual, tensor<B>& own_input, norm_values<B>& values) {
    if (norms_input(arch_)) return values.out;
    if constexpr (listened<H, In>)
      if (hooks_.template wants<In>(l)) return own_input;
    return residual;
  }

  void through_post_norm(tensor<B> const& in, norm_weights<B> const& w, post_norm_values<B> const& values, tensor<B>& g) {
    post_norm_adjoint(arch_, in.all(), w, values, g.all(), ws_.g_scale.all(), ws_.g_norm.all());
  }

  /// g_resid += the gradient through one branch's norm, from ws.g_norm.
  template <class In, class Scale, class Norm>
  void norm_adjoint(index l, tensor<B>& residual, tensor<B>& own_input, norm_values<B>& values, norm_weights<B> const& w) {
    bool own = false;
    if constexpr (listened<H, In>) own = hooks_.template wants<In>(l);
    if (!norms_input(arch_)) {
      if constexpr (H::template lists_backward<In>) if (own) hooks_.template fire_adjoint<In, B>(ws_.keeps, ws_.g_norm.all(), at(l));
      ops::axpy<B>(1, ws_.g_norm, ws_.g_resid.all());
      return;
    }
    if constexpr (H::template lists_backward<Norm>) hooks_.template fire_adjoint<Norm, B>(ws_.keeps, ws_.g_norm.all(), at(l));
    const_view<B> const in = own ? own_input.all() : residual.all();
    ops::norm_apply_adjoint<B>(ws_.g_norm, in, values.mean, values.scale, w.weight, ws_.g_norm.all(), ws_.g_scale.all());
    if constexpr (H::template lists_backward<Scale>) hooks_.template fire_adjoint<Scale, B>(ws_.keeps, ws_.g_scale.all(), at(l));
    if (!own) {
      ops::norm_scale_adjoint<B>(arch_.norm, ws_.g_norm, ws_.g_scale, in, values.mean, values.raw_scale, ws_.g_resid.all());
      return;
    }
    ops::fill<B>(ws_.g_branch.all(), 0);
    ops::norm_scale_adjoint<B>(arch_.norm, ws_.g_norm, ws_.g_scale, in, values.mean, values.raw_scale, ws_.g_branch.all());
    if constexpr (H::template lists_backward<In>) hooks_.template fire_adjoint<In, B>(ws_.keeps, ws_.g_branch.all(), at(l));
    ops::axpy<B>(1, ws_.g_branch, ws_.g_resid.all());
  }

  void attention_adjoint(index l, layer_values<B>& v) {
    sizes<Arch> const n(arch_);
    attention_shape const shape = attention_shape_of(arch_, l);
    ws_.parts.clear();
    ws_.part_gradients.clear();
    for (segment const& s : ws_.segments) {
      const_view<B> const rows = v.qkv.all().row_range(s.row, s.rows);
      view<B> const g = ws_.g_qkv.all().row_range(s.row, s.rows);
      const_view<B> before_k{}, before_v{};
      if (s.prefix >= 0) {
        auto const& cached = ws_.prefixes[static_cast<std::size_t>(s.prefix)]->layers[static_cast<std::size_t>(l)];
        before_k = cached.keys.all().row_range(0, s.first_position);
        before_v = cached.values.all().row_range(0, s.first_position);
      }
      ws_.parts.push_back({rows.col_range(0, n.q), {before_k, rows.col_range(n.q, n.kv)}, {before_v, rows.col_range(n.q + n.kv, n.kv)}, v.z.all().row_range(s.row, s.rows)});
      ws_.part_gradients.push_back({ws_.g_z.all().row_range(s.row, s.rows), g.col_range(0, n.q), g.col_range(n.q, n.kv), g.col_range(n.q + n.kv, n.kv)});
    }
    bool patterns = false;
    if constexpr (listened<H, site::scores> || listened<H, site::pattern>)
      patterns = hooks_.template wants<site::scores>(l) || hooks_.template wants<site::pattern>(l);
    if (!patterns) {
      ops::attention_adjoint<B>(shape, ws_.parts, ws_.part_gradients);
      return;
    }
    for (std::size_t i = ws_.segments.size(); i-- > 0;) {
      pattern_values<B> const& p = v.patterns[i];
      place where = at(l);
      where.segment = static_cast<index>(i);
      g_pattern_.resize(p.pattern.rows(), p.pattern.cols());
      ops::attention_mix_adjoint<B>(shape, ws_.part_gradients[i].gz, p.pattern, ws_.parts[i].values, g_pattern_.all(), ws_.part_gradients[i].gv);
      if constexpr (H::template lists_backward<site::pattern>) hooks_.template fire_adjoint<site::pattern, B>(ws_.keeps, g_pattern_.all(), where);
      ops::softmax_adjoint<B>(p.softmax, g_pattern_.all());
      if constexpr (H::template lists_backward<site::scores>) hooks_.template fire_adjoint<site::scores, B>(ws_.keeps, g_pattern_.all(), where);
      ops::attention_scores_adjoint<B>(shape, g_pattern_, ws_.parts[i].q, ws_.parts[i].keys, ws_.part_gradients[i].gq, ws_.part_gradients[i].gk);
    }
  }

  [[nodiscard]] place at(index l) const { return {l, ws_.segments, -1, pass_kind::backward, {}}; }

  transformer<B, Arch> const& model_;
  Arch const& arch_;
  H& hooks_;
  workspace<B>& ws_;
  tensor<B> g_pattern_;
};

}  // namespace lancet
