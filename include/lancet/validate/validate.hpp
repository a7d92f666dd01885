// SPDX-License-Identifier: Apache-2.0
// validate: what an intervention did to unseen harm, to answers that must stay, and to neutral text. A
// validator reads the frozen model once, and then tells of any number of interventions.
#pragma once

#include <cstdint>
#include <limits>

#include "lancet/intervene/frozen_pairs.hpp"
#include "lancet/intervene/frozen_text.hpp"
#include "lancet/intervene/intervention.hpp"
#include "lancet/model/score.hpp"
#include "lancet/ops/elements.hpp"
#include "lancet/validate/measures.hpp"

namespace lancet {

struct validation_data {
  test_pairs harm;  ///< the type says it: never a training split
  std::vector<std::pair<std::string, test_pairs>> keep = {};
  std::vector<std::vector<token>> held_out = {};  ///< windows
  std::uint64_t seed = 0;                         ///< of the resamples behind intervals
};

template <class B, class Arch = architecture>
class validator {
 public:
  /// An intervention runs from the highest of `layers` that none of its parts lies below. Throws usage_error
  /// for an empty set.
  validator(transformer<B, Arch> const& model, validation_data data, metric m, std::vector<index> layers)
      : model_(model),
        data_(std::move(data)),
        metric_(m),
        layers_(ascending(std::move(layers))),
        harm_(freeze("harm", data_.harm, m)),
        text_(model, data_.held_out, layers_) {
    for (auto const& [name, pairs] : data_.keep) {
      keep_.push_back(freeze(name, pairs, log_odds{}));
      likelihood_.push_back(freeze(name, pairs, log_likelihood{}));
    }
    if (!data_.held_out.empty()) require_next_token_model(model.arch(), "validate: held-out text");
    if (!data_.held_out.empty() && text_.size() == 0)
      throw usage_error("validate: the held-out text has no window of at least two tokens");
  }

  /// Everything measured, on at most `windows` windows of text. Throws usage_error for another model's
  /// intervention or an item that it was trained on.
  [[nodiscard]] validation_result operator()(intervention<B>& what,
                                             index windows = std::numeric_limits<index>::max()) {
    require_same_model(what.model(), model_.identity(), "intervention");
    refuse_training_items(what, data_.harm);
    hook_table<B> hooks;
    what.hook(hooks);
    std::size_t const slot = layer_slot(layers_, what.lowest_layer());

    validation_result out;
    out.harm.name = metric_.name();
    compare(out.harm, harm_, metric_, hooks, slot);
    detail::summarise_harm(out.harm, data_.seed);
    for (std::size_t i = 0; i < keep_.size(); ++i) {
      keep_measure& k = out.keep.emplace_back();
      k.name = data_.keep[i].first;
      compare(k, keep_[i], log_odds{}, hooks, slot);
      compare(k.likelihood, likelihood_[i], log_likelihood{}, hooks, slot);
      detail::summarise_keep(k);
    }
    if (index const n = std::min(windows, text_.size()); n > 0) out.text = read_text(hooks, slot, n);
    out.verdict = judge(out);
    return out;
  }

 private:
  [[nodiscard]] frozen_pairs<B, Arch> freeze(std::string const& name, test_pairs const& pairs,
                                             metric m) const {
    if (pairs.pairs.empty())
      throw usage_error("validate: got an empty test split of '" + name + "', expected at least one pair");
    return {model_, pairs.pairs, m, false, layers_};
  }

  static void refuse_training_items(intervention<B> const& what, test_pairs const& pairs) {
    if (what.trained_on_source != pairs.source) return;
    for (contrast_pair const& p : pairs.pairs)
      if (std::find(what.trained_on.begin(), what.trained_on.end(), p.line) != what.trained_on.end())
        throw usage_error("validate: " + pairs.source + ":" + std::to_string(p.line) +
                          " was trained on; expected unseen pairs");
  }

  void compare(paired_measure& out, frozen_pairs<B, Arch> const& on, metric m, hook_table<B>& hooks,
               std::size_t slot) {
    for (double const v : on.base()) out.before.push_back(m.value(v));
    for (double const v : on.values(hooks, slot, ws_)) out.after.push_back(m.value(v));
  }

  [[nodiscard]] text_measure read_text(hook_table<B>& hooks, std::size_t slot, index windows) {
    text_measure out;
    out.name = "perplexity";
    double before = 0, after = 0, kl = 0;
    index tokens = 0, rows = 0;
    frozen_batch<B> input;
    for (index w = 0; w < windows; ++w) {
      input.clear();
      text_.add_to(input, w, slot);
      tensor<B> const base = text_.base_logits(std::span(&w, 1), ws_);  // [T, V]
      forward_from(layers_[slot], model_, input, hooks, ws_);
      logits(model_, hooks, ws_);
      kl_terms<B> const moved = kl_from<B>(base, ws_.readout.logits);
      double const was = surprise(base, moved.base_lse, text_.window(w)),
                   is = surprise(ws_.readout.logits, moved.lse, text_.window(w));
      index const n = std::ssize(text_.window(w)) - 1;
      out.before.push_back(was / static_cast<double>(n));
      out.after.push_back(is / static_cast<double>(n));
      before += was, after += is, kl += moved.sum;
      tokens += n, rows += input.rows();
    }
    out.perplexity_before = std::exp(before / static_cast<double>(tokens));
    out.perplexity_after = std::exp(after / static_cast<double>(tokens));
    out.kl = kl / static_cast<double>(rows);
    detail::summarise_pairs(out);
    return out;
  }

  /// −Σ log P of the tokens that follow each row.
  [[nodiscard]] double surprise(tensor<B> const& logits, std::vector<double> const& lse,
                                std::vector<token> const& window) {
    following_.clear();
    for (index i = 0; i + 1 < std::ssize(window); ++i)
      following_.push_back({i, window[static_cast<std::size_t>(i + 1)]});
    picked_.resize(std::ssize(following_), 1);
    ops::gather_elements<B>(logits, following_, picked_.all());
    read_.resize(following_.size());
    B::download(picked_, read_.data());
    double sum = 0;
    for (std::size_t i = 0; i < read_.size(); ++i) sum += lse[i] - static_cast<double>(read_[i]);
    return sum;
  }

  transformer<B, Arch> const& model_;
  validation_data data_;
  metric metric_;
  std::vector<index> layers_;
  frozen_pairs<B, Arch> harm_;
  frozen_text<B, Arch> text_;
  std::vector<frozen_pairs<B, Arch>> keep_, likelihood_;
  workspace<B> ws_;
  std::vector<ops::element> following_;
  tensor<B> picked_;  // [tokens, 1]
  std::vector<typename B::scalar> read_;
};

/// One intervention on unseen data, with the verdict.
template <class B, class Arch>
[[nodiscard]] validation_result validate(transformer<B, Arch> const& model, intervention<B>& what,
                                         validation_data const& data, metric m) {
  return validator<B, Arch>(model, data, m, {what.lowest_layer()})(what);
}

}  // namespace lancet
