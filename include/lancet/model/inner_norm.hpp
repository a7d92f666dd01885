// SPDX-License-Identifier: Apache-2.0
// Norms inside a pass: of queries and keys before rotation, and those after a branch or on the stream; forward and
// adjoint side by side.
//
// They stand where no hook listens, so that they are one step; the norms that hooks may cut are the pass' own.
#pragma once

#include "lancet/model/workspace.hpp"

namespace lancet {

/// out = norm(in), [R, D] both; keeps what the adjoint reads.
template <class B, class Arch>
void post_norm(Arch const& a, ops::in<B> in, norm_weights<B> const& w, post_norm_values<B>& values,
               view<B> out) {
  values.mean.resize(in.rows, 1);
  values.scale.resize(in.rows, 1);
  ops::norm_scale<B>(a.norm, in, a.norm_epsilon, values.mean.all(), values.scale.all());
  ops::norm_apply<B>(in, values.mean, values.scale, w.weight, w.bias.empty() ? const_view<B>{} : w.bias.all(),
                     out);
}

/// g, the gradient of the norm's output, becomes that of its input [R, D]. `spare` is [R, D].
template <class B, class Arch>
void post_norm_adjoint(Arch const& a, ops::in<B> in, norm_weights<B> const& w,
                       post_norm_values<B> const& values, view<B> g, view<B> g_scale, view<B> spare) {
  ops::norm_apply_adjoint<B>(g, in, values.mean, values.scale, w.weight, g, g_scale);
  ops::fill<B>(spare, 0);
  ops::norm_scale_adjoint<B>(a.norm, g, g_scale, in, values.mean, values.scale, spare);
  B::copy(spare, g);
}

namespace detail {
/// [R, columns] seen as [R·columns / unit, unit].
template <class B>
[[nodiscard]] view<B> rows_of_units(tensor<B>& x, index unit) {
  return {x.all().data, x.rows() * x.cols() / unit, unit, unit};
}
}  // namespace detail

/// Queries or keys normed in place: x [R, columns].
template <class B, class Arch>
void qk_norm(Arch const& a, view<B> x, norm_weights<B> const& w, qk_norm_values<B>& values) {
  index const unit = a.qk_norm == qk_norm_kind::head ? a.head_dim : x.cols, rows = x.rows * x.cols / unit;
  values.in.resize(x.rows, x.cols);
  values.out.resize(x.rows, x.cols);
  values.mean.resize(rows, 1);
  values.scale.resize(rows, 1);
  B::copy(x, values.in.all());
  view<B> const in = detail::rows_of_units(values.in, unit);
  ops::norm_scale<B>(a.norm, in, a.norm_epsilon, values.mean.all(), values.scale.all());
  ops::norm_apply<B>(in, values.mean, values.scale, w.weight, w.bias.empty() ? const_view<B>{} : w.bias.all(),
                     detail::rows_of_units(values.out, unit));
  B::copy(values.out, x);
}

/// g, the gradient of what `qk_norm` made, becomes that of what it got.
template <class B, class Arch>
void qk_norm_adjoint(Arch const& a, view<B> g, norm_weights<B> const& w, qk_norm_values<B>& values,
                     workspace<B>& ws) {
  index const unit = a.qk_norm == qk_norm_kind::head ? a.head_dim : g.cols;
  ws.g_heads.resize(g.rows, g.cols);
  ws.g_heads_in.resize(g.rows, g.cols);
  ws.g_heads_scale.resize(g.rows * g.cols / unit, 1);
  B::copy(g, ws.g_heads.all());
  ops::fill<B>(ws.g_heads_in.all(), 0);
  view<B> const out = detail::rows_of_units(ws.g_heads, unit), in = detail::rows_of_units(values.in, unit);
  ops::norm_apply_adjoint<B>(out, in, values.mean, values.scale, w.weight, out, ws.g_heads_scale.all());
  ops::norm_scale_adjoint<B>(a.norm, out, ws.g_heads_scale, in, values.mean, values.scale,
                             detail::rows_of_units(ws.g_heads_in, unit));
  B::copy(ws.g_heads_in, g);
}

}  // namespace lancet
