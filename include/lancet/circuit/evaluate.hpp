// SPDX-License-Identifier: Apache-2.0
// Faithfulness, completeness and greedy pruning of a circuit, by ablating many units in one run.
//
// With m(S) the clean run's metric while the units S (of the circuit's kinds) are ablated, C the circuit, U
// all units:
//   faithfulness = (m(U \ C) − m(U)) / (m(∅) − m(U))    the circuit alone
//   completeness = (m(∅) − m(C)) / (m(∅) − m(U))        the share that goes when the circuit goes
// (Wang et al. 2023; the normalisation is MIB's, Mueller et al. 2025.) Ablation is by the counterfactual's
// values, or zero.
#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "lancet/causal/do_operator.hpp"
#include "lancet/circuit/circuit.hpp"
#include "lancet/core/random.hpp"
#include "lancet/stats/bootstrap.hpp"

namespace lancet {

struct circuit_options {
  lancet::metric metric;
  do_operator change;      ///< resample or zero
  std::uint64_t seed = 0;  ///< of the resamples behind intervals
};

/// Runs of a set of pairs in which any units can be ablated together.
template <class B, class Arch>
class circuit_runs {
 public:
  circuit_runs(transformer<B, Arch> const& model, std::span<contrast_pair const> pairs,
               circuit_options const& options)
      : model_(model), options_(options), pairs_(pairs.begin(), pairs.end()) {
    if (pairs.empty()) throw usage_error("circuit: got an empty set of pairs, expected at least one");
    if (!std::holds_alternative<resample>(options.change) && !std::holds_alternative<zero>(options.change))
      throw usage_error("circuit: ablation is by resample or zero, got " + std::string(name(options.change)));
    predicted_ = clean_predictions(model, options.metric, pairs, ws_);
  }

  /// The metric of each pair's clean run while `units` are ablated at every position.
  [[nodiscard]] std::vector<double> ablated(std::span<unit const> units) {
    for (unit const& u : units) check_unit(model_.arch(), u);
    std::vector<double> out;
    std::vector<unit_kind> kinds;
    for (unit const& u : units)
      if (std::find(kinds.begin(), kinds.end(), u.kind) == kinds.end()) kinds.push_back(u.kind);
    for (std::size_t first = 0; first < pairs_.size();) {
      std::vector<prompt> clean, corrupted;
      index rows = 0;
      std::size_t last = first;
      for (; last < pairs_.size() && (last == first || rows + std::ssize(pairs_[last].clean) <= 512);
           ++last) {
        contrast_pair const& p = pairs_[last];
        require_unseen_answer(model_.arch(), p);
        auto const e = static_cast<index>(last - first);
        for (prompt& q : metric_prompts(options_.metric, p, p.clean, e, predicted_[last]))
          rows += std::ssize(q.tokens), clean.push_back(std::move(q));
        if (paired())
          for (prompt& q : metric_prompts(options_.metric, p, p.corrupted, e, predicted_[last]))
            corrupted.push_back(std::move(q));
      }
      std::vector<std::unique_ptr<prompt_runs<B, Arch>>> sources;
      if (paired())
        for (unit_kind const k : kinds)
          sources.push_back(std::make_unique<prompt_runs<B, Arch>>(model_, corrupted, site_of(k),
                                                                   hook_table<B>{}, ws_, false));
      do_table<B> table;
      for (unit const& u : units) {
        auto const kind =
            static_cast<std::size_t>(std::find(kinds.begin(), kinds.end(), u.kind) - kinds.begin());
        unit_columns const c = columns_of(model_.arch(), u.kind);
        for (index r = 0; r < std::ssize(clean); ++r) {
          index const length = clean[static_cast<std::size_t>(r)].length;
          const_view<B> const source = paired() ? sources[kind]
                                                      ->site(u.layer, r)
                                                      .row_range(0, length)
                                                      .col_range(u.number * c.width, c.width)
                                                : const_view<B>{};
          table.add({site_of(u.kind), u.layer, r, 0, length, u.number * c.width, c.width, source});
        }
      }
      hook_table<B> hooks;
      if (!table.empty()) hooks.add(table);
      prompt_runs<B, Arch> const runs(model_, clean, site_id::z, hooks, ws_, false);
      std::vector<double> sums(last - first, 0.0);
      for (index r = 0; r < std::ssize(clean); ++r)
        sums[static_cast<std::size_t>(clean[static_cast<std::size_t>(r)].queries.front().example)] +=
            runs.value(r);
      for (double const s : sums) out.push_back(options_.metric.value(s));
      first = last;
    }
    return out;
  }

