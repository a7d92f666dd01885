// SPDX-License-Identifier: Apache-2.0
// train: minimises an objective on harmful pairs plus preservation terms, with respect to an intervention's
// parts.
//
//   loss = E_harm[objective(metric)] + λ_norm·R + λ_pairs·E_keep[(m − m₀)²] + λ_text·E_text[KL(P₀ ‖ P)]
// R is the mean over parts of the mean over tokens of ‖W'x − Wx‖₂ (‖δ‖₂ for offsets), x from the frozen
// model. Weights are frozen, so everything below the lowest part is computed once: each step starts there.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>

#include "lancet/causal/sweep.hpp"
#include "lancet/core/progress.hpp"
#include "lancet/intervene/frozen_pairs.hpp"
#include "lancet/intervene/frozen_text.hpp"
#include "lancet/intervene/host_parameters.hpp"
#include "lancet/intervene/intervention.hpp"
#include "lancet/intervene/objective.hpp"
#include "lancet/intervene/optimizer.hpp"
#include "lancet/intervene/schedule.hpp"

namespace lancet {

/// What training sees. Token windows of text are sequences of their own.
struct training_data {
  std::vector<contrast_pair> harm;
  std::vector<contrast_pair> keep = {};  ///< pairs whose log-odds must stay
  std::vector<std::vector<token>> text =
      {};  ///< neutral text, for the preservation of W'x and of predictions
  std::vector<contrast_pair> validation = {};  ///< harm on the validation split, for early stopping
  std::vector<contrast_pair> keep_validation = {};
};

struct training_options {
  lancet::objective objective;
  double norm_weight = 0;  ///< λ of ‖W'x − Wx‖₂
  double keep_weight = 0;  ///< λ of (m − m₀)² on keep pairs
  double text_weight = 0;  ///< λ of KL(P₀ ‖ P) on text, nats a token
  index steps = 150;
  index harm_batch = 0;  ///< pairs a step; 0: all
  index keep_batch = 0;
  index text_batch = 1;  ///< windows a step, where text_weight > 0
  optimizer_options optimizer = {};
  learning_rate_schedule schedule = {};
  double clip = 0;           ///< largest norm of the gradient; 0: no clipping
  index validate_every = 0;  ///< steps; 0: never. Needs validation pairs
  index patience = 0;        ///< validations without improvement before stopping; 0: never stop early
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

/// What training reads of the frozen model, computed once and shared by any number of trainings on the same
/// data. An intervention trained with it starts at the highest of `layers` that none of its parts lies below.
template <class B, class Arch = architecture>
struct training_cache {
  training_cache(transformer<B, Arch> const& model, training_data const& data, objective const& what,
                 std::vector<index> at)
      : layers(ascending(std::move(at))),
        harm(model, data.harm, what.metric(), what.paired(), layers),
        keep(model, data.keep, log_odds{}, false, layers),
        validation(model, data.validation, what.metric(), what.paired(), layers),
        keep_validation(model, data.keep_validation, log_odds{}, false, layers),
        text(model, data.text, layers) {}

  std::vector<index> layers;
  frozen_pairs<B, Arch> harm, keep, validation, keep_validation;
  frozen_text<B, Arch> text;
};

template <class B, class Arch = architecture>
class trainer {
  using T = typename B::scalar;
  using hooks_type = hook_table<B>;

 public:
  /// `cache`, if given, was made from the same data and objective, at or below the lowest part.
  trainer(transformer<B, Arch> const& model, intervention<B>& what, training_data const& data,
          training_options const& options, std::shared_ptr<training_cache<B, Arch> const> cache = nullptr)
      : model_(model),
        what_(what),
        options_(options),
        parameters_(what.tensors()),
        optimizer_(options.optimizer, parameters_.spans()) {
    if (data.harm.empty()) throw usage_error("train: got no harmful pairs, expected at least one");
    if (options.keep_weight > 0 && data.keep.empty())
      throw usage_error("train: keep_weight > 0 needs keep pairs");
    if ((options.text_weight > 0 || options.norm_weight > 0) && data.text.empty() && needs_inputs())
      throw usage_error("train: a preservation term on text needs neutral text");
    if (options.validate_every > 0 && data.validation.empty())
      throw usage_error("train: validate_every > 0 needs validation pairs");
    if (options.patience > 0 && options.validate_every == 0)
      throw usage_error("train: patience > 0 needs validate_every > 0");
    require_same_model(what.model(), model.identity(), "intervention");
    what.hook(hooks_);
    index const lowest = what.lowest_layer();
    cache_ = cache ? std::move(cache)
                   : std::make_shared<training_cache<B, Arch> const>(model, data, options.objective,
                                                                     std::vector{lowest});
    slot_ = layer_slot(cache_->layers, lowest);
    record_inputs();
    state_.best_score = std::numeric_limits<double>::infinity();
    for (contrast_pair const& p : data.harm) what_.trained_on.push_back(p.line);
  }

