// SPDX-License-Identifier: Apache-2.0
#include "lancet/model_verbs/surgery_estimate.hpp"

#include <algorithm>
#include <chrono>

#include "lancet/model_verbs/surgery_cut.hpp"
#include "lancet/model_verbs/surgery_effects.hpp"
#include "lancet/model_verbs/validation_cost.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

using namespace lancet;  // NOLINT: a program's own file
using lancet::index;

namespace {

template <class F>
[[nodiscard]] double seconds_of(F&& work) {
  auto const start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Runs of patched heads, MLPs and positions.
[[nodiscard]] index interventions(architecture const& arch, effect_examples const& on) {
  return arch.layers *
         ((arch.heads + 1) * std::ssize(on.spread) + std::ssize(on.alike.at(0).clean) * std::ssize(on.alike));
}

/// The first pairs of every split.
[[nodiscard]] surgery_data first_of(surgery_data out, std::size_t pairs) {
  auto const cut = [&](pair_file& file) {
    auto const first = [&](auto& set) { set.pairs.resize(std::min(pairs, set.pairs.size())); };
    first(file.set<split::train>());
    first(file.set<split::validation>());
    first(file.set<split::test>());
  };
  cut(out.pairs);
  for (auto& [name, file] : out.keep) cut(file);
  return out;
}

/// Pairs that training and its validation read.
[[nodiscard]] std::size_t pairs_to_learn_from(surgery_data const& data) {
  std::size_t n = data.pairs.train().size() + data.pairs.validation().size();
  for (auto const& [name, file] : data.keep) n += file.train().size() + file.validation().size();
  return n;
}

[[nodiscard]] double ratio(auto a, auto b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

void print_plan(model_type const& model, common_options const& common, surgery_options const& o,
                surgery_data const& data) {
  common_options quiet = common;
  quiet.quiet = true;
  effect_examples const all = examples_of(o, data), one{{all.spread.at(0)}, {all.alike.at(0)}};
  surgery_results r;
  find_effects(model, quiet, one, data.pairs.path(), r);
  double const effects =
      r.effects_seconds * ratio(interventions(model.arch(), all), interventions(model.arch(), one));

  circuit const cut = first_units(select_circuit(r.heads, top{o.sizes.back()}), o.sizes.back());
  index const trainings = std::ssize(o.sizes) * (1 + o.draws);
  surgery_data const few = first_of(data, static_cast<std::size_t>(std::max(o.batch, o.keep_batch)));
  workshop shop(model, quiet, o, few);
  double const reading = seconds_of([&] { shop.prepare({lowest_layer(cut)}); }) *
                         ratio(pairs_to_learn_from(data), pairs_to_learn_from(few));
  auto [step, made] = shop.one_step(cut);
  double const training = reading + step * static_cast<double>(trainings * o.steps);

  validation_data unseen{data.pairs.test(), {}, data.held_out};
  for (auto const& [name, file] : data.keep) unseen.keep.emplace_back(name, file.test());
  validation_cost const cost = sample_validation(model, unseen, log_odds{}, made);
  index const judged = o.draws + 8,  // the surgery twice, its controls, other strengths
      windows = std::ssize(data.held_out) + (judged - 1) * validated_windows;
  double const validation =
      cost.reading + cost.pairs * static_cast<double>(judged) + cost.window * static_cast<double>(windows);
  print_summary(
      common,
      {{"plan", "effects, circuit, training, validation, report"},
       {"interventions", interventions(model.arch(), all)},
       {"trainings", trainings},
       {"steps_a_training", o.steps},
       {"validations", judged},
       {"windows_of_text", windows},
       {"estimated_seconds", effects + training + validation},
       {"estimated",
        {{"effects_seconds", effects}, {"training_seconds", training}, {"validation_seconds", validation}}}});
}

}  // namespace program::PROGRAM_BACKEND::surgery_verb
