// SPDX-License-Identifier: Apache-2.0
#include "lancet/model_verbs/surgery_cut.hpp"

#include <chrono>
#include <cstdio>

#include "lancet/circuit/random_circuit.hpp"
#include "lancet/io/intervention_folder.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

using namespace lancet;  // NOLINT: a program's own file
using lancet::index;

namespace {

[[nodiscard]] objective choose_objective(std::string const& word) {
  return choose<objective>("--objective", word,
                           {{"squared_gap", squared_gap{}},
                            {"counterfactual_gap", counterfactual_gap{}},
                            {"hinge_gap", hinge_gap{}},
                            {"harm_log_likelihood", harm_log_likelihood{}},
                            {"unlikelihood", unlikelihood{}}});
}

[[nodiscard]] test_pairs as_test(std::vector<contrast_pair> pairs, std::string source) {
  return {std::move(pairs), std::move(source)};
}

}  // namespace

circuit_breaker breaker_of(surgery_options const& o) {
  return {.rank = o.rank, .alpha = 2.0 * static_cast<double>(o.rank)};
}

training_options training_of(surgery_options const& o, std::uint64_t seed) {
  training_options out{.objective = choose_objective(o.objective)};
  out.keep_weight = o.keep_pairs.empty() ? 0 : o.keep_weight;
  out.norm_weight = o.norm_weight;
  out.steps = o.steps;
  out.harm_batch = o.batch;
  out.keep_batch = o.keep_batch;
  out.schedule = {decay_shape::cosine, o.learning_rate, 0, std::min<index>(5, o.steps / 4), o.steps};
  out.clip = 1;
  out.validate_every = std::max<index>(1, o.steps / 6);
  out.seed = seed;
  return out;
}

nlohmann::json training_settings(surgery_options const& o) {
  training_options const t = training_of(o, 0);
  return {{"method", "breaker"},
          {"objective", o.objective},
          {"rank", o.rank},
          {"alpha", breaker_of(o).alpha},
          {"steps", t.steps},
          {"learning_rate", o.learning_rate},
          {"schedule", "cosine"},
          {"warmup", t.schedule.warmup},
          {"optimizer", "adamw"},
          {"weight_decay", t.optimizer.weight_decay},
          {"clip", t.clip},
          {"keep_weight", t.keep_weight},
          {"norm_weight", t.norm_weight},
          {"batch", t.harm_batch},
          {"keep_batch", t.keep_batch},
          {"validate_every", t.validate_every}};
}

circuit first_units(circuit const& all, index n) {
  circuit out = all;
  auto const count = std::min(all.units.size(), static_cast<std::size_t>(n));
  out.units.resize(count);
  out.effects.resize(count);
  out.rule = "top " + std::to_string(count) + " by |effect|";
  return out;
}

std::string trial_name(circuit const& found, index draw) {
  return "size-" + std::to_string(found.units.size()) + (draw < 0 ? "" : "-random-" + std::to_string(draw));
}

workshop::workshop(model_type const& model, common_options const& common, surgery_options const& o,
                   surgery_data const& data)
    : model_(model), common_(common), options_(o), data_(data), training_(training_of(o, common.seed)) {
  sees_.harm = data.pairs.train().pairs;
  sees_.validation = data.pairs.validation().pairs;
  for (auto const& [name, file] : data.keep) {
    sees_.keep.insert(sees_.keep.end(), file.train().pairs.begin(), file.train().pairs.end());
    sees_.keep_validation.insert(sees_.keep_validation.end(), file.validation().pairs.begin(),
                                 file.validation().pairs.end());
  }
  if (o.norm_weight > 0) sees_.text = data.neutral;
}

void workshop::prepare(std::vector<index> layers) {
  say(common_, "reading the frozen model on the training data");
  cache_ = std::make_shared<training_cache<backend> const>(model_, sees_, training_.objective, layers);
  validation_data unseen{as_test(sees_.validation, "validation")};
  if (!sees_.keep_validation.empty())
    unseen.keep.emplace_back("keep", as_test(sees_.keep_validation, "validation"));
  judge_.emplace(model_, std::move(unseen), log_odds{}, std::move(layers));
}

