// SPDX-License-Identifier: Apache-2.0
// train: minimises an objective on harmful pairs plus preservation terms, with respect to an intervention's parts.
//
//   loss = E_harm[objective(metric)] + λ_norm·R + λ_pairs·E_keep[(m − m₀)²] + λ_text·E_text[KL(P₀ ‖ P)]
// R is the mean over parts of the mean over tokens of ‖W'x − Wx‖₂ (‖δ‖₂ for offsets), x from the frozen model. Weights
// are frozen, so everything below the lowest part is computed once: each step starts there.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>

#include "lancet/causal/sweep.hpp"
#include "lancet/core/progress.hpp"
#include "lancet/intervene/intervention.hpp"
#include "lancet/intervene/objective.hpp"
#include "lancet/intervene/optimizer.hpp"
#include "lancet/intervene/schedule.hpp"

namespace lancet {

/// What training sees. Token windows of text are sequences of their own.
struct training_data {
  std::vector<contrast_pair> harm;
  std::vector<contrast_pair> keep = {};           ///< pairs whose log-odds must stay
  std::vector<std::vector<token>> text = {};      ///< neutral text, for the preservation of W'x and of predictions
  std::vector<contrast_pair> validation = {};     ///< harm on the validation split, for early stopping
  std::vector<contrast_pair> keep_validation = {};
};

struct training_options {
  lancet::objective objective;
  double norm_weight = 0;       ///< λ of ‖W'x − Wx‖₂
  double keep_weight = 0;       ///< λ of (m − m₀)² on keep pairs
  double text_weight = 0;       ///< λ of KL(P₀ ‖ P) on text, nats a token
  index steps = 150;
  index harm_batch = 0;         ///< pairs a step; 0: all
  index keep_batch = 0;
  index text_batch = 1;         ///< windows a step, where text_weight > 0
  optimizer_options optimizer = {};
  learning_rate_schedule schedule = {};
  double clip = 0;              ///< largest norm of the gradient; 0: no clipping
  index validate_every = 0;     ///< steps; 0: never
  index patience = 0;           ///< validations without improvement before stopping; 0: never stop early
  std::uint64_t seed = 0;
  progress* report = nullptr;
  std::function<void(index step)> after_step = {};  ///< checkpoints, say
};

/// Everything about a training run between two steps; restoring it continues bit for bit.
template <class Scalar>
struct training_state {
  index step = 0;
  std::vector<std::vector<Scalar>> values, best;
  optimizer_state<Scalar> optimizer;
  double best_score = 0;
  index best_step = -1;
  index since_best = 0;
  std::vector<training_record> history;
};

/// What training reads of the frozen model, computed once and shared by any number of trainings on the same data: the
/// residual of every prompt before some layers, and the metric of every example.
template <class B, class Arch = architecture>
class training_cache {
 public:
  /// Prompts with their residuals before each of `layers`, which training never changes.
  struct cached_prompts {
    std::vector<prompt> prompts;
    std::vector<std::vector<index>> of_example;  // runs of each example
    std::vector<std::vector<tensor<B>>> resid;   // [layers][prompts]: [T, D]
    std::vector<double> base;                    // metric of each example in the frozen model
  };
  struct text_window {
    std::vector<token> tokens;
    std::vector<tensor<B>> resid;  // [layers]: [T, D]
  };

  /// An intervention trained with this cache starts at the highest of `at_layers` that none of its parts lies below.
  training_cache(transformer<B, Arch> const& model, training_data const& data, objective const& what, std::vector<index> at_layers)
      : layers(std::move(at_layers)), model_(model) {
    std::sort(layers.begin(), layers.end());
    layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    harm = cache(data.harm, what.metric(), what.paired());
    keep = cache(data.keep, log_odds{}, false);
    validation = cache(data.validation, what.metric(), what.paired());
    keep_validation = cache(data.keep_validation, log_odds{}, false);
    for (std::vector<token> const& window : data.text) {
      batch<B> input;
      input.add(window);
      record<B, site::resid_pre> recorder;
      hook_table<B> hooks;
      hooks.add(recorder);
      forward(model_, input, hooks, ws_, std::span<index const>{});
      text.push_back({window, {}});
      for (index const l : layers) text.back().resid.push_back(tensor<B>::clone(recorder.template get<site::resid_pre>(l)));
    }
  }

