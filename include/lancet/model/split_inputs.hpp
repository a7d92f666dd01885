// SPDX-License-Identifier: Apache-2.0
// The costly sites: q_in, k_in, v_in (each head reads its own copy of the residual) and head_out (each head's
// write).
//
// They are made only in layers where a hook asks for them; nothing here is on the path of other passes.
#pragma once

#include <numeric>

#include "lancet/hooks/hook_table.hpp"
#include "lancet/model/workspace.hpp"

namespace lancet {

template <class H>
[[nodiscard]] bool split_inputs_wanted(H& hooks, index l) {
  if constexpr (listened<H, site::q_in> || listened<H, site::k_in> || listened<H, site::v_in>)
    return hooks.template wants<site::q_in>(l) || hooks.template wants<site::k_in>(l) ||
           hooks.template wants<site::v_in>(l);
  return false;
}

/// Where heads read their own inputs there is no common input, norm or projection to hook.
template <class H>
void refuse_split_conflicts(H& hooks, index layers) {
  for (index l = 0; l < layers; ++l) {
    if (!split_inputs_wanted(hooks, l)) continue;
    [&]<class... S>(sites<S...>) {
      (
          [&] {
            if constexpr (listened<H, S>)
              if (hooks.template wants<S>(l))
                throw usage_error("hooks: layer " + std::to_string(l) + ": site " + std::string(name(S::id)) +
                                  " cannot be hooked together with q_in, k_in or v_in, which replace it");
          }(),
          ...);
    }(sites<site::attn_in, site::attn_scale, site::attn_norm, site::linear<proj::q>, site::linear<proj::k>,
            site::linear<proj::v>>{});
  }
}

/// The first `count` rows of W from `first` on, unpacked: [count, in].
template <class B>
[[nodiscard]] tensor<B> weight_rows(typename B::weight const& w, index first, index count) {
  std::vector<index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), first);
  tensor<B> out(count, w.in());
  w.gather(rows, out);
  return out;
}

/// head_out[:, h·D …] = z_h·W_O[:, head h]ᵀ: z [R, H·d], out [R, H·D].
template <class B, class Arch>
void make_head_out(Arch const& a, typename B::weight const& w_o, tensor<B> const& z, tensor<B>& out) {
  tensor<B> const w = weight_rows<B>(w_o, 0, a.width);  // [D, H·d]
  out.resize(z.rows(), a.heads * a.width);
  for (index h = 0; h < a.heads; ++h)
    ops::matmul<B>(z.all().col_range(h * a.head_dim, a.head_dim), ops::transpose::no,
                   w.all().col_range(h * a.head_dim, a.head_dim), ops::transpose::yes,
                   out.all().col_range(h * a.width, a.width));
}

/// gz_h = g[:, h·D …]·W_O[:, head h]: g [R, H·D], gz [R, H·d].
template <class B, class Arch>
void head_out_adjoint(Arch const& a, typename B::weight const& w_o, tensor<B> const& g, tensor<B>& gz) {
  tensor<B> const w = weight_rows<B>(w_o, 0, a.width);  // [D, H·d]
  for (index h = 0; h < a.heads; ++h)
    ops::matmul<B>(g.all().col_range(h * a.width, a.width), ops::transpose::no,
                   w.all().col_range(h * a.head_dim, a.head_dim), ops::transpose::no,
                   gz.all().col_range(h * a.head_dim, a.head_dim));
}

// A firing is one line, so that the code-generation test can strip it.
// clang-format off

/// Queries, keys and values from each head's own input: norm, then the head's rows of the projection.
template <class B, class Arch, class H>
struct split_inputs {
  Arch const& arch;
  H& hooks;
  workspace<B>& ws;

  [[nodiscard]] index inputs() const { return arch.heads + 2 * arch.kv_heads; }