intervention<backend> workshop::make(circuit const& c, std::string const& name) {
  std::string const folder = common_.output + "/trials/" + name;
  if (detail::is_folder(folder)) {
    intervention<backend> kept = load_intervention(folder, model_);
    if (kept.circuit().units == c.units) return kept;
  }
  intervention<backend> out =
      make_intervention<backend>(breaker_of(options_), model_.arch(), model_.identity(), c, common_.seed);
  nlohmann::json const settings = training_settings(options_);
  for (auto const& [key, value] : settings.items())
    out.settings[key] = value.is_string() ? value.get<std::string>() : value.dump();
  out.settings["seed"] = std::to_string(common_.seed);
  out.settings["backend"] = backend::name;
  out.settings["version"] = version;
  trainer<backend>(model_, out, sees_, training_, cache_).run();
  out.trained_on_source = data_.pairs.path();
  save_intervention(folder, out);
  return out;
}

std::pair<double, intervention<backend>> workshop::one_step(circuit const& c) {
  auto out =
      make_intervention<backend>(breaker_of(options_), model_.arch(), model_.identity(), c, common_.seed);
  trainer<backend> training(model_, out, sees_, training_, cache_);
  training.step();  // the first makes room
  if (training.finished()) return {0, std::move(out)};
  auto const start = std::chrono::steady_clock::now();
  training.step();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), std::move(out)};
}

trial workshop::judge(intervention<backend>& made) {
  validation_result const r = judge_.value()(made);
  trial out{made.circuit(), r.harm.reduction, {}, {}};
  for (keep_measure const& k : r.keep) {
    out.keep_change = k.accuracy_after - k.accuracy_before;
    out.keep_loss = 1 - k.mean_after / k.mean_before;
  }
  return out;
}

intervention<backend> find_cut(model_type const& model, common_options const& common,
                               surgery_options const& o, workshop& shop, circuit const& ranked,
                               surgery_results& r) {
  auto const start = std::chrono::steady_clock::now();
  std::vector<index> layers;
  for (index const n : o.sizes) layers.push_back(lowest_layer(first_units(ranked, n)));
  shop.prepare(layers);
  progress bar(progress_of(common, "training, at most", std::ssize(o.sizes) * (1 + o.draws)));
  std::optional<intervention<backend>> chosen;
  bool reached = false;
  double best = 0;
  for (index const n : o.sizes) {
    if (reached && !o.every_size) break;
    circuit const found = first_units(ranked, n);
    intervention<backend> made = shop.make(found, trial_name(found));
    surgery_size size{n, shop.judge(made), {}};
    bar.advance();
    bool const holds = size.found.keep_change.value_or(0) >= -0.02;
    char line[160];
    int const begun = std::snprintf(line, sizeof line, "%td units: on validation the gap falls by %.0f %%", n,
                                    100 * size.found.reduction);
    if (size.found.keep_change)
      std::snprintf(line + begun, sizeof line - static_cast<std::size_t>(begun),
                    ", accuracy of what to keep moves by %+.1f points", 100 * *size.found.keep_change);
    say(common, line);
    double const score = holds ? size.found.reduction : size.found.reduction - 1;
    if (!reached && (!chosen || score > best)) {
      best = score;
      chosen.emplace(std::move(made));
    }
    reached = reached || (holds && size.found.reduction >= o.target);
    for (index d = 0; d < o.draws; ++d) {
      intervention<backend> other =
          shop.make(random_circuit(found, model.arch(), common.seed, d), trial_name(found, d));
      size.random.push_back(shop.judge(other));
      bar.advance();
    }
    r.sizes.push_back(std::move(size));
  }
  r.target_reached = reached;
  if (!reached)
    say(common, "no size reaches the target of " + std::to_string(std::lround(100 * o.target)) +
                    " % on validation: going on with the one that comes nearest");
  r.training_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::move(*chosen);
}

}  // namespace program::PROGRAM_BACKEND::surgery_verb
