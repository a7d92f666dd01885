// SPDX-License-Identifier: Apache-2.0
// The neutral values of every axis as constants: what a static policy in an architecture's place inherits.
//
// struct my_family : static_architecture { static constexpr index layers = …; … }; branches of axes that it does not
// use are then not even compiled.
#pragma once

#include <array>

#include "lancet/model/architecture.hpp"

namespace lancet {

/// Members that differ between families are hidden by those of the derived struct; sizes, `rope` and `score_scale` are
/// its own to give.
struct static_architecture {
  static constexpr norm_kind norm = norm_kind::rms;
  static constexpr double norm_epsilon = 1e-5;
  static constexpr norm_place norms = norm_place::before;
  static constexpr residual_kind residual = residual_kind::serial;
  static constexpr double embedding_scale = 1;
  static constexpr bool embedding_norm = false;
  static constexpr index token_types = 0;
  static constexpr position_kind positions = position_kind::rope;
  static inline rope_settings const local_rope = {};
  static constexpr bool causal = true;
  static constexpr std::array<index, 0> windows = {};
  static constexpr double score_cap = 0;
  static constexpr qk_norm_kind qk_norm = qk_norm_kind::none;
  static constexpr mlp_kind mlp = mlp_kind::gated;
  static constexpr activation_kind activation = activation_kind::silu;
  static constexpr bool final_norm = true;
  static constexpr head_kind head = head_kind::none;
  static constexpr activation_kind head_activation = activation_kind::tanh;
  static constexpr bool head_norm = false;
  static constexpr index labels = 0;
  static constexpr label_kind labels_are = label_kind::exclusive;
  static constexpr bool labels_of_first = false;
  static constexpr double logit_cap = 0;
  static constexpr bool tied_unembedding = true;
};

}  // namespace lancet