  [[nodiscard]] bool finished() const {
    return state_.step >= options_.steps || (options_.patience > 0 && state_.since_best >= options_.patience);
  }

  /// Runs until finished, then leaves the best parameters (by validation, the last ones without) in the
  /// intervention.
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
    parameters_.fetch();
    auto const spans = parameters_.spans();
    record.gradient_norm =
        options_.clip > 0 ? clip_gradients<T>(spans, options_.clip) : gradient_norm<T>(spans);
    if (!std::isfinite(record.loss))
      throw error("train: the loss is not finite at step " + std::to_string(state_.step));
    record.learning_rate = options_.schedule(state_.step);
    optimizer_.step(spans, record.learning_rate);
    parameters_.store();
    ++state_.step;
    if (options_.validate_every > 0 &&
        (state_.step % options_.validate_every == 0 || state_.step == options_.steps))
      validate(record);
    state_.history.push_back(record);
    if (options_.report) options_.report->advance();
    return state_.history.back();
  }

  /// Loss and gradients at the present parameters, without a step (`gradients` must be zero before).
  void loss_and_gradient(training_record& record) {
    std::vector<index> const harm = draw(cache_->harm.size(), options_.harm_batch, "harm"),
                             keep = draw(cache_->keep.size(),
                                         options_.keep_weight > 0 ? options_.keep_batch : -1, "keep");
    input_.clear();
    for (index const e : harm) cache_->harm.add_to(input_, e, slot_);
    for (index const e : keep) cache_->keep.add_to(input_, e, slot_);
    forward_from(first_layer(), model_, input_, hooks_, ws_, pass_kind::record);
    readout<B, Arch, hooks_type> reader(model_, hooks_, ws_);
    std::vector<double> const values = reader.values(input_.plan);
    std::vector<double> slopes(values.size());
    double const n = static_cast<double>(harm.size()), m = static_cast<double>(keep.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i < harm.size()) {
        record.harm += options_.objective.loss(values[i]) / n;
        slopes[i] = options_.objective.slope(values[i]) / n;
      } else {
        double const moved = values[i] - cache_->keep.base()[static_cast<std::size_t>(keep[i - harm.size()])];
        record.keep += moved * moved / m;
        slopes[i] = options_.keep_weight * 2 * moved / m;
      }
    }
    reader.gradient(input_.plan, slopes, g_final_);
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
    std::vector<double> const harm = cache_->validation.values(hooks_, slot_, ws_),
                              keep = cache_->keep_validation.values(hooks_, slot_, ws_);
    for (double const v : harm) score += options_.objective.loss(v) / static_cast<double>(harm.size());
    for (std::size_t i = 0; i < keep.size(); ++i)
      score += options_.keep_weight * std::pow(keep[i] - cache_->keep_validation.base()[i], 2) /
               static_cast<double>(keep.size());
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
      if (p->input_site(model_.arch())) return true;
    return options_.text_weight > 0;
  }

  [[nodiscard]] index first_layer() const { return cache_->layers[slot_]; }
  /// Inputs x of every part over the text, in the frozen model.
  void record_inputs() {
    if (options_.norm_weight == 0) return;
    inputs_.resize(what_.parts().size());
    index rows = 0, done = 0;
    for (index w = 0; w < cache_->text.size(); ++w) rows += std::ssize(cache_->text.window(w));
    for (index w = 0; w < cache_->text.size(); ++w) {
      std::vector<std::unique_ptr<site_recorder<B>>> recorders;
      hooks_type hooks;
      for (auto const& p : what_.parts()) {
        std::optional<site_id> const site = p->input_site(model_.arch());
        recorders.push_back(site ? std::make_unique<site_recorder<B>>(*site) : nullptr);
        if (recorders.back()) hooks.add(*recorders.back());
      }
      frozen_batch<B> input;
      input.place(cache_->text.residual(w, slot_));
      forward_from(first_layer(), model_, input, hooks, ws_);
      for (std::size_t i = 0; i < recorders.size(); ++i) {
        if (!recorders[i]) continue;
        const_view<B> const x = recorders[i]->get(what_.parts()[i]->layer());
        if (inputs_[i].empty()) inputs_[i] = tensor<B>(rows, x.cols);
        B::copy(x, inputs_[i].all().row_range(done, x.rows));
      }
      done += input.rows();
    }
  }

