// SPDX-License-Identifier: Apache-2.0
// An architecture is data: a struct of orthogonal axes that a loader fills and the pass reads at run time.
//
// A static policy with the same members as `static constexpr` may stand in for it where a program wants
// exactly one family; the pass is a template over the type and reads members by the same names.
#pragma once

#include <string>

#include "lancet/ops/activation.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/norm.hpp"

namespace lancet {

enum class position_kind { rope, learned };
enum class mlp_kind { gated, plain };

/// Pre-norm decoder with a serial residual stream: x += attention(norm(x)); x += mlp(norm(x)).
/// Letters used in shapes: D width, H query heads, G key/value heads, d head_dim, F mlp_width, V vocabulary,
/// L layers.
struct architecture {
  std::string family;  ///< "llama", "gpt2": for messages only, nothing branches on it
  index layers = 0;
  index width = 0;
  index heads = 0;
  index kv_heads = 0;
  index head_dim = 0;
  index mlp_width = 0;
  index vocabulary = 0;
  index context = 0;  ///< longest sequence

  norm_kind norm = norm_kind::rms;
  double norm_epsilon = 1e-5;
  position_kind positions = position_kind::rope;
  double rope_base = 10000;
  index rotary_dims = 0;   ///< of head_dim
  double score_scale = 0;  ///< usually 1/√d
  mlp_kind mlp = mlp_kind::gated;
  activation_kind activation = activation_kind::silu;
  bool tied_unembedding = true;
};

/// Number of columns of the projections, and the other sizes that follow from an architecture.
template <class Arch>
struct sizes {
  index q, kv, qkv, mlp_in;

  explicit sizes(Arch const& a)
      : q(a.heads * a.head_dim),
        kv(a.kv_heads * a.head_dim),
        qkv(q + 2 * kv),
        mlp_in(a.mlp == mlp_kind::gated ? 2 * a.mlp_width : a.mlp_width) {}
};

template <class Arch>
[[nodiscard]] attention_shape attention_shape_of(Arch const& a) {
  return {a.heads, a.kv_heads, a.head_dim, a.score_scale};
}

/// Throws usage_error where sizes contradict each other; loaders call it once.
template <class Arch>
void validate_architecture(Arch const& a) {
  auto const demand = [](bool ok, char const* what, std::string const& got, char const* expected) {
    if (!ok) fail_expected(std::string("architecture.") + what, got, expected);
  };
  demand(a.layers > 0, "layers", std::to_string(a.layers), "at least 1");
  demand(a.width > 0, "width", std::to_string(a.width), "at least 1");
  demand(a.heads > 0 && a.kv_heads > 0 && a.heads % a.kv_heads == 0, "kv_heads",
         std::to_string(a.kv_heads) + " for " + std::to_string(a.heads) + " heads", "a divisor of heads");
  demand(a.head_dim > 0, "head_dim", std::to_string(a.head_dim), "at least 1");
  demand(a.mlp_width > 0, "mlp_width", std::to_string(a.mlp_width), "at least 1");
  demand(a.vocabulary > 0, "vocabulary", std::to_string(a.vocabulary), "at least 1");
  demand(a.context > 0, "context", std::to_string(a.context), "at least 1");
  demand(a.score_scale > 0, "score_scale", std::to_string(a.score_scale), "a positive number");
  if (a.positions == position_kind::rope)
    demand(a.rotary_dims > 0 && a.rotary_dims <= a.head_dim && a.rotary_dims % 2 == 0, "rotary_dims",
           std::to_string(a.rotary_dims), "even, and within head_dim");
}

}  // namespace lancet
