// SPDX-License-Identifier: Apache-2.0
// What encoders say of texts: log-probabilities of single tokens with those tokens masked; and what classifiers,
// encoders or not, say: those of their labels.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lancet/model/score.hpp"

namespace lancet {

/// A text as an encoder reads it, special tokens among its ids.
struct encoder_text {
  std::vector<token> ids;
  std::vector<index> types = {};      ///< of each token; empty: all 0
  std::vector<index> positions = {};  ///< whose tokens are scored (masked_log_probabilities)
};

namespace detail {

template <class B>
void add_text(batch<B>& input, encoder_text const& text, std::span<token const> ids) {
  if (text.types.empty())
    input.add(ids);
  else
    input.add(ids, std::span<index const>(text.types));
}

/// log σ(logit) of every output of every row read, in double: log σ(x) = min(x, 0) − log(1 + e^−|x|).
template <class B, class Arch, class H>
[[nodiscard]] std::vector<double> log_sigmoids(transformer<B, Arch> const& model, H& hooks,
                                               workspace<B>& ws) {
  logits(model, hooks, ws);
  std::vector<typename B::scalar> host(static_cast<std::size_t>(ws.readout.logits.all().size()));
  B::download(ws.readout.logits, host.data());
  std::vector<double> out(host.begin(), host.end());
  for (double& x : out) x = std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
  return out;
}

}  // namespace detail

/// log P(ids[i] | the text with `mask` at i) in nats for every i in `positions`: the terms of the
/// pseudo-log-likelihood of Salazar et al. 2020, eq. 1. One sequence of the model a position, batched to some
/// `score_rows` rows. Throws usage_error for a model without a masked-LM head.
template <class B, class Arch, class H>
[[nodiscard]] std::vector<std::vector<double>> masked_log_probabilities(transformer<B, Arch> const& model,
                                                                        H& hooks,
                                                                        std::span<encoder_text const> texts,
                                                                        token mask, workspace<B>& ws) {
  if (model.arch().causal || model.arch().labels > 0)
    throw usage_error("masked_log_probabilities: got " + std::string(model.arch().family) +
                      (model.arch().causal ? ", whose tokens see only those before them" : ", a classifier") +
                      "; expected a masked language model");
  std::vector<std::vector<double>> out(texts.size());
  batch<B> input;
  readout_plan plan;
  std::vector<double*> places;
  auto const flush = [&] {
    if (places.empty()) return;
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    std::vector<double> const values = readout<B, Arch, H>(model, hooks, ws).values(plan);
    for (std::size_t i = 0; i < values.size(); ++i) *places[i] = values[i];
    input.clear();
    plan.clear();
    places.clear();
  };
  for (std::size_t s = 0; s < texts.size(); ++s) {
    std::vector<token> ids = texts[s].ids;
    out[s].resize(texts[s].positions.size());
    for (std::size_t i = 0; i < out[s].size(); ++i) {
      index const at = texts[s].positions[i];
      if (at < 0 || at >= std::ssize(ids))
        fail_expected("masked_log_probabilities", "position " + std::to_string(at),
                      "one of the text's " + std::to_string(ids.size()) + " tokens");
      if (input.rows() + std::ssize(ids) > score_rows) flush();
      token const hidden = std::exchange(ids[static_cast<std::size_t>(at)], mask);
      plan.read(input.rows() + at, {0, hidden, 1.0, 0}, plan.examples);
      ++plan.examples;
      places.push_back(&out[s][i]);
      detail::add_text(input, texts[s], std::span<token const>(ids));
      ids[static_cast<std::size_t>(at)] = hidden;
    }
  }
  flush();
  return out;
}

/// log P(label | text) in nats, for every label, of each text, from its first row or its last, as the
/// architecture says. Of labels of which one holds the probabilities add up to 1; independent ones (multi-label) have
/// each their own. Throws usage_error for a model that is no classifier, has one label alone, or is a regression.
template <class B, class Arch, class H>
[[nodiscard]] std::vector<std::vector<double>> label_log_probabilities(transformer<B, Arch> const& model,
                                                                       H& hooks,
                                                                       std::span<encoder_text const> texts,
                                                                       workspace<B>& ws) {
  index const labels = model.arch().labels;
  if (labels < 1)
    throw usage_error("label_log_probabilities: got " + std::string(model.arch().family) +
                      ", which has no labels; expected a classifier");
  bool const independent = model.arch().labels_are == label_kind::independent;
  if (!independent) require_exclusive_labels(model.arch(), "label_log_probabilities");
  std::vector<std::vector<double>> out;
  for (std::size_t first = 0; first < texts.size();) {
    batch<B> input;
    readout_plan plan;
    std::size_t last = first;
    while (last < texts.size() &&
           (last == first || input.rows() + std::ssize(texts[last].ids) <= score_rows)) {
      index const row = input.rows() + (model.arch().labels_of_first ? 0 : std::ssize(texts[last].ids) - 1);
      for (index l = 0; l < labels; ++l) plan.read(row, {0, static_cast<token>(l), 1.0, 0}, plan.examples++);
      detail::add_text(input, texts[last], std::span<token const>(texts[last].ids));
      ++last;
    }
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    std::vector<double> const values = independent ? detail::log_sigmoids(model, hooks, ws)
                                                   : readout<B, Arch, H>(model, hooks, ws).values(plan);
    for (std::size_t i = 0; i < last - first; ++i)
      out.emplace_back(values.begin() + static_cast<index>(i) * labels,
                       values.begin() + static_cast<index>(i + 1) * labels);
    first = last;
  }
  return out;
}

}  // namespace lancet
