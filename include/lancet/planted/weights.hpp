// SPDX-License-Identifier: Apache-2.0
// The planted model's weights, written down rather than trained: a known circuit among random distractors.
//
// Each direction of the residual stream that matters is an axis of its own. Neurons of layer 1 turn an
// occupation's leaning into a stereotype; two heads move it from the subject to a conjunction's pronoun axis;
// a third head does the same with stated gender, which is there from the embedding on. All other weights are
// small Gaussian numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "lancet/circuit/unit.hpp"
#include "lancet/core/random.hpp"
#include "lancet/planted/vocabulary.hpp"

namespace lancet {

struct planted_options {
  std::uint64_t seed = 1;
  double bias = 2.5;  ///< log-odds of the stereotyped pronoun, about, nats; occupations vary by ±30 %
  double distractors = 0.03;  ///< standard deviation of the weights that are not planted
};

/// The units that cause the bias, and nothing else does; and the head that moves stated gender, which must
/// stay.
struct planted_truth {
  std::vector<unit> heads;
  std::vector<unit> neurons;
  std::vector<unit> stated_heads;
};

[[nodiscard]] inline planted_truth planted_units() {
  return {{{unit_kind::head, 2, 1}, {unit_kind::head, 3, 2}},
          {{unit_kind::neuron, 1, 5},
           {unit_kind::neuron, 1, 12},
           {unit_kind::neuron, 1, 20},
           {unit_kind::neuron, 1, 27}},
          {{unit_kind::head, 2, 3}}};
}

/// Llama's axes at a width of 64.
[[nodiscard]] inline architecture planted_architecture() {
  architecture a;
  a.family = "llama";
  a.layers = 4;
  a.width = 64;
  a.heads = a.kv_heads = 4;
  a.head_dim = a.rope.dims = 16;
  a.mlp_width = 32;
  a.vocabulary = std::ssize(planted_vocabulary());
  a.context = 128;
  a.rope.base =
      1e6;  // the slowest pair of a head turns by less than 1e-3 in the whole context: content, not place
  a.score_scale = 0.25;
  a.tied_unembedding = false;
  return a;
}

namespace detail {

/// A row-major matrix on the host.
struct planted_matrix {
  index rows, cols;
  std::vector<float> values;

  planted_matrix(index r, index c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c)) {}
  [[nodiscard]] std::span<float> row(index i) {
    return std::span(values).subspan(static_cast<std::size_t>(i * cols), static_cast<std::size_t>(cols));
  }
  void add(index i, index j, double x) {
    float& value = values[static_cast<std::size_t>(i * cols + j)];
    value = static_cast<float>(static_cast<double>(value) + x);
  }
};

struct planted_layer {
  planted_matrix qkv, o, mlp_in, down;  // stacked as in layer_weights
};

/// All parameters but the norms' weights, which are 1.
struct planted_parameters {
  planted_matrix embedding, unembedding;
  std::vector<planted_layer> layers;
};

/// Axes of the residual stream. An embedding has length √D = 8, so that norms leave it as it is.
namespace axis {
inline constexpr index constant = 0;                  // 1 in every token
inline constexpr index word = 1;                      // 4 on the axis of the token's class
inline constexpr index person = word + word_classes;  // 2 in occupations and stated words
inline constexpr index leaning = person + 1;          // ±2 in occupations, times the occupation's strength
inline constexpr index stereotype = person + 2;       // written by the planted neurons
inline constexpr index stated = person + 3;           // ±3 in stated words
inline constexpr index pronoun = person + 4;          // written by the heads, read by " she" and " he"
inline constexpr index identity = person + 5;         // the rest: random, of each token its own
}  // namespace axis

class planted_builder {
 public:
  explicit planted_builder(planted_options const& options)
      : options_(options), arch_(planted_architecture()), rng_(options.seed, "planted") {
    if (!(options.distractors >= 0) || !std::isfinite(options.distractors) || !std::isfinite(options.bias))
      fail_expected(
          "planted_model",
          "distractors " + std::to_string(options.distractors) + " and bias " + std::to_string(options.bias),
          "finite numbers, distractors not negative");
  }

  [[nodiscard]] planted_parameters build() const {
    planted_parameters p{embedding(), unembedding(), {}};
    sizes<architecture> const n(arch_);
    for (index l = 0; l < arch_.layers; ++l)
      p.layers.push_back({noise(n.qkv, arch_.width, l, 0), noise(arch_.width, n.q, l, 1),
                          noise(n.mlp_in, arch_.width, l, 2), noise(arch_.width, arch_.mlp_width, l, 3)});
    planted_truth const truth = planted_units();
    double const share[] = {0.6, 0.4};
    for (std::size_t i = 0; i < truth.neurons.size(); ++i)  // two for each gender
      add_neuron(p, truth.neurons[i], i < 2 ? +1 : -1, share[i % 2]);
    for (std::size_t i = 0; i < truth.heads.size(); ++i)
      add_mover(p, truth.heads[i], axis::stereotype, share[i] * options_.bias / 2.7);
    add_mover(p, truth.stated_heads[0], axis::stated, 4.0 / 3);
    return p;
  }

