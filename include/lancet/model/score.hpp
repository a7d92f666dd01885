// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of sequences under a model and any hooks; perplexity.
#pragma once

#include "lancet/model/readout.hpp"

namespace lancet {

/// Rows of a pass at which work per batch is large enough and memory (logits of every row) still small.
inline constexpr index score_rows = 256;

/// Throws usage_error, in the name of `who`, for an encoder or a classifier.
template <class Arch>
void require_next_token_model(Arch const& arch, char const* who) {
  if (!arch.causal || arch.labels > 0)
    throw usage_error(std::string(who) + ": got " + std::string(arch.family) +
                      (arch.labels > 0 ? ", a classifier" : ", whose tokens see those after them") +
                      "; expected a model that predicts the next token");
}

/// True where the last token of n changes how the others are turned (dynamic scaling, LongRoPE): a text is then run
/// whole, as the reference implementations do, although nothing is read after it.
template <class Arch>
[[nodiscard]] bool turns_by_length(Arch const& arch, index n) {
  return arch.positions == position_kind::rope && arch.rope.regime(n) != arch.rope.regime(n - 1);
}

/// log P(ids[i] | ids[0 … i − 1]) in nats for i = 1 … n − 1, for each sequence: out[s] has n − 1 values.
/// Sequences are batched to some `score_rows` rows; no special token is added. A sequence of fewer than one
/// token is an error, and so is an encoder (encoder_score.hpp).
template <class B, class Arch, class H>
[[nodiscard]] std::vector<std::vector<double>> log_probabilities(
    transformer<B, Arch> const& model, H& hooks, std::span<std::vector<token> const> sequences,
    workspace<B>& ws) {
  require_next_token_model(model.arch(), "log_probabilities");
  std::vector<std::vector<double>> out(sequences.size());
  batch<B> input;
  readout_plan plan;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // sequence and index of each query
  auto const flush = [&] {
    if (plan.queries.empty()) return;
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    std::vector<double> const values = readout<B, Arch, H>(model, hooks, ws).values(plan);
    for (std::size_t i = 0; i < values.size(); ++i) out[places[i].first][places[i].second] = values[i];
    input.clear();
    plan.clear();
    places.clear();
  };
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    std::vector<token> const& ids = sequences[s];
    if (ids.empty()) throw usage_error("log_probabilities: sequence " + std::to_string(s) + " has no tokens");
    out[s].resize(ids.size() - 1);
    if (ids.size() == 1) continue;
    if (input.rows() + std::ssize(ids) > score_rows) flush();
    index const row = input.rows();
    input.add(std::span(ids).first(ids.size() - (turns_by_length(model.arch(), std::ssize(ids)) ? 0 : 1)));
    for (std::size_t i = 1; i < ids.size(); ++i) {
      plan.queries.push_back({std::ssize(plan.rows), ids[i], 1.0, plan.examples++});
      plan.rows.push_back(row + static_cast<index>(i) - 1);
      places.emplace_back(s, i - 1);
    }
  }
  flush();
  return out;
}

/// exp(−mean log-probability) over all scored tokens of all sequences: the first token of each is never
/// scored.
[[nodiscard]] inline double perplexity(std::span<std::vector<double> const> log_probs) {
  double sum = 0;
  std::size_t n = 0;
  for (auto const& one : log_probs) {
    sum = std::accumulate(one.begin(), one.end(), sum);
    n += one.size();
  }
  if (n == 0) throw usage_error("perplexity: got no scored tokens, expected at least one");
  return std::exp(-sum / static_cast<double>(n));
}

}  // namespace lancet
