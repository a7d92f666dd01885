// SPDX-License-Identifier: Apache-2.0
// From the residual after the last layer to logits: final norm, head, unembedding, cap; forward and adjoint side by
// side.
#pragma once

#include "lancet/hooks/hook_table.hpp"
#include "lancet/model/inner_norm.hpp"
#include "lancet/model/workspace.hpp"
#include "lancet/ops/linear.hpp"

namespace lancet {

// A firing is one line, so that the code-generation test can strip it.
// clang-format off

/// The part of a pass behind the layers; `where` is the place that its hooks are told.
template <class B, class Arch, class H>
struct read_out {
  transformer<B, Arch> const& model;
  H& hooks;
  workspace<B>& ws;
  place where;

  /// ws.readout.features() [M, D] of the chosen rows of ws.resid_last.
  void read(std::span<index const> rows) {
    Arch const& a = model.arch();
    readout_values<B>& r = ws.readout;
    for (index const row : rows)
      if (row < 0 || row >= ws.rows)
        fail_expected("forward", "row " + std::to_string(row) + " to read", "a row below the batch's " + std::to_string(ws.rows));
    r.rows.assign(rows.begin(), rows.end());
    where.rows = r.rows;
    index const m = std::ssize(r.rows);
    r.resid.resize(m, a.width);
    r.norm.resize(m, a.width);
    ops::gather_rows<B>(ws.resid_last, r.rows, r.resid.all());
    if (a.final_norm) {
      ops::norm_scale<B>(a.norm, r.resid, a.norm_epsilon, r.norm.mean.all(), r.norm.raw_scale.all());
      B::copy(r.norm.raw_scale, r.norm.scale.all());
      if constexpr (H::template lists<site::final_scale>) hooks.template fire<site::final_scale, B>(ws.keeps, r.norm.scale.all(), where);
      norm_weights<B> const& w = model.weights().final_norm;
      ops::norm_apply<B>(r.resid, r.norm.mean, r.norm.scale, w.weight, w.bias.empty() ? const_view<B>{} : w.bias.all(), r.norm.out.all());
    } else {
      B::copy(r.resid, r.norm.out.all());
    }
    r.features_are = readout_values<B>::last::norm;
    if (a.head == head_kind::dense) head(m);
    if constexpr (H::template lists<site::final>) hooks.template fire<site::final, B>(ws.keeps, r.features().all(), where);
  }

  /// ws.readout.logits [M, C] of the rows read.
  void logits() {
    Arch const& a = model.arch();
    readout_values<B>& r = ws.readout;
    where.rows = r.rows;
    r.logits.resize(std::ssize(r.rows), sizes<Arch>(a).outputs);
    tensor<B> const& bias = model.weights().unembedding_bias;
    ops::linear<B>(r.features(), model.weights().unembed(), bias.empty() ? const_view<B>{} : bias.all(), r.logits.all());
    if (a.logit_cap != 0) {
      using T = typename B::scalar;
      ops::scale<B>(static_cast<T>(1 / a.logit_cap), r.logits.all());
      r.uncapped.resize(r.logits.rows(), r.logits.cols());
      B::copy(r.logits, r.uncapped.all());
      ops::activation<B>(activation_kind::tanh, r.uncapped, {}, r.logits.all());
      ops::scale<B>(static_cast<T>(a.logit_cap), r.logits.all());
    }
    if constexpr (H::template lists<site::logits>) hooks.template fire<site::logits, B>(ws.keeps, r.logits.all(), where);
  }

  /// g_features [M, D] += from the gradient of the logits [M, C], which a hook on logits may change.
  void logits_adjoint(tensor<B>& g_logits, tensor<B>& g_features) {
    where.rows = ws.readout.rows;
    if constexpr (H::template lists_backward<site::logits>) hooks.template fire_adjoint<site::logits, B>(ws.keeps, g_logits.all(), where);
    if (model.arch().logit_cap != 0)
      ops::activation_adjoint<B>(activation_kind::tanh, g_logits, ws.readout.uncapped, {}, g_logits.all(), {});
    ops::linear_adjoint<B>(g_logits, model.weights().unembed(), g_features.all(), true);
  }

  /// ws.g_resid, the gradient of the residual after the last layer, from that of the features (changed): [M, D].
  void read_adjoint(tensor<B>& g) {
    Arch const& a = model.arch();
    readout_values<B>& r = ws.readout;
    ops::detail::same_shape("backward (g_final)", std::ssize(r.rows), a.width, g.rows(), g.cols());
    where.rows = r.rows;
    if constexpr (H::template lists_backward<site::final>) hooks.template fire_adjoint<site::final, B>(ws.keeps, g.all(), where);
    index const m = std::ssize(r.rows);
    ws.g_scale.resize(m, 1);
    ws.g_branch.resize(m, a.width);
    if (a.head == head_kind::dense) head_adjoint(g);
    if (a.final_norm) {
      ops::norm_apply_adjoint<B>(g, r.resid, r.norm.mean, r.norm.scale, model.weights().final_norm.weight, g.all(), ws.g_scale.all());
      if constexpr (H::template lists_backward<site::final_scale>) hooks.template fire_adjoint<site::final_scale, B>(ws.keeps, ws.g_scale.all(), where);
      ops::fill<B>(ws.g_branch.all(), 0);
      ops::norm_scale_adjoint<B>(a.norm, g, ws.g_scale, r.resid, r.norm.mean, r.norm.raw_scale, ws.g_branch.all());
    } else {
      B::copy(g, ws.g_branch.all());
    }
    ws.g_resid.resize(ws.rows, a.width);
    ops::fill<B>(ws.g_resid.all(), 0);
    ops::scatter_add_rows<B>(ws.g_branch, r.rows, ws.g_resid.all());
  }

 private:
  void head(index m) {
    Arch const& a = model.arch();
    model_weights<B> const& w = model.weights();
    readout_values<B>& r = ws.readout;
    r.head_pre.resize(m, a.width);
    r.head_post.resize(m, a.width);
    ops::linear<B>(r.norm.out, w.head.weight, w.head.bias_view(), r.head_pre.all());
    ops::activation<B>(a.head_activation, r.head_pre, {}, r.head_post.all());
    r.features_are = readout_values<B>::last::head;
    if (!a.head_norm) return;
    r.head_norm.resize(m, a.width);
    post_norm(a, r.head_post.all(), w.head_norm, r.head_norm_values, r.head_norm.all());
    r.features_are = readout_values<B>::last::head_norm;
  }

  /// g [M, D], the gradient of the features, becomes that of the head's input.
  void head_adjoint(tensor<B>& g) {
    Arch const& a = model.arch();
    model_weights<B> const& w = model.weights();
    readout_values<B>& r = ws.readout;
    if (a.head_norm) post_norm_adjoint(a, r.head_post.all(), w.head_norm, r.head_norm_values, g.all(), ws.g_scale.all(), ws.g_branch.all());
    ops::activation_adjoint<B>(a.head_activation, g, r.head_pre, {}, g.all(), {});
    ops::linear_adjoint<B>(g, w.head.weight, ws.g_branch.all());
    B::copy(ws.g_branch, g.all());
  }
};

}  // namespace lancet