  std::vector<index> layers;  // ascending
  cached_prompts harm, keep, validation, keep_validation;
  std::vector<text_window> text;

 private:
  /// `paired`: the corrupted prompt is run too, and its metric subtracted.
  [[nodiscard]] cached_prompts cache(std::vector<contrast_pair> const& pairs, metric m, bool paired) {
    cached_prompts out;
    out.of_example.resize(pairs.size());
    out.base.assign(pairs.size(), 0.0);
    for (std::size_t e = 0; e < pairs.size(); ++e) {
      auto const add = [&](std::vector<token> const& words, double sign) {
        for (prompt& p : metric_prompts(m, pairs[e], words, static_cast<index>(e))) {
          for (token_query& q : p.queries) q.coefficient *= sign;
          out.of_example[e].push_back(std::ssize(out.prompts));
          out.prompts.push_back(std::move(p));
        }
      };
      add(pairs[e].clean, 1);
      if (!paired) continue;
      if (pairs[e].corrupted.empty())
        throw usage_error("train: objective counterfactual_gap: line " + std::to_string(pairs[e].line) + " has no corrupted prompt");
      add(pairs[e].corrupted, -1);
    }
    for (std::size_t first = 0; first < out.prompts.size();) {
      batch<B> input;
      readout_plan plan;
      std::size_t last = first;
      std::vector<index> owner;
      for (; last < out.prompts.size() && (last == first || input.rows() + std::ssize(out.prompts[last].tokens) <= 512); ++last) {
        for (token_query q : out.prompts[last].queries) {
          plan.rows.push_back(input.rows() + q.row);
          q.row = std::ssize(plan.rows) - 1;
          plan.queries.push_back(q);
        }
        input.add(out.prompts[last].tokens);
      }
      plan.examples = std::ssize(pairs);
      record<B, site::resid_pre> recorder;
      hook_table<B> hooks;
      hooks.add(recorder);
      forward(model_, input, hooks, ws_, std::span<index const>(plan.rows));
      std::vector<double> const values = readout<B, Arch, hook_table<B>>(model_, hooks, ws_).values(plan);
      for (std::size_t e = 0; e < pairs.size(); ++e) out.base[e] += values[e];
      for (std::size_t i = first; i < last; ++i) {
        segment const& s = input.segments[i - first];
        out.resid.resize(layers.size());
        for (std::size_t n = 0; n < layers.size(); ++n)
          out.resid[n].push_back(tensor<B>::clone(recorder.template get<site::resid_pre>(layers[n]).row_range(s.row, s.rows)));
      }
      first = last;
    }
    return out;
  }

  transformer<B, Arch> const& model_;
  workspace<B> ws_;
};

template <class B, class Arch = architecture>
class trainer {
  using cached_prompts = typename training_cache<B, Arch>::cached_prompts;
  using T = typename B::scalar;
  using hooks_type = hook_table<B>;

 public:
  /// `cache`, if given, was made from the same data and objective, at or below the lowest part.
  trainer(transformer<B, Arch> const& model, intervention<B>& what, training_data const& data, training_options const& options,
          std::shared_ptr<training_cache<B, Arch> const> cache = nullptr)
      : model_(model), what_(what), options_(options), optimizer_(options.optimizer, parameters()) {
    if (data.harm.empty()) throw usage_error("train: got no harmful pairs, expected at least one");
    if (options.keep_weight > 0 && data.keep.empty()) throw usage_error("train: keep_weight > 0 needs keep pairs");
    if ((options.text_weight > 0 || options.norm_weight > 0) && data.text.empty() && needs_inputs())
      throw usage_error("train: a preservation term on text needs neutral text");
    require_same_model(what.model(), model.identity(), "intervention");
    what.hook(hooks_);
    index const lowest = lowest_layer();
    cache_ = cache ? std::move(cache)
                   : std::make_shared<training_cache<B, Arch> const>(model, data, options.objective, std::vector{lowest});
    if (cache_->layers.front() > lowest)
      fail_expected("train", "a cache from layer " + std::to_string(cache_->layers.front()),
                    "one at or below the lowest part's layer " + std::to_string(lowest));
    while (slot_ + 1 < cache_->layers.size() && cache_->layers[slot_ + 1] <= lowest) ++slot_;
    record_inputs();
    state_.best_score = std::numeric_limits<double>::infinity();
    for (contrast_pair const& p : data.harm) what_.trained_on.push_back(p.line);
  }