 private:
  [[nodiscard]] planted_matrix noise(index rows, index cols, index layer, int which) const {
    planted_matrix m(rows, cols);
    rng_.at(layer, which).fill_normal(std::span(m.values));
    for (float& x : m.values) x *= static_cast<float>(options_.distractors);
    return m;
  }

  [[nodiscard]] planted_matrix embedding() const {
    planted_matrix m(arch_.vocabulary, arch_.width);
    for (index i = 0; i < m.rows; ++i) {
      planted_word const& word = planted_vocabulary()[static_cast<std::size_t>(i)];
      philox_stream const rng = rng_.at(i);
      auto const row = m.row(i);
      auto const set = [&](index a, double x) { row[static_cast<std::size_t>(a)] = static_cast<float>(x); };
      set(axis::constant, 1);
      set(axis::word + static_cast<index>(word.kind), 4);
      if (word.kind == word_class::occupation || word.kind == word_class::stated) set(axis::person, 2);
      if (word.kind == word_class::occupation)
        set(axis::leaning, 2 * word.gender * (0.7 + 0.6 * rng.at(0).uniform(0)));
      if (word.kind == word_class::stated) set(axis::stated, 3 * word.gender);
      double planted = 0, rest = 0;
      for (float const x : row) planted += static_cast<double>(x) * static_cast<double>(x);
      auto const identity = row.subspan(static_cast<std::size_t>(axis::identity));
      rng.at(1).fill_normal(identity);
      for (float const x : identity) rest += static_cast<double>(x) * static_cast<double>(x);
      double const scale = std::sqrt((static_cast<double>(arch_.width) - planted) / rest);
      for (float& x : identity) x = static_cast<float>(static_cast<double>(x) * scale);
    }
    return m;
  }

  /// Logits log(P(word | class before it) / floor); the pronouns also read the pronoun axis, and no noise.
  [[nodiscard]] planted_matrix unembedding() const {
    constexpr double least = 1e-5;
    planted_matrix m = noise(arch_.vocabulary, arch_.width, arch_.layers, 0);
    std::vector<double> count(static_cast<std::size_t>(word_classes));
    for (planted_word const& w : planted_vocabulary()) ++count[static_cast<std::size_t>(w.kind)];
    for (index i = 0; i < m.rows; ++i) {
      planted_word const& word = planted_vocabulary()[static_cast<std::size_t>(i)];
      if (word.kind == word_class::pronoun) {
        std::ranges::fill(m.row(i), 0.0F);
        m.add(i, axis::pronoun, 0.5 * word.gender);
      }
      for (planted_transition const& t : planted_transitions)
        if (t.to == word.kind)
          m.add(i, axis::word + static_cast<index>(t.from),
                std::log(1 + t.probability / count[static_cast<std::size_t>(t.to)] / least) / 4);
    }
    return m;
  }

  /// silu(3·gender·leaning)·constant, added to the stereotype axis: 3·strength in all.
  void add_neuron(planted_parameters& p, unit const& u, int gender, double share) const {
    planted_layer& layer = p.layers[static_cast<std::size_t>(u.layer)];
    std::ranges::fill(layer.mlp_in.row(u.number), 0.0F);  // reads what is planted, and no noise
    std::ranges::fill(layer.mlp_in.row(arch_.mlp_width + u.number), 0.0F);
    layer.mlp_in.add(u.number, axis::leaning, 3 * gender);
    layer.mlp_in.add(arch_.mlp_width + u.number, axis::constant, 1);
    for (index i = 0; i < arch_.width; ++i) layer.down.row(i)[static_cast<std::size_t>(u.number)] = 0;
    layer.down.add(axis::stereotype, u.number, gender * share / 2);
  }

  /// A head that looks from a conjunction to the person before it and adds gain·source there to the pronoun
  /// axis.
  void add_mover(planted_parameters& p, unit const& u, index source, double gain) const {
    planted_layer& layer = p.layers[static_cast<std::size_t>(u.layer)];
    index const d = arch_.head_dim, q = arch_.heads * d, first = u.number * d, slowest = d / 2 - 1;
    layer.qkv.add(first + slowest, axis::word + static_cast<index>(word_class::conjunction), 2.5);
    layer.qkv.add(q + first + slowest, axis::person,
                  2);  // score (2.5·4)·(2·2)/4 = 10 on a person, 0 elsewhere
    std::ranges::fill(layer.qkv.row(2 * q + first), 0.0F);
    layer.qkv.add(2 * q + first, source, 1);
    layer.o.add(axis::pronoun, first, gain);
  }

  planted_options options_;
  architecture arch_;
  philox_stream rng_;
};

}  // namespace detail
}  // namespace lancet
