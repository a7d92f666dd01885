// SPDX-License-Identifier: Apache-2.0
// frozen_pairs: what the frozen model makes of contrast pairs, computed once, so that any number of
// interventions run from the first layer that they change. A sequence that several pairs share is run once.
#pragma once

#include <map>
#include <utility>

#include "lancet/causal/metric.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/intervene/forward_from.hpp"

namespace lancet {

template <class B, class Arch = architecture>
class frozen_pairs {
 public:
  /// Runs every pair's clean prompt, with `paired` also its corrupted one, and keeps the residuals before
  /// `layers` (ascending). Throws usage_error for a pair without what the metric needs.
  frozen_pairs(transformer<B, Arch> const& model, std::span<contrast_pair const> pairs, metric m, bool paired,
               std::span<index const> layers)
      : model_(model), layers_(layers.begin(), layers.end()), resid_(layers.size()) {
    for (contrast_pair const& pair : pairs) {
      require_unseen_answer(model_.arch(), pair);
      examples_.emplace_back();
      add(metric_prompts(m, pair, pair.clean, 0), 1);
      if (!paired) continue;
      if (pair.corrupted.empty())
        throw usage_error("line " + std::to_string(pair.line) + " has no corrupted prompt to compare with");
      add(metric_prompts(m, pair, pair.corrupted, 0), -1);
    }
    numbers_.clear();
    read_frozen_model();
  }

  [[nodiscard]] index size() const { return std::ssize(examples_); }
  /// Σ coefficient·log P of each example in the frozen model: of its clean prompt, minus its corrupted one if
  /// paired.
  [[nodiscard]] std::vector<double> const& base() const { return base_; }

  /// Adds an example to a batch that will run from layers[slot].
  void add_to(frozen_batch<B>& input, index example, std::size_t slot) const {
    for (auto const& [sequence, q] : examples_[static_cast<std::size_t>(example)])
      input.plan.read(input.place(resid_[slot][static_cast<std::size_t>(sequence)]) + q.row, q,
                      input.plan.examples);
    ++input.plan.examples;
  }

  /// What `base` says, under hooks that change nothing below layers[slot].
  [[nodiscard]] std::vector<double> values(hook_table<B>& hooks, std::size_t slot, workspace<B>& ws) const {
    std::vector<double> out;
    frozen_batch<B> input;
    auto const flush = [&] {
      if (input.plan.examples == 0) return;
      forward_from(layers_[slot], model_, input, hooks, ws);
      for (double const v : readout<B, Arch, hook_table<B>>(model_, hooks, ws).values(input.plan))
        out.push_back(v);
      input.clear();
    };
    for (index e = 0; e < size(); ++e) {
      add_to(input, e, slot);
      if (input.rows() >= batch_rows) flush();
    }
    flush();
    return out;
  }

 private:
  static constexpr index batch_rows = 512;
  struct located_query {
    index sequence;
    token_query query;
  };

  void add(std::vector<prompt> const& prompts, double sign) {
    for (prompt const& p : prompts) {
      index const number = numbers_.emplace(p.tokens, std::ssize(sequences_)).first->second;
      if (number == std::ssize(sequences_)) sequences_.push_back(p.tokens);
      for (token_query q : p.queries) {
        q.coefficient *= sign;
        examples_.back().push_back({number, std::move(q)});
      }
    }
  }

  void read_frozen_model() {
    std::vector<std::vector<token_query>> readers(sequences_.size());  // of each sequence
    for (std::size_t e = 0; e < examples_.size(); ++e)
      for (auto const& [sequence, q] : examples_[e]) {
        readers[static_cast<std::size_t>(sequence)].push_back(q);
        readers[static_cast<std::size_t>(sequence)].back().example = static_cast<index>(e);
      }
    base_.assign(examples_.size(), 0.0);
    workspace<B> ws;
    record<B, site::resid_pre> recorder;
    hook_table<B> hooks;
    hooks.add(recorder);
    for (std::size_t first = 0; first < sequences_.size();) {
      batch<B> input;
      readout_plan plan;
      plan.examples = size();
      std::size_t last = first;
      for (; last < sequences_.size() && input.rows() < batch_rows; ++last) {
        for (token_query const& q : readers[last]) plan.read(input.rows() + q.row, q, q.example);
        input.add(sequences_[last]);
      }
      forward(model_, input, hooks, ws, std::span<index const>(plan.rows));
      std::vector<double> const values = readout<B, Arch, hook_table<B>>(model_, hooks, ws).values(plan);
      for (std::size_t e = 0; e < values.size(); ++e) base_[e] += values[e];
      for (segment const& s : input.segments)
        for (std::size_t n = 0; n < layers_.size(); ++n)
          resid_[n].push_back(
              tensor<B>::clone(recorder.template get<site::resid_pre>(layers_[n]).row_range(s.row, s.rows)));
      first = last;
    }
  }

  transformer<B, Arch> const& model_;
  std::vector<index> layers_;
  std::vector<std::vector<token>> sequences_;
  std::map<std::vector<token>, index> numbers_;  // of sequences, while they are added
  std::vector<std::vector<located_query>> examples_;
  std::vector<std::vector<tensor<B>>> resid_;  // [layers][sequences]: [T, D]
  std::vector<double> base_;
};

}  // namespace lancet