  void forward(index, layer_values<B>& v, layer_weights<B> const& w, place const& at) {
    index const d = arch.width, count = inputs();
    v.split_in.resize(ws.rows, count * d);
    if (norms_input(arch)) v.split_norm.resize(ws.rows * count, d);
    for (index j = 0; j < count; ++j) B::copy(v.resid_pre, v.split_in.all().col_range(j * d, d));
    auto const part = [&](index first, index n) { return v.split_in.all().col_range(first * d, n * d); };
    if constexpr (H::template lists<site::q_in>) hooks.template fire<site::q_in, B>(ws.keeps, part(0, arch.heads), at);
    if constexpr (H::template lists<site::k_in>) hooks.template fire<site::k_in, B>(ws.keeps, part(arch.heads, arch.kv_heads), at);
    if constexpr (H::template lists<site::v_in>) hooks.template fire<site::v_in, B>(ws.keeps, part(arch.heads + arch.kv_heads, arch.kv_heads), at);
    for (index j = 0; j < count; ++j) {
      auto const rows = [&](tensor<B>& t) { return t.all().row_range(j * ws.rows, ws.rows); };
      const_view<B> const in = part(j, 1);
      if (norms_input(arch)) {
        ops::norm_scale<B>(arch.norm, in, arch.norm_epsilon, rows(v.split_norm.mean), rows(v.split_norm.scale));
        ops::norm_apply<B>(in, rows(v.split_norm.mean), rows(v.split_norm.scale), w.attn_norm.weight,
                           w.attn_norm.bias.empty() ? const_view<B>{} : w.attn_norm.bias.all(), rows(v.split_norm.out));
      }
      tensor<B> const w_j = weight_rows<B>(w.qkv.weight, j * arch.head_dim, arch.head_dim);  // [d, D]
      view<B> const out = v.qkv.all().col_range(j * arch.head_dim, arch.head_dim);           // [R, d]
      ops::matmul<B>(norms_input(arch) ? const_view<B>(rows(v.split_norm.out)) : in, ops::transpose::no, w_j, ops::transpose::yes, out);
      if (!w.qkv.bias.empty())
        ops::add_row_vector<B>(1, w.qkv.bias.all().col_range(j * arch.head_dim, arch.head_dim), out);
    }
  }

  /// g_resid += the gradient through every head's input, from ws.g_qkv [R, H·d + 2·G·d].
  void backward(index, layer_values<B>& v, layer_weights<B> const& w, place const& at) {
    index const d = arch.width, count = inputs();
    ws.g_wide.resize(ws.rows, count * d);
    ops::fill<B>(ws.g_wide.all(), 0);
    for (index j = 0; j < count; ++j) {
      auto const rows = [&](tensor<B>& t) { return t.all().row_range(j * ws.rows, ws.rows); };
      tensor<B> const w_j = weight_rows<B>(w.qkv.weight, j * arch.head_dim, arch.head_dim);  // [d, D]
      ops::matmul<B>(ws.g_qkv.all().col_range(j * arch.head_dim, arch.head_dim), ops::transpose::no, w_j,
                     ops::transpose::no, ws.g_norm.all());
      if (!norms_input(arch)) {
        B::copy(ws.g_norm, ws.g_wide.all().col_range(j * d, d));
        continue;
      }
      const_view<B> const in = v.split_in.all().col_range(j * d, d);
      ops::norm_apply_adjoint<B>(ws.g_norm, in, rows(v.split_norm.mean), rows(v.split_norm.scale), w.attn_norm.weight,
                                 ws.g_norm.all(), ws.g_scale.all());
      ops::norm_scale_adjoint<B>(arch.norm, ws.g_norm, ws.g_scale, in, rows(v.split_norm.mean),
                                 rows(v.split_norm.scale), ws.g_wide.all().col_range(j * d, d));
    }
    auto const part = [&](index first, index n) { return ws.g_wide.all().col_range(first * d, n * d); };
    if constexpr (H::template lists_backward<site::v_in>) hooks.template fire_adjoint<site::v_in, B>(ws.keeps, part(arch.heads + arch.kv_heads, arch.kv_heads), at);
    if constexpr (H::template lists_backward<site::k_in>) hooks.template fire_adjoint<site::k_in, B>(ws.keeps, part(arch.heads, arch.kv_heads), at);
    if constexpr (H::template lists_backward<site::q_in>) hooks.template fire_adjoint<site::q_in, B>(ws.keeps, part(0, arch.heads), at);
    for (index j = 0; j < count; ++j) ops::axpy<B>(1, part(j, 1), ws.g_resid.all());
  }
};

}  // namespace lancet
