// SPDX-License-Identifier: Apache-2.0
// Do-operators: what a unit is set to, and the runs that supply it.
#pragma once

#include <variant>

#include "lancet/causal/effect_table.hpp"
#include "lancet/causal/metric.hpp"
#include "lancet/causal/sweep.hpp"

namespace lancet {

/// The value of the same unit in the other run of the pair (clean or counterfactual).
struct resample {};
/// Zero.
struct zero {};
/// The unit's mean over all tokens of some texts; without texts, over the clean prompts of the pairs.
struct mean {
  std::vector<std::vector<token>> over = {};
};
/// The corrupted run is the clean prompt with noise added to the subject's token embeddings (Meng et al.
/// 2022); units are restored to their clean value. `noise` has one row of D numbers for each subject token of
/// the pair.
struct subject_noise {
  /// noise[e] is [subject tokens · D], row-major, for pair e.
  std::vector<std::vector<double>> noise;
};

/// One of the above; there is no default.
using do_operator = std::variant<resample, zero, mean, subject_noise>;

[[nodiscard]] inline std::string_view name(do_operator const& d) {
  constexpr std::string_view names[] = {"resample", "zero", "mean", "noise"};
  return names[d.index()];
}

/// denoise: a clean value is put into the corrupted run. noise: a corrupted (zero, mean) value into the clean
/// run.
enum class direction { denoise, noise };
inline constexpr direction denoise = direction::denoise;
inline constexpr direction noise = direction::noise;

[[nodiscard]] constexpr std::string_view name(direction d) { return d == denoise ? "denoise" : "noise"; }

/// The run that is intervened on (base) and the one that supplies values (source), for a group of pairs.
template <class B, class Arch>
class causal_runs {
 public:
  causal_runs(transformer<B, Arch> const& model, std::span<contrast_pair const> pairs, metric m,
              do_operator const& change, lancet::direction direction, site_id site, workspace<B>& ws,
              bool resumable)
      : metric_(m), direction_(direction), pairs_(std::ssize(pairs)) {
    bool const noisy = std::holds_alternative<subject_noise>(change);
    bool const paired = std::holds_alternative<resample>(change) || noisy;
    if (!paired && direction == denoise)
      throw usage_error("do " + std::string(name(change)) +
                        ": got direction denoise, expected noise (a clean run is ablated)");
    if (noisy && direction != denoise)
      throw usage_error(
          "do noise on the subject: got direction noise, expected denoise (clean values are restored)");
    std::vector<prompt> base, source;
    hook_table<B> base_hooks;
    do_table<B> embedding_noise;
    std::vector<tensor<B>> noise_rows;
    auto const predicted = clean_predictions(model, m, pairs, ws);
    for (index e = 0; e < std::ssize(pairs); ++e) {
      contrast_pair const& p = pairs[static_cast<std::size_t>(e)];
      require_unseen_answer(model.arch(), p);
      if (paired && !noisy) check_counterfactual(p);
      std::vector<token> const& base_text = direction == denoise && !noisy ? p.corrupted : p.clean;
      std::vector<token> const& source_text = direction == denoise ? p.clean : p.corrupted;
      auto const& seen = predicted[static_cast<std::size_t>(e)];
      for (prompt& q : metric_prompts(m, p, base_text, e, seen)) {
        if (noisy)
          add_noise(model, std::get<subject_noise>(change), p, e, std::ssize(base), embedding_noise,
                    noise_rows);
        base.push_back(std::move(q));
      }
      if (paired)
        for (prompt& q : metric_prompts(m, p, source_text, e, seen)) source.push_back(std::move(q));
    }
    if (noisy) base_hooks.add(embedding_noise);
    base_ = std::make_unique<prompt_runs<B, Arch>>(model, base, site, base_hooks, ws, resumable);
    if (paired)
      source_ = std::make_unique<prompt_runs<B, Arch>>(model, source, site, hook_table<B>{}, ws, false);
  }

  [[nodiscard]] prompt_runs<B, Arch> const& base() const { return *base_; }
  /// The site's value in the supplying run of prompt r: [T, columns].
  [[nodiscard]] const_view<B> source(index layer, index r) const { return source_->site(layer, r); }

  /// Σ coefficient·log P of pair e without an intervention.
  [[nodiscard]] double base_value(std::size_t e) const { return linear(*base_, e); }

  /// Writes the pair's metric in both runs into the table's baselines.
  void write_baselines(effect_table& table, std::size_t e, std::size_t at) const {
    double const here = metric_.value(linear(*base_, e));
    if (!source_) {
      table.clean[at] = here;
      return;
    }
    double const there = metric_.value(linear(*source_, e));
    table.clean[at] = direction_ == denoise ? there : here;
    table.corrupted[at] = direction_ == denoise ? here : there;
  }