  [[nodiscard]] bool finished() const {
    return state_.step >= options_.steps || (options_.patience > 0 && state_.since_best >= options_.patience);
  }

  /// Runs until finished, then leaves the best parameters (by validation, the last ones without) in the intervention.
  void run() {
    while (!finished()) {
      step();
      if (options_.after_step) options_.after_step(state_.step);
    }
    finish();
  }

  /// One step; returns its record.
  training_record const& step() {
    training_record record;
    record.step = state_.step;
    what_.zero_gradients();
    loss_and_gradient(record);
    auto params = parameters();
    record.gradient_norm = options_.clip > 0 ? clip_gradients<T>(params, options_.clip) : gradient_norm<T>(params);
    if (!std::isfinite(record.loss)) throw error("train: the loss is not finite at step " + std::to_string(state_.step));
    record.learning_rate = options_.schedule(state_.step);
    optimizer_.step(params, record.learning_rate);
    ++state_.step;
    if (options_.validate_every > 0 && (state_.step % options_.validate_every == 0 || state_.step == options_.steps)) validate(record);
    state_.history.push_back(record);
    if (options_.report) options_.report->advance();
    return state_.history.back();
  }

  /// Loss and gradients at the present parameters, without a step (`gradients` must be zero before).
  void loss_and_gradient(training_record& record) {
    std::vector<index> const harm = sample(cache_->harm, options_.harm_batch, "harm"), keep = sample(cache_->keep, options_.keep_weight > 0 ? options_.keep_batch : -1, "keep");
    gather_batch(harm, keep);
    forward_from_cache(hooks_, pass_kind::record);
    readout<B, Arch, hooks_type> reader(model_, hooks_, ws_);
    std::vector<double> const values = reader.values(plan_);
    std::vector<double> slopes(values.size());
    double const n = static_cast<double>(harm.size()), m = static_cast<double>(keep.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i < harm.size()) {
        record.harm += options_.objective.loss(values[i]) / n;
        slopes[i] = options_.objective.slope(values[i]) / n;
      } else {
        double const moved = values[i] - cache_->keep.base[static_cast<std::size_t>(keep[i - harm.size()])];
        record.keep += moved * moved / m;
        slopes[i] = options_.keep_weight * 2 * moved / m;
      }
    }
    reader.gradient(plan_, slopes, g_final_);
    backward(model_, hooks_, ws_, g_final_);
    double text = 0;
    if (options_.text_weight > 0) text = text_term();
    if (options_.norm_weight > 0) record.norm = preservation(options_.norm_weight);
    record.keep = options_.keep_weight * record.keep + options_.text_weight * text;
    record.loss = record.harm + record.keep + options_.norm_weight * record.norm;
  }

  /// Means over the validation pairs: squared metric, and squared movement of the keep pairs.
  void validate(training_record& record) {
    double score = 0;
    std::vector<double> const harm = evaluate(cache_->validation), keep = evaluate(cache_->keep_validation);
    for (double const v : harm) score += options_.objective.loss(v) / static_cast<double>(harm.size());
    for (std::size_t i = 0; i < keep.size(); ++i)
      score += options_.keep_weight * std::pow(keep[i] - cache_->keep_validation.base[i], 2) / static_cast<double>(keep.size());
    record.validation = score;
    if (score < state_.best_score) {
      state_.best_score = score;
      state_.best_step = state_.step;
      state_.since_best = 0;
      state_.best = values();
    } else {
      ++state_.since_best;
    }
  }

