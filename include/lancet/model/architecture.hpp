// SPDX-License-Identifier: Apache-2.0
// An architecture is data: a struct of orthogonal axes that a loader fills and the pass reads at run time.
//
// A static policy with the same members as `static constexpr` may stand in for it where a program wants
// exactly one family (see static_architecture.hpp); the pass is a template over the type and reads members by the
// same names. docs/adding-an-architecture.md goes through the axes.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "lancet/ops/activation.hpp"
#include "lancet/ops/attention_shape.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope_settings.hpp"

namespace lancet {

enum class position_kind { rope, learned };
enum class mlp_kind { gated, plain };

/// Where a block's norms stand. before: x + f(norm(x)); after: x + norm(f(x)) (OLMo 2); around:
/// x + norm(f(norm(x))) (Gemma 2 and 3); on_stream: norm(x + f(x)) (BERT).
enum class norm_place { before, after, around, on_stream };

/// serial: the MLP reads what attention wrote. parallel: both read the block's input (GPT-NeoX).
enum class residual_kind { serial, parallel };

/// Norm of queries and keys before rotation: none, of each head (Qwen 3), of all heads' columns together (OLMo 2).
enum class qk_norm_kind { none, head, whole };

/// Between the last layer and the unembedding: nothing, or norm?(activation(W·x + b)) (BERT's heads).
enum class head_kind { none, dense };

/// What a classifier's labels are: one of them holds (softmax), each holds or not by itself (sigmoid), or they are no
/// labels but numbers (regression, rewards).
enum class label_kind { exclusive, independent, numbers };

/// Letters used in shapes: D width, H query heads, G key/value heads, d head_dim, F mlp_width, V vocabulary, C outputs,
/// L layers.
struct architecture {
  std::string family;  ///< "llama", "gpt2": for messages and files, no pass branches on it
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
  norm_place norms = norm_place::before;
  residual_kind residual = residual_kind::serial;

  double embedding_scale = 1;   ///< token embeddings are multiplied by it (Gemma: √D)
  bool embedding_norm = false;  ///< a norm of the sum of embeddings (BERT)
  index token_types = 0;        ///< segment embeddings that are added (BERT: 2)
  position_kind positions = position_kind::rope;
  rope_settings rope = {};        ///< of layers without a window, or of all
  rope_settings local_rope = {};  ///< of layers with a window, where these differ (Gemma 3); else dims = 0

  bool causal = true;               ///< false: every token sees every token (encoders)
  std::vector<index> windows = {};  ///< of each layer, 0: all earlier keys; empty: no layer has one
  double score_scale = 0;           ///< usually 1/√d
  double score_cap = 0;             ///< see attention_shape
  qk_norm_kind qk_norm = qk_norm_kind::none;

  mlp_kind mlp = mlp_kind::gated;
  activation_kind activation = activation_kind::silu;

  bool final_norm = true;
  head_kind head = head_kind::none;
  activation_kind head_activation = activation_kind::tanh;
  bool head_norm = false;
  index labels = 0;  ///< a classifier's classes; 0: the outputs are the vocabulary's tokens
  label_kind labels_are =
      label_kind::exclusive;     ///< by `problem_type` of config.json; GGUF has no key for it
  bool labels_of_first = false;  ///< which row a classifier reads: a sequence's first (encoders) or last
  double logit_cap = 0;          ///< logits become cap·tanh(logits / cap); 0: as they are
  bool tied_unembedding = true;
};

/// Number of columns of the projections, and the other sizes that follow from an architecture.
template <class Arch>
struct sizes {
  index q, kv, qkv, mlp_in, outputs;