  /// All units of the kinds in `units`, without those in it.
  [[nodiscard]] std::vector<unit> rest(std::span<unit const> units, bool with_units) const {
    std::set<unit_kind> kinds;
    for (unit const& u : units) kinds.insert(u.kind);
    std::set<unit> const inside(units.begin(), units.end());
    std::vector<unit> out;
    for (unit_kind const k : kinds)
      for (index l = 0; l < model_.arch().layers; ++l)
        for (index n = 0; n < columns_of(model_.arch(), k).count; ++n)
          if (unit const u{k, l, n, -1}; with_units || !inside.contains(u)) out.push_back(u);
    return out;
  }

 private:
  [[nodiscard]] bool paired() const { return std::holds_alternative<resample>(options_.change); }

  transformer<B, Arch> const& model_;
  circuit_options options_;
  std::vector<contrast_pair> pairs_;
  std::vector<std::shared_ptr<prediction const>> predicted_;
  workspace<B> ws_;
};

namespace detail {
/// (Σ a − Σ c) / (Σ b − Σ c) with a percentile bootstrap interval over examples.
[[nodiscard]] inline measured_share share_of(std::vector<double> const& a, std::vector<double> const& b,
                                             std::vector<double> const& c, std::uint64_t seed) {
  std::vector<double> top(a.size()), bottom(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    top[i] = a[i] - c[i];
    bottom[i] = b[i] - c[i];
  }
  auto const ratio = [](std::span<double const> x, std::span<double const> y) {
    return mean_of(x) / mean_of(y);
  };
  if (top.size() < 2) return {ratio(top, bottom), ratio(top, bottom), ratio(top, bottom)};
  bootstrap_interval const i =
      bootstrap_paired(top, bottom, ratio, drawn_resamples{philox_stream(seed, "circuit.bootstrap"), 2000},
                       {.method = interval_method::percentile});
  return {i.estimate, i.low, i.high};
}
}  // namespace detail

/// Fills in faithfulness and completeness of a circuit, measured on these pairs.
template <class B, class Arch>
void measure_circuit(transformer<B, Arch> const& model, circuit& c, std::span<contrast_pair const> pairs,
                     circuit_options const& options) {
  require_same_model(c.model, model.identity(), "circuit");
  circuit_runs<B, Arch> runs(model, pairs, options);
  std::vector<double> const full = runs.ablated({}), none = runs.ablated(runs.rest(c.units, true));
  c.faithfulness = detail::share_of(runs.ablated(runs.rest(c.units, false)), full, none, options.seed);
  std::vector<double> const cut = runs.ablated(c.units);
  std::vector<double> lost(full.size());
  for (std::size_t i = 0; i < full.size(); ++i) lost[i] = full[i] - cut[i] + none[i];
  c.completeness = detail::share_of(lost, full, none, options.seed);
}

/// Greedy pruning: while the ablation of the rest of the circuit still takes at least `share` of what the
/// whole circuit's ablation takes, drops the unit that is missed least. One run a candidate and step.
template <class B, class Arch>
[[nodiscard]] circuit prune_circuit(transformer<B, Arch> const& model, circuit c, double share,
                                    std::span<contrast_pair const> pairs, circuit_options const& options) {
  require_same_model(c.model, model.identity(), "circuit");
  if (!(share > 0 && share <= 1))
    fail_expected("prune_circuit", "share " + std::to_string(share), "a number in (0, 1]");
  circuit_runs<B, Arch> runs(model, pairs, options);
  double const full = sample_mean(runs.ablated({}));
  auto const effect = [&](std::vector<unit> const& units) { return full - sample_mean(runs.ablated(units)); };
  double const whole = effect(c.units);
  std::size_t const before = c.units.size();
  while (c.units.size() > 1) {
    std::size_t best = c.units.size();
    double best_effect = share * whole;
    for (std::size_t i = 0; i < c.units.size(); ++i) {
      std::vector<unit> without = c.units;
      without.erase(without.begin() + static_cast<index>(i));
      double const e = effect(without);
      if (whole > 0 ? e >= best_effect : e <= best_effect) {
        best_effect = e;
        best = i;
      }
    }
    if (best == c.units.size()) break;
    c.units.erase(c.units.begin() + static_cast<index>(best));
    c.effects.erase(c.effects.begin() + static_cast<index>(best));
  }
  c.rule += ", pruned from " + std::to_string(before) + " keeping " +
            std::to_string(static_cast<int>(100 * share + 0.5)) + " % of the effect";
  return c;
}

}  // namespace lancet