  void finish() {
    if (state_.best_step >= 0) restore_values(state_.best);
    what_.history = state_.history;
  }

  [[nodiscard]] training_state<T> state() {
    training_state<T> out = state_;
    out.values = values();
    out.optimizer = optimizer_.state();
    return out;
  }
  void restore(training_state<T> const& saved) {
    restore_values(saved.values);
    optimizer_.restore(saved.optimizer);
    state_ = saved;
    state_.optimizer.arrays.clear();  // they point into what was saved
  }
  [[nodiscard]] index step_number() const { return state_.step; }
  [[nodiscard]] index best_step() const { return state_.best_step; }

 private:
  [[nodiscard]] bool needs_inputs() const {
    for (auto const& p : what_.parts())
      if (p->input_site()) return true;
    return options_.text_weight > 0;
  }

  [[nodiscard]] index first_layer() const { return cache_->layers[slot_]; }
  [[nodiscard]] index lowest_layer() const {
    index lowest = model_.arch().layers - 1;
    for (auto const& p : what_.parts()) lowest = std::min(lowest, p->describe().layer);
    return lowest;
  }

  /// Inputs x of every part over the text, in the frozen model.
  void record_inputs() {
    if (options_.norm_weight == 0) return;
    inputs_.resize(what_.parts().size());
    index rows = 0, done = 0;
    for (auto const& w : cache_->text) rows += w.resid[slot_].rows();
    for (auto const& window : cache_->text) {
      std::vector<std::unique_ptr<site_recorder<B>>> recorders;
      hooks_type hooks;
      for (auto const& p : what_.parts()) {
        recorders.push_back(p->input_site() ? std::make_unique<site_recorder<B>>(*p->input_site()) : nullptr);
        if (recorders.back()) hooks.add(*recorders.back());
      }
      segment const whole{0, window.resid[slot_].rows(), 0, -1};
      const_view<B> const source = window.resid[slot_];
      run_layers(hooks, pass_kind::forward, std::span(&whole, 1), std::span(&source, 1), {});
      for (std::size_t i = 0; i < recorders.size(); ++i) {
        if (!recorders[i]) continue;
        const_view<B> const x = recorders[i]->get(what_.parts()[i]->describe().layer);
        if (inputs_[i].empty()) inputs_[i] = tensor<B>(rows, x.cols);
        B::copy(x, inputs_[i].all().row_range(done, x.rows));
      }
      done += window.resid[slot_].rows();
    }
  }

  /// Mean over parts of ‖W'x − Wx‖₂, with weight·its gradient.
  [[nodiscard]] double preservation(double weight) {
    double sum = 0;
    double const parts = static_cast<double>(what_.parts().size());
    for (std::size_t i = 0; i < what_.parts().size(); ++i)
      sum += what_.parts()[i]->preservation(i < inputs_.size() ? const_view<B>(inputs_[i]) : const_view<B>{}, weight / parts);
    return sum / parts;
  }