  explicit sizes(Arch const& a)
      : q(a.heads * a.head_dim),
        kv(a.kv_heads * a.head_dim),
        qkv(q + 2 * kv),
        mlp_in(a.mlp == mlp_kind::gated ? 2 * a.mlp_width : a.mlp_width),
        outputs(a.labels > 0 ? a.labels : a.vocabulary) {}
};

/// Whether a norm stands before, or after, a block's branches.
template <class Arch>
[[nodiscard]] constexpr bool norms_input(Arch const& a) {
  return a.norms == norm_place::before || a.norms == norm_place::around;
}
template <class Arch>
[[nodiscard]] constexpr bool norms_output(Arch const& a) {
  return a.norms == norm_place::after || a.norms == norm_place::around;
}
template <class Arch>
[[nodiscard]] constexpr bool norms_stream(Arch const& a) {
  return a.norms == norm_place::on_stream;
}

/// Keys that a query of layer l sees: the last so many; 0: all.
template <class Arch>
[[nodiscard]] index window_of(Arch const& a, index l) {
  return a.windows.empty() ? 0 : a.windows[static_cast<std::size_t>(l)];
}
template <class Arch>
[[nodiscard]] bool has_local_rope(Arch const& a, index l) {
  return a.local_rope.dims > 0 && window_of(a, l) > 0;
}
template <class Arch>
[[nodiscard]] attention_shape attention_shape_of(Arch const& a, index l) {
  return {a.heads, a.kv_heads, a.head_dim, a.score_scale, a.score_cap, {window_of(a, l), a.causal}};
}

/// Positions that a change of positions [first, last] in layer `from` can reach by the last layer, in a sequence of
/// `length` tokens.
template <class Arch>
[[nodiscard]] key_range reach(Arch const& a, index from, index first, index last, index length) {
  if (!a.causal) return {0, length};
  index end = last + 1;
  for (index l = from; l < a.layers; ++l) end = window_of(a, l) > 0 ? end + window_of(a, l) - 1 : length;
  return {first, std::min(end, length)};
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
  auto const positive = [&](double x, char const* what) {
    demand(x > 0 && std::isfinite(x), what, std::to_string(x), "a positive number");
  };
  positive(a.score_scale, "score_scale");
  demand(a.norm_epsilon >= 0 && std::isfinite(a.norm_epsilon), "norm_epsilon", std::to_string(a.norm_epsilon),
         "a positive number, or 0");
  positive(a.embedding_scale, "embedding_scale");
  demand(a.score_cap >= 0 && a.logit_cap >= 0 && std::isfinite(a.score_cap) && std::isfinite(a.logit_cap),
         "score_cap, logit_cap", std::to_string(a.score_cap) + ", " + std::to_string(a.logit_cap),
         "positive numbers, or 0");
  demand(a.windows.empty() || static_cast<index>(a.windows.size()) == a.layers, "windows",
         std::to_string(a.windows.size()) + " layers", "one for each layer");
  for (index const w : a.windows) demand(w >= 0, "windows", std::to_string(w), "at least 0");
  demand(a.causal || a.windows.empty(), "windows", "a window", "none where attention is not causal");
  demand(a.residual == residual_kind::serial || !norms_stream(a), "residual", "parallel",
         "serial where norms stand on the stream");
  demand(a.labels == 0 || !a.tied_unembedding, "tied_unembedding", "true", "false for a classifier");
  auto const rope = [&](rope_settings const& r, char const* name) {
    demand(r.dims > 0 && r.dims <= a.head_dim && r.dims % 2 == 0, name, std::to_string(r.dims),
           "even, and within head_dim");
    for (double const x : {r.base, r.factor, r.magnitude}) positive(x, "rope.base, factor, magnitude");
    if (r.scaling == rope_scaling::dynamic || r.scaling == rope_scaling::yarn ||
        r.scaling == rope_scaling::llama3)
      positive(r.original, "rope.original");
    if (r.scaling == rope_scaling::yarn) {
      demand(r.base != 1, "rope.base", "1", "another for yarn, which divides by its logarithm");
      for (double const x : {r.beta_fast, r.beta_slow}) positive(x, "rope.beta_fast, beta_slow");
    }
    if (r.scaling == rope_scaling::llama3)
      demand(r.low_frequency < r.high_frequency && std::isfinite(r.high_frequency - r.low_frequency),
             "rope.low_frequency, high_frequency",
             std::to_string(r.low_frequency) + ", " + std::to_string(r.high_frequency),
             "finite and ascending");
    for (auto const* const list : {&r.divisors, &r.long_divisors})
      for (double const x : *list) positive(x, "rope.divisors");
    if (r.scaling == rope_scaling::factors)
      demand(static_cast<index>(r.divisors.size()) == r.dims / 2 &&
                 (r.long_divisors.empty() || r.long_divisors.size() == r.divisors.size()),
             name, std::to_string(r.divisors.size()) + " divisors", "one for each pair of dimensions");
  };
  if (a.positions == position_kind::rope) rope(a.rope, "rope.dims");
  if (a.local_rope.dims != 0) rope(a.local_rope, "local_rope.dims");
}

}  // namespace lancet
