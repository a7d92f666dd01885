// SPDX-License-Identifier: Apache-2.0
// Choosing the next token from logits: greedy, temperature, top-k and top-p (Holtzman et al. 2020), as pure
// functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "lancet/model/batch.hpp"

namespace lancet {

/// How a token is chosen. First the temperature, then the `top_k` most likely tokens, then the smallest set
/// of them, most likely first, whose share of the probability left reaches `top_p`; what remains is scaled
/// to 1.
struct sampling {
  double temperature = 0;  ///< 0: the most likely token
  index top_k = 0;         ///< 0: all
  double top_p = 1;        ///< in (0, 1]
};

/// Throws usage_error for a value outside its range.
inline void check_sampling(sampling const& how) {
  if (!(how.temperature >= 0) || !std::isfinite(how.temperature))
    fail_expected("sampling", "temperature " + std::to_string(how.temperature), "a finite number from 0 on");
  if (how.top_k < 0)
    fail_expected("sampling", "top_k " + std::to_string(how.top_k), "0 (all tokens) or more");
  if (!(how.top_p > 0 && how.top_p <= 1))
    fail_expected("sampling", "top_p " + std::to_string(how.top_p), "a number above 0, up to 1");
}

/// The token with the largest logit; of equals the lowest id. Logits of −∞ are tokens that are ruled out.
/// Throws usage_error where there is no token left, or a logit is NaN or +∞.
template <class T>
[[nodiscard]] token most_likely(std::span<T const> logits) {
  token best = -1;
  T largest = -std::numeric_limits<T>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] <= std::numeric_limits<T>::max()))
      fail_expected("sampling", "logit " + std::to_string(logits[i]) + " of token " + std::to_string(i),
                    "a number");
    if (logits[i] > largest) {
      largest = logits[i];
      best = static_cast<token>(i);
    }
  }
  if (best < 0) throw usage_error("sampling: no token has a logit above minus infinity");
  return best;
}

/// log P(id) = logit − log Σ exp(logits), nats, summed in double.
template <class T>
[[nodiscard]] double log_probability(std::span<T const> logits, token id) {
  auto const largest = static_cast<double>(logits[static_cast<std::size_t>(most_likely(logits))]);
  double sum = 0;
  for (T const x : logits) sum += std::exp(static_cast<double>(x) - largest);
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - largest - std::log(sum);
}

/// A token that may be chosen, and how likely.
struct candidate {
  token id;
  double probability;

  friend bool operator==(candidate const&, candidate const&) = default;
};

/// What `how` leaves of the distribution, in order of ids; the probabilities add up to 1. Where tokens are
/// equally likely, top-k and top-p keep the lower ids.
template <class T>
[[nodiscard]] std::vector<candidate> candidates(std::span<T const> logits, sampling const& how) {
  check_sampling(how);
  token const best = most_likely(logits);
  if (how.temperature == 0) return {{best, 1.0}};
  auto const largest = static_cast<double>(logits[static_cast<std::size_t>(best)]);
  std::vector<candidate> kept;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    double const weight = std::exp((static_cast<double>(logits[i]) - largest) / how.temperature);
    if (weight > 0) kept.push_back({static_cast<token>(i), weight});
  }
  auto const before = [](candidate const& a, candidate const& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  };
  if (how.top_k > 0 && how.top_k < std::ssize(kept)) {
    std::nth_element(kept.begin(), kept.begin() + how.top_k, kept.end(), before);
    kept.resize(static_cast<std::size_t>(how.top_k));
  }
  auto const total = [&] {
    double sum = 0;
    for (candidate const& c : kept) sum += c.probability;
    return sum;
  };
  if (how.top_p < 1) {
    std::sort(kept.begin(), kept.end(), before);
    double const wanted = how.top_p * total();
    double sum = 0;
    std::size_t n = 0;
    while (n < kept.size() && sum < wanted) sum += kept[n++].probability;
    kept.resize(n);
  }
  std::sort(kept.begin(), kept.end(), [](candidate const& a, candidate const& b) { return a.id < b.id; });
  double const sum = total();
  for (candidate& c : kept) c.probability /= sum;
  return kept;
}

/// The candidate at `uniform` in [0, 1) of the summed probabilities, in the order given.
[[nodiscard]] inline token draw(std::span<candidate const> from, double uniform) {
  if (from.empty()) throw usage_error("draw: got no candidates, expected at least one");
  double sum = 0;
  for (candidate const& c : from)
    if (uniform < (sum += c.probability)) return c.id;
  return from.back().id;  // the sum fell short of 1 by rounding
}

/// A chosen token and its log-probability, in nats, under the model itself: without temperature, top-k and
/// top-p.
struct choice {
  token id;
  double log_prob;
};

/// Chooses by one uniform number in [0, 1), which greedy choice does not look at.
template <class T>
[[nodiscard]] choice choose(std::span<T const> logits, sampling const& how, double uniform) {
  token const id = draw(candidates(logits, how), uniform);
  return {id, log_probability(logits, id)};
}

}  // namespace lancet