  /// Mean KL(P₀ ‖ P) over the rows of this step's windows, with its gradient.
  [[nodiscard]] double text_term() {
    std::vector<segment> segments;
    std::vector<index> rows;
    std::vector<const_view<B>> parts;
    index total = 0;
    for (index const w : draw(std::ssize(cache_->text), options_.text_batch, "text")) {
      auto const& t = cache_->text[static_cast<std::size_t>(w)];
      segments.push_back({total, std::ssize(t.tokens), 0, -1});
      parts.push_back(t.resid[slot_]);
      total += std::ssize(t.tokens);
    }
    rows.resize(static_cast<std::size_t>(total));
    std::iota(rows.begin(), rows.end(), index{0});
    hooks_type none;
    run_layers(none, pass_kind::forward, segments, parts, rows);
    logits(model_, none, ws_);
    tensor<B> const base = tensor<B>::clone(ws_.readout.logits);  // [M, V]
    std::vector<double> base_lse(rows.size()), lse(rows.size()), ones(rows.size(), 1.0);
    ops::log_sum_exp<B>(base, base_lse);
    run_layers(hooks_, pass_kind::record, segments, parts, rows);
    logits(model_, hooks_, ws_);
    ops::log_sum_exp<B>(ws_.readout.logits, lse);
    double const weight = options_.text_weight / static_cast<double>(total);
    tensor<B> p0(total, model_.arch().vocabulary), difference(total, model_.arch().vocabulary), dots(total, 1);
    ops::scaled_softmax<B>(base, base_lse, ones, p0.all());
    B::copy(base, difference.all());
    ops::axpy<B>(-1, ws_.readout.logits, difference.all());
    ops::row_dot<B>(p0, difference, dots.all());
    std::vector<T> host(rows.size());
    B::download(dots, host.data());
    double kl = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) kl += static_cast<double>(host[i]) - base_lse[i] + lse[i];
    std::vector<double> const scaled(rows.size(), weight);
    ops::scaled_softmax<B>(ws_.readout.logits, lse, scaled, difference.all());
    ops::axpy<B>(static_cast<T>(-weight), p0, difference.all());
    g_final_.resize(total, model_.arch().width);
    ops::fill<B>(g_final_.all(), 0);
    backward_pass<B, Arch, hooks_type>(model_, hooks_, ws_).logits(difference, g_final_);
    backward(model_, hooks_, ws_, g_final_);
    return kl / static_cast<double>(total);
  }

  /// `count` of `n` numbers for this step: a new shuffle every epoch, keyed by (seed, name, epoch).
  [[nodiscard]] std::vector<index> draw(index n, index count, std::string_view name) const {
    std::vector<index> out;
    if (n == 0 || count < 0) return out;
    if (count == 0 || count >= n) {
      out.resize(static_cast<std::size_t>(n));
      std::iota(out.begin(), out.end(), index{0});
      return out;
    }
    for (index i = state_.step * count; i < (state_.step + 1) * count; ++i) {
      philox_stream const stream = philox_stream(options_.seed, name).at(i / n);
      std::vector<index> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), index{0});
      for (index j = n - 1; j > 0; --j)
        std::swap(order[static_cast<std::size_t>(j)],
                  order[static_cast<std::size_t>(stream.below(static_cast<std::uint64_t>(j), static_cast<std::uint64_t>(j) + 1))]);
      out.push_back(order[static_cast<std::size_t>(i % n)]);
    }
    return out;
  }
  [[nodiscard]] std::vector<index> sample(cached_prompts const& from, index count, std::string_view name) const {
    return draw(std::ssize(from.of_example), count, name);
  }

  void gather_batch(std::span<index const> harm, std::span<index const> keep) {
    plan_.clear();
    segments_.clear();
    sources_.clear();
    index row = 0;
    auto const add = [&](cached_prompts const& from, std::span<index const> examples) {
      for (index const e : examples) {
        for (index const r : from.of_example[static_cast<std::size_t>(e)]) {
          prompt const& p = from.prompts[static_cast<std::size_t>(r)];
          for (token_query q : p.queries) {
            plan_.rows.push_back(row + q.row);
            q.row = std::ssize(plan_.rows) - 1;
            q.example = plan_.examples;
            plan_.queries.push_back(q);
          }
          segments_.push_back({row, std::ssize(p.tokens), 0, -1});
          sources_.push_back(from.resid[slot_][static_cast<std::size_t>(r)]);
          row += std::ssize(p.tokens);
        }
        ++plan_.examples;
      }
    };
    add(cache_->harm, harm);
    add(cache_->keep, keep);
  }
  void forward_from_cache(hooks_type& hooks, pass_kind kind) { run_layers(hooks, kind, segments_, sources_, plan_.rows); }

  /// Layers first_layer() … L − 1 from cached residuals, then the final norm of the rows to read.
  void run_layers(hooks_type& hooks, pass_kind kind, std::span<segment const> segments, std::span<const_view<B> const> sources,
                  std::span<index const> rows) {
    forward_pass<B, Arch, hooks_type> pass(model_, hooks, ws_, kind);
    pass.begin(segments, {});
    tensor<B>& resid = ws_.layer(first_layer()).resid_pre;
    resid.resize(ws_.rows, model_.arch().width);
    for (std::size_t i = 0; i < segments.size(); ++i) B::copy(sources[i], resid.all().row_range(segments[i].row, segments[i].rows));
    for (index l = first_layer(); l < model_.arch().layers; ++l) pass.layer(l);
    pass.read(rows);
    pass.end();
  }

  /// The metric of every example of a set, under the intervention.
  [[nodiscard]] std::vector<double> evaluate(cached_prompts const& of) {
    std::vector<double> out(of.of_example.size(), 0.0);
    for (std::size_t first = 0; first < of.prompts.size();) {
      readout_plan plan;
      std::vector<segment> segments;
      std::vector<const_view<B>> sources;
      index row = 0;
      std::size_t last = first;
      for (; last < of.prompts.size() && (last == first || row + std::ssize(of.prompts[last].tokens) <= 512); ++last) {
        prompt const& p = of.prompts[last];
        for (token_query q : p.queries) {
          plan.rows.push_back(row + q.row);
          q.row = std::ssize(plan.rows) - 1;
          plan.queries.push_back(q);
        }
        segments.push_back({row, std::ssize(p.tokens), 0, -1});
        sources.push_back(of.resid[slot_][last]);
        row += std::ssize(p.tokens);
      }
      plan.examples = std::ssize(out);
      run_layers(hooks_, pass_kind::forward, segments, sources, plan.rows);
      std::vector<double> const values = readout<B, Arch, hooks_type>(model_, hooks_, ws_).values(plan);
      for (std::size_t e = 0; e < out.size(); ++e) out[e] += values[e];
      first = last;
    }
    return out;
  }

  [[nodiscard]] std::vector<parameter_span<T>> parameters() {
    static_assert(B::host, "lancet::train: the optimiser works on parameters in host memory");
    std::vector<parameter_span<T>> out;
    for (auto const& t : what_.tensors()) {
      auto const n = static_cast<std::size_t>(t.value->rows() * t.value->cols());
      out.push_back({t.name, {t.value->all().data, n}, {t.gradient->all().data, n}});
    }
    return out;
  }
  [[nodiscard]] std::vector<std::vector<T>> values() {
    std::vector<std::vector<T>> out;
    for (auto const& p : parameters()) out.emplace_back(p.value.begin(), p.value.end());
    return out;
  }
  void restore_values(std::vector<std::vector<T>> const& saved) {
    auto params = parameters();
    if (saved.size() != params.size()) throw usage_error("train: a saved state has " + std::to_string(saved.size()) + " parameters, expected " + std::to_string(params.size()));
    for (std::size_t i = 0; i < saved.size(); ++i) {
      if (saved[i].size() != params[i].value.size()) throw usage_error("train: saved parameter '" + params[i].name + "' has another size");
      std::copy(saved[i].begin(), saved[i].end(), params[i].value.begin());
    }
  }

  transformer<B, Arch> const& model_;
  intervention<B>& what_;
  training_options options_;
  optimizer<T> optimizer_;
  hooks_type hooks_;
  workspace<B> ws_;
  std::shared_ptr<training_cache<B, Arch> const> cache_;
  std::size_t slot_ = 0;  // of the cache's layers: where passes start
  std::vector<tensor<B>> inputs_;  // of each part: [N, columns of its site]
  readout_plan plan_;
  std::vector<segment> segments_;
  std::vector<const_view<B>> sources_;
  tensor<B> g_final_;
  training_state<T> state_;
};

/// Makes an intervention of the given kind on a circuit and trains it.
template <class Kind, class B, class Arch>
[[nodiscard]] intervention<B> train(Kind const& kind, transformer<B, Arch> const& model, circuit const& found, training_data const& data,
                                    training_options const& options) {
  intervention<B> out = make_intervention<B>(kind, model.arch(), model.identity(), found, options.seed);
  trainer<B, Arch>(model, out, data, options).run();
  return out;
}

}  // namespace lancet
