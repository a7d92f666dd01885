// SPDX-License-Identifier: Apache-2.0
// Gaussian noise for the subjects of prompts (Meng et al. 2022, "Locating and editing factual associations in GPT").
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lancet/causal/do_operator.hpp"
#include "lancet/core/random.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet {

/// The standard deviation over all entries of the embedding matrix, the unit of this noise.
template <class B, class Arch>
[[nodiscard]] double embedding_deviation(transformer<B, Arch> const& model) {
  constexpr index block = 1024;
  index const d = model.arch().width, v = model.arch().vocabulary;
  double sum = 0, squares = 0;
  std::vector<typename B::scalar> host;
  for (index first = 0; first < v; first += block) {
    std::vector<index> rows;
    for (index i = first; i < std::min(v, first + block); ++i) rows.push_back(i);
    tensor<B> values(std::ssize(rows), d);
    model.weights().embedding.gather(rows, values.all());
    host.resize(rows.size() * static_cast<std::size_t>(d));
    B::download(values, host.data());
    for (auto const x : host) {
      sum += static_cast<double>(x);
      squares += static_cast<double>(x) * static_cast<double>(x);
    }
  }
  double const n = static_cast<double>(v * d), mean = sum / n;
  return std::sqrt(std::max(0.0, squares / n - mean * mean));
}

/// Normal numbers of `scale` embedding deviations for every subject token of every pair. A pair's numbers depend on
/// `seed` and its line alone. Throws usage_error for a pair without a subject.
template <class B, class Arch>
[[nodiscard]] subject_noise draw_subject_noise(transformer<B, Arch> const& model,
                                               std::span<contrast_pair const> pairs, double scale,
                                               std::uint64_t seed) {
  double const deviation = scale * embedding_deviation(model);
  subject_noise out;
  for (contrast_pair const& p : pairs) {
    if (!p.subject) throw usage_error("do noise: line " + std::to_string(p.line) + " has no subject");
    philox_stream const stream = philox_stream(seed, "effects.noise").at(p.line);
    std::vector<double>& numbers = out.noise.emplace_back(
        static_cast<std::size_t>((p.subject->last - p.subject->first + 1) * model.arch().width));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = deviation * stream.normal(i);
  }
  return out;
}

}  // namespace lancet
