// SPDX-License-Identifier: Apache-2.0
// Sites: the places of a forward pass where hooks act, as empty tag types under TransformerLens' names.
//
// docs/sites.md lists for each: shape, when it fires, what may be changed.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <type_traits>

#include "lancet/core/view.hpp"

namespace lancet {

enum class site_id {
  embed,
  resid_pre,
  attn_in,
  q_in,
  k_in,
  v_in,
  attn_scale,
  attn_norm,
  linear_q,
  linear_k,
  linear_v,
  q,
  k,
  v,
  rot_q,
  rot_k,
  scores,
  pattern,
  z,
  head_out,
  linear_o,
  attn_sum,
  attn_out,
  resid_mid,
  mlp_in,
  mlp_scale,
  mlp_norm,
  linear_gate,
  linear_up,
  mlp_pre,
  mlp_up,
  mlp_post,
  linear_down,
  mlp_sum,
  mlp_out,
  resid_post,
  final_scale,
  final,
  logits
};
inline constexpr std::size_t site_count = static_cast<std::size_t>(site_id::logits) + 1;

enum class proj { q, k, v, o, gate, up, down };

namespace site {
template <site_id Id>
struct tag {
  static constexpr site_id id = Id;
};
struct embed : tag<site_id::embed> {};          // [R, D] token embeddings, before positions are added
struct resid_pre : tag<site_id::resid_pre> {};  // [R, D]
struct attn_in : tag<site_id::attn_in> {
};                                    // [R, D] the attention's own copy of the residual, before its norm
struct q_in : tag<site_id::q_in> {};  // [R, H·D] one copy a query head, before the norm
struct k_in : tag<site_id::k_in> {};  // [R, G·D] one copy a key/value head
struct v_in : tag<site_id::v_in> {};  // [R, G·D]
struct attn_scale : tag<site_id::attn_scale> {};    // [R, 1] the norm's divisor
struct attn_norm : tag<site_id::attn_norm> {};      // [R, D]
struct q : tag<site_id::q> {};                      // [R, H·d]
struct k : tag<site_id::k> {};                      // [R, G·d]
struct v : tag<site_id::v> {};                      // [R, G·d]
struct rot_q : tag<site_id::rot_q> {};              // [R, H·d]
struct rot_k : tag<site_id::rot_k> {};              // [R, G·d]
struct scores : tag<site_id::scores> {};            // [H·n, K] of one segment
struct pattern : tag<site_id::pattern> {};          // [H·n, K] of one segment
struct z : tag<site_id::z> {};                      // [R, H·d]
struct head_out : tag<site_id::head_out> {};        // [R, H·D]
struct attn_sum : tag<site_id::attn_sum> {};        // [R, D] before a post-norm
struct attn_out : tag<site_id::attn_out> {};        // [R, D] what is added to the residual
struct resid_mid : tag<site_id::resid_mid> {};      // [R, D]
struct mlp_in : tag<site_id::mlp_in> {};            // [R, D]
struct mlp_scale : tag<site_id::mlp_scale> {};      // [R, 1]
struct mlp_norm : tag<site_id::mlp_norm> {};        // [R, D]
struct mlp_pre : tag<site_id::mlp_pre> {};          // [R, F] the gate, or the only input of a plain MLP
struct mlp_up : tag<site_id::mlp_up> {};            // [R, F]
struct mlp_post : tag<site_id::mlp_post> {};        // [R, F] neurons
struct mlp_sum : tag<site_id::mlp_sum> {};          // [R, D]
struct mlp_out : tag<site_id::mlp_out> {};          // [R, D]
struct resid_post : tag<site_id::resid_post> {};    // [R, D]
struct final_scale : tag<site_id::final_scale> {};  // [M, 1] rows that are read out
struct final : tag<site_id::final> {};              // [M, D]
struct logits : tag<site_id::logits> {};            // [M, V]

/// A projection's input and output together, for adapters: y = x·Wᵀ is there, `on` may change y.
template <proj P>
struct linear : tag<P == proj::q      ? site_id::linear_q
                    : P == proj::k    ? site_id::linear_k
                    : P == proj::v    ? site_id::linear_v
                    : P == proj::o    ? site_id::linear_o
                    : P == proj::gate ? site_id::linear_gate
                    : P == proj::up   ? site_id::linear_up
                                      : site_id::linear_down> {
  static constexpr proj projection = P;
};
}  // namespace site

/// Names by site_id, as used on command lines and in files.
inline constexpr std::array<std::string_view, site_count> site_names{
    "embed",      "resid_pre",   "attn_in",   "q_in",     "k_in",        "v_in",     "attn_scale",
    "attn_norm",  "linear_q",    "linear_k",  "linear_v", "q",           "k",        "v",
    "rot_q",      "rot_k",       "scores",    "pattern",  "z",           "head_out", "linear_o",
    "attn_sum",   "attn_out",    "resid_mid", "mlp_in",   "mlp_scale",   "mlp_norm", "linear_gate",
    "linear_up",  "mlp_pre",     "mlp_up",    "mlp_post", "linear_down", "mlp_sum",  "mlp_out",
    "resid_post", "final_scale", "final",     "logits"};

[[nodiscard]] constexpr std::string_view name(site_id id) { return site_names[static_cast<std::size_t>(id)]; }

[[nodiscard]] constexpr std::optional<site_id> find_site(std::string_view wanted) {
  for (std::size_t i = 0; i < site_count; ++i)
    if (site_names[i] == wanted) return static_cast<site_id>(i);
  return std::nullopt;
}

template <class S>
inline constexpr bool is_linear_site = false;
template <proj P>
inline constexpr bool is_linear_site<site::linear<P>> = true;

/// A list of sites, as policies write it.
template <class... S>
struct sites {
  template <class T>
  static constexpr bool contains = (std::is_same_v<S, T> || ...);
  [[nodiscard]] static constexpr bool contains_id(site_id id) { return ((S::id == id) || ...); }
  static constexpr std::size_t size = sizeof...(S);
};

/// Every site, in the order in which they fire.
using all_sites =
    sites<site::embed, site::resid_pre, site::attn_in, site::q_in, site::k_in, site::v_in, site::attn_scale,
          site::attn_norm, site::linear<proj::q>, site::linear<proj::k>, site::linear<proj::v>, site::q,
          site::k, site::v, site::rot_q, site::rot_k, site::scores, site::pattern, site::z, site::head_out,
          site::linear<proj::o>, site::attn_sum, site::attn_out, site::resid_mid, site::mlp_in,
          site::mlp_scale, site::mlp_norm, site::linear<proj::gate>, site::linear<proj::up>, site::mlp_pre,
          site::mlp_up, site::mlp_post, site::linear<proj::down>, site::mlp_sum, site::mlp_out,
          site::resid_post, site::final_scale, site::final, site::logits>;
static_assert(all_sites::size == site_count);

}  // namespace lancet
