// SPDX-License-Identifier: Apache-2.0
// The angles of rotary embedding, plain and stretched to longer contexts: pair i turns by position·frequency_i.
//
// Su et al. 2021; position interpolation (Chen et al. 2023), dynamic NTK, YaRN (Peng et al. 2023), Llama 3's bands,
// LongRoPE (Ding et al. 2024), each with the formulas of Hugging Face transformers.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "lancet/core/view.hpp"

namespace lancet {

enum class rope_scaling { none, linear, dynamic, yarn, llama3, factors };

/// How the first `dims` columns of each head are turned.
struct rope_settings {
  index dims = 0;  ///< of head_dim, even
  double base = 10000;
  rope_scaling scaling = rope_scaling::none;
  double factor = 1;                  ///< how many times longer the context has become
  double original = 0;                ///< the context of the first training
  double low_frequency = 1;           ///< llama3: turns in the original context below which all is stretched
  double high_frequency = 4;          ///< llama3: and above which nothing is
  double beta_fast = 32;              ///< yarn: the same two, in turns
  double beta_slow = 1;               ///< yarn
  bool truncate = true;               ///< yarn: to whole pairs
  double magnitude = 1;               ///< cosines and sines are multiplied by it
  std::vector<double> divisors = {};  ///< factors: of each pair's frequency, dims / 2 of them
  std::vector<double> long_divisors =
      {};  ///< factors: those of sequences longer than `original`; empty: the same

  /// Sequences of equal regime share their frequencies; most settings have one.
  [[nodiscard]] index regime(index length) const {
    bool const beyond = static_cast<double>(length) > original;
    if (scaling == rope_scaling::dynamic && beyond) return length;
    return scaling == rope_scaling::factors && !long_divisors.empty() && beyond ? 1 : 0;
  }

  /// Radians a position of each pair, dims / 2 of them, in a sequence of `length` tokens.
  [[nodiscard]] std::vector<double> frequencies(index length) const {
    std::vector<double> out(static_cast<std::size_t>(dims / 2));
    double const d = static_cast<double>(dims);
    double base_now = base;
    if (scaling == rope_scaling::dynamic)
      base_now *= std::pow(factor * std::max(static_cast<double>(length), original) / original - (factor - 1),
                           d / (d - 2));
    for (std::size_t i = 0; i < out.size(); ++i) {
      double const plain = std::pow(base_now, -2.0 * static_cast<double>(i) / d);
      out[i] = plain / stretch(i, plain, length);
    }
    return out;
  }

  friend bool operator==(rope_settings const&, rope_settings const&) = default;

 private:
  /// How many times slower pair i turns.
  [[nodiscard]] double stretch(std::size_t i, double plain, index length) const {
    switch (scaling) {
      case rope_scaling::linear:
        return factor;
      case rope_scaling::yarn: {
        double const kept =
            1 - std::clamp((static_cast<double>(i) - yarn_pair(beta_fast, true)) / yarn_span(), 0.0, 1.0);
        return 1 / (kept + (1 - kept) / factor);
      }
      case rope_scaling::llama3: {
        double const turns = original * plain / (2 * std::numbers::pi);
        double const kept = std::clamp((turns - low_frequency) / (high_frequency - low_frequency), 0.0, 1.0);
        return 1 / (kept + (1 - kept) / factor);
      }
      case rope_scaling::factors:
        return (regime(length) == 1 ? long_divisors : divisors)[i];
      case rope_scaling::none:
      case rope_scaling::dynamic:
        break;
    }
    return 1;
  }

  /// The pair that makes `turns` turns in the original context, within the pairs there are.
  [[nodiscard]] double yarn_pair(double turns, bool lower) const {
    double pair = static_cast<double>(dims) * std::log(original / (turns * 2 * std::numbers::pi)) /
                  (2 * std::log(base));
    if (truncate) pair = lower ? std::floor(pair) : std::ceil(pair);
    return lower ? std::max(pair, 0.0) : std::min(pair, static_cast<double>(dims) - 1);
  }
  [[nodiscard]] double yarn_span() const {
    double const span = yarn_pair(beta_slow, false) - yarn_pair(beta_fast, true);
    return span == 0 ? 0.001 : span;
  }
};

}  // namespace lancet