 private:
  static void check_counterfactual(contrast_pair const& p) {
    if (p.corrupted.size() != p.clean.size())
      throw usage_error("do resample: line " + std::to_string(p.line) + ": clean has " +
                        std::to_string(p.clean.size()) + " tokens and corrupted " +
                        std::to_string(p.corrupted.size()) + "; expected as many");
  }

  static void add_noise(transformer<B, Arch> const& model, subject_noise const& change,
                        contrast_pair const& p, index e, index segment, do_table<B>& table,
                        std::vector<tensor<B>>& rows) {
    index const d = model.arch().width;
    if (!p.subject) throw usage_error("do noise: line " + std::to_string(p.line) + " has no subject");
    index const count = p.subject->last - p.subject->first + 1;
    if (e >= std::ssize(change.noise) || std::ssize(change.noise[static_cast<std::size_t>(e)]) != count * d)
      throw usage_error("do noise: line " + std::to_string(p.line) + ": expected noise for " +
                        std::to_string(count) + " subject tokens of width " + std::to_string(d));
    auto const& values = change.noise[static_cast<std::size_t>(e)];
    std::vector<typename B::scalar> const host(values.begin(), values.end());
    rows.emplace_back(count, d);
    B::upload(host.data(), rows.back().all());
    table.add(
        {site_id::embed, 0, segment, p.subject->first, count, 0, d, rows.back(), do_cell<B>::change::add});
  }

  [[nodiscard]] static double linear(prompt_runs<B, Arch> const& runs, std::size_t e) {
    double sum = 0;
    for (index r = 0; r < std::ssize(runs.prompts()); ++r)
      if (runs.prompts()[static_cast<std::size_t>(r)].queries.front().example == static_cast<index>(e))
        sum += runs.value(r);
    return sum;
  }

  metric metric_;
  lancet::direction direction_;
  index pairs_;
  std::unique_ptr<prompt_runs<B, Arch>> base_, source_;
};

/// The constant that zero and mean put into a site: one row for each layer, or nothing for zero.
template <class B, class Arch>
class replacement {
 public:
  replacement(transformer<B, Arch> const& model, std::span<contrast_pair const> pairs,
              do_operator const& change, site_id site, workspace<B>& ws)
      : active_(std::holds_alternative<zero>(change) || std::holds_alternative<mean>(change)) {
    if (auto const* m = std::get_if<mean>(&change)) {
      std::vector<std::vector<token>> texts = m->over;
      if (texts.empty())
        for (contrast_pair const& p : pairs) texts.push_back(p.clean);
      pool(model, texts, site, ws);
    }
  }

  [[nodiscard]] bool active() const { return active_; }
  /// The row's columns [first, first + count): [1, count], or empty for zero.
  [[nodiscard]] const_view<B> columns(index layer, index first, index count) const {
    if (means_.empty()) return {};
    return means_[static_cast<std::size_t>(layer)].all().col_range(first, count);
  }

 private:
  /// Means over all tokens of all texts, pooled: every token counts the same.
  void pool(transformer<B, Arch> const& model, std::span<std::vector<token> const> texts, site_id site,
            workspace<B>& ws) {
    index rows = 0;
    for (auto const& t : texts) rows += std::ssize(t);
    for (std::size_t first = 0; first < texts.size();) {
      batch<B> input;
      while (first < texts.size() && (input.rows() == 0 || input.rows() + std::ssize(texts[first]) <= 512))
        input.add(texts[first++]);
      site_recorder<B> recorder(site);
      hook_table<B> hooks;
      hooks.add(recorder);
      forward(model, input, hooks, ws, std::span<index const>{});
      for (index l = 0; l < model.arch().layers; ++l) {
        const_view<B> const value = recorder.get(l);
        if (std::ssize(means_) <= l) means_.emplace_back(1, value.cols);
        ops::column_sum<B>(static_cast<typename B::scalar>(1.0 / static_cast<double>(rows)), value,
                           means_[static_cast<std::size_t>(l)].all());
      }
    }
  }

  bool active_;
  std::vector<tensor<B>> means_;
};

/// The description that every estimator's table starts from.
template <class B, class Arch>
[[nodiscard]] effect_table make_effect_table(transformer<B, Arch> const& model,
                                             std::span<contrast_pair const> pairs, metric m,
                                             do_operator const& change, direction d, unit_kind kind,
                                             std::string_view at) {
  effect_table out;
  out.model = model.identity();
  out.layers = model.arch().layers;
  out.heads = model.arch().heads;
  out.change = name(change);
  out.direction = name(d);
  out.metric = m.name();
  out.kind = kind;
  out.at = at;
  for (contrast_pair const& p : pairs) out.example_lines.push_back(p.line);
  out.clean.assign(pairs.size(), 0);
  if (std::holds_alternative<resample>(change) || std::holds_alternative<subject_noise>(change))
    out.corrupted.assign(pairs.size(), 0);
  return out;
}

}  // namespace lancet