  /// Mean over parts of ‖W'x − Wx‖₂, with weight·its gradient.
  [[nodiscard]] double preservation(double weight) {
    double sum = 0;
    double const parts = static_cast<double>(what_.parts().size());
    for (std::size_t i = 0; i < what_.parts().size(); ++i)
      sum += what_.parts()[i]->preservation(i < inputs_.size() ? const_view<B>(inputs_[i]) : const_view<B>{},
                                            weight / parts);
    return sum / parts;
  }

  /// Mean KL(P₀ ‖ P) over the rows of this step's windows, with its gradient.
  [[nodiscard]] double text_term() {
    std::vector<index> const windows = draw(cache_->text.size(), options_.text_batch, "text");
    input_.clear();
    for (index const w : windows) cache_->text.add_to(input_, w, slot_);
    index const total = input_.rows();
    tensor<B> const base = cache_->text.base_logits(windows, ws_);  // [M, V]
    forward_from(first_layer(), model_, input_, hooks_, ws_, pass_kind::record);
    logits(model_, hooks_, ws_);
    kl_terms<B> const kl = kl_from<B>(base, ws_.readout.logits);
    double const weight = options_.text_weight / static_cast<double>(total);
    tensor<B> slope(total, sizes<Arch>(model_.arch()).outputs);  // weight·(P − P₀)
    ops::scaled_softmax<B>(ws_.readout.logits, kl.lse, std::vector<double>(kl.lse.size(), weight),
                           slope.all());
    ops::axpy<B>(static_cast<T>(-weight), kl.p0, slope.all());
    g_final_.resize(total, model_.arch().width);
    ops::fill<B>(g_final_.all(), 0);
    backward_pass<B, Arch, hooks_type>(model_, hooks_, ws_).logits(slope, g_final_);
    backward(model_, hooks_, ws_, g_final_);
    return kl.sum / static_cast<double>(total);
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
                  order[static_cast<std::size_t>(
                      stream.below(static_cast<std::uint64_t>(j), static_cast<std::uint64_t>(j) + 1))]);
      out.push_back(order[static_cast<std::size_t>(i % n)]);
    }
    return out;
  }

  [[nodiscard]] std::vector<std::vector<T>> values() {
    parameters_.fetch();
    std::vector<std::vector<T>> out;
    for (auto const& p : parameters_.spans()) out.emplace_back(p.value.begin(), p.value.end());
    return out;
  }
  void restore_values(std::vector<std::vector<T>> const& saved) {
    auto const params = parameters_.spans();
    if (saved.size() != params.size())
      throw usage_error("train: a saved state has " + std::to_string(saved.size()) +
                        " parameters, expected " + std::to_string(params.size()));
    for (std::size_t i = 0; i < saved.size(); ++i) {
      if (saved[i].size() != params[i].value.size())
        throw usage_error("train: saved parameter '" + params[i].name + "' has another size");
      std::copy(saved[i].begin(), saved[i].end(), params[i].value.begin());
    }
    parameters_.store();
  }

  transformer<B, Arch> const& model_;
  intervention<B>& what_;
  training_options options_;
  host_parameters<B> parameters_;
  optimizer<T> optimizer_;
  hooks_type hooks_;
  workspace<B> ws_;
  std::shared_ptr<training_cache<B, Arch> const> cache_;
  std::size_t slot_ = 0;           // of the cache's layers: where passes start
  std::vector<tensor<B>> inputs_;  // of each part: [N, columns of its site]
  frozen_batch<B> input_;
  tensor<B> g_final_;
  training_state<T> state_;
};

/// Makes an intervention of the given kind on a circuit and trains it.
template <class Kind, class B, class Arch>
[[nodiscard]] intervention<B> train(Kind const& kind, transformer<B, Arch> const& model, circuit const& found,
                                    training_data const& data, training_options const& options) {
  intervention<B> out = make_intervention<B>(kind, model.arch(), model.identity(), found, options.seed);
  trainer<B, Arch>(model, out, data, options).run();
  return out;
}

}  // namespace lancet
