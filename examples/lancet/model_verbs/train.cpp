// SPDX-License-Identifier: Apache-2.0
// `lancet train`: trains an intervention confined to a circuit; a run that was stopped goes on from its
// checkpoint.
#include <cstdio>
#include <filesystem>

#include "lancet/io/checkpoint.hpp"
#include "lancet/io/intervention_folder.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/mib_circuit.hpp"
#include "lancet/model_verbs/verbs.hpp"
#include "lancet/output.hpp"
#include "lancet/pairs_options.hpp"
#include "lancet/texts.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::train_verb {
namespace {

using lancet::index;

struct options {
  std::string circuit, pairs, neutral, method = "breaker", objective = "squared_gap", schedule = "cosine",
                                       optimizer = "adamw";
  std::vector<std::string> keep_pairs;
  index rank = 4, steps = 150, harm_batch = 0, keep_batch = 0, text_batch = 1, window = 128, warmup = 5,
        validate_every = 10, patience = 0;
  index checkpoint_every = 25;
  double alpha = 0, margin = 0, learning_rate = 1e-2, weight_decay = 0, clip = 1, keep_weight = 0.3,
         norm_weight = 0, text_weight = 0;
};

[[nodiscard]] lancet::objective choose_objective(options const& o) {
  return choose<lancet::objective>("--objective", o.objective,
                                   {{"squared_gap", lancet::squared_gap{}},
                                    {"counterfactual_gap", lancet::counterfactual_gap{}},
                                    {"hinge_gap", lancet::hinge_gap{o.margin}},
                                    {"harm_log_likelihood", lancet::harm_log_likelihood{}},
                                    {"unlikelihood", lancet::unlikelihood{}}});
}

[[nodiscard]] lancet::training_options training_of(common_options const& common, options const& o) {
  lancet::training_options out{.objective = choose_objective(o)};
  out.norm_weight = o.norm_weight;
  out.keep_weight = o.keep_pairs.empty() ? 0 : o.keep_weight;
  out.text_weight = o.text_weight;
  out.steps = o.steps;
  out.harm_batch = o.harm_batch;
  out.keep_batch = o.keep_batch;
  out.text_batch = o.text_batch;
  out.optimizer.rule = choose<lancet::optimizer_rule>("--optimizer", o.optimizer,
                                                      {{"adamw", lancet::optimizer_rule::adamw},
                                                       {"adam", lancet::optimizer_rule::adam},
                                                       {"sgd", lancet::optimizer_rule::sgd}});
  out.optimizer.learning_rate = o.learning_rate;
  out.optimizer.weight_decay = o.weight_decay;
  out.schedule.shape = choose<lancet::decay_shape>("--schedule", o.schedule,
                                                   {{"cosine", lancet::decay_shape::cosine},
                                                    {"linear", lancet::decay_shape::linear},
                                                    {"constant", lancet::decay_shape::constant}});
  out.schedule.peak = o.learning_rate;
  out.schedule.warmup = std::min(o.warmup, o.steps - 1);
  out.schedule.steps = out.schedule.shape == lancet::decay_shape::constant ? 0 : o.steps;
  out.clip = o.clip;
  out.validate_every = o.validate_every;
  out.patience = o.patience;
  out.seed = common.seed;
  return out;
}

/// What training sees, and the hashes of the files it came from.
struct material {
  lancet::training_data data;
  std::map<std::string, std::string> hashes;
};

[[nodiscard]] material read_material(model_type const& model, options const& o,
                                     lancet::objective const& objective) {
  material out;
  auto const take = [&](std::string const& path, bool contrast, bool corrupted,
                        std::vector<lancet::contrast_pair>& train,
                        std::vector<lancet::contrast_pair>& validation) {
    lancet::pair_file const file = read_pair_file(model, path);
    out.hashes[path] = file.sha256();
    for (auto const* const pairs : {&file.train().pairs, &file.validation().pairs}) {
      require_members(file, *pairs, contrast, corrupted, false);
      require_fit(file, *pairs, model.arch());
    }
    train.insert(train.end(), file.train().pairs.begin(), file.train().pairs.end());
    validation.insert(validation.end(), file.validation().pairs.begin(), file.validation().pairs.end());
    if (file.train().pairs.empty()) throw lancet::file_error(path, "has no pairs in split train");
  };
  take(o.pairs, objective.metric().needs_contrast(), o.objective == "counterfactual_gap", out.data.harm,
       out.data.validation);
  for (std::string const& path : o.keep_pairs)
    take(path, true, false, out.data.keep, out.data.keep_validation);
  if (!o.neutral.empty()) {
    out.data.text =
        lancet::read_text_windows(o.neutral, model.tokenizer(), std::min(o.window, model.arch().context));
    out.hashes[o.neutral] = lancet::sha256_of_file(o.neutral);
  }
  if (out.data.validation.empty()) {
    if (o.patience > 0)
      throw lancet::file_error(o.pairs, "has no pairs in split validation, which --patience needs");
  }
  return out;
}

[[nodiscard]] lancet::intervention<backend> make(model_type const& model, common_options const& common,
                                                 options const& o, lancet::circuit const& found) {
  enum class method { breaker, offset };
  switch (choose<method>("--method", o.method, {{"breaker", method::breaker}, {"offset", method::offset}})) {
    case method::offset:
      return lancet::make_intervention<backend>(lancet::activation_offset{}, model.arch(), model.identity(),
                                                found, common.seed);
    default:
      return lancet::make_intervention<backend>(lancet::circuit_breaker{.rank = o.rank, .alpha = o.alpha},
                                                model.arch(), model.identity(), found, common.seed);
  }
}

[[nodiscard]] std::map<std::string, std::string> settings_of(common_options const& common, options const& o,
                                                             lancet::training_options const& t,
                                                             material const& read) {
  auto const number = [](double x) { return nlohmann::json(x).dump(); };
  std::map<std::string, std::string> out{{"method", o.method},
                                         {"backend", backend::name},
                                         {"objective", o.objective},
                                         {"steps", std::to_string(o.steps)},
                                         {"learning_rate", number(o.learning_rate)},
                                         {"weight_decay", number(o.weight_decay)},
                                         {"schedule", o.schedule},
                                         {"warmup", std::to_string(t.schedule.warmup)},
                                         {"optimizer", o.optimizer},
                                         {"clip", number(o.clip)},
                                         {"keep_weight", number(t.keep_weight)},
                                         {"norm_weight", number(o.norm_weight)},
                                         {"text_weight", number(o.text_weight)},
                                         {"harm_batch", std::to_string(o.harm_batch)},
                                         {"keep_batch", std::to_string(o.keep_batch)},
                                         {"text_batch", std::to_string(o.text_batch)},
                                         {"window", std::to_string(o.window)},
                                         {"validate_every", std::to_string(o.validate_every)},
                                         {"patience", std::to_string(o.patience)},
                                         {"seed", std::to_string(common.seed)},
                                         {"rng", "philox/1"},
                                         {"circuit_sha256", lancet::sha256_of_file(o.circuit)},
                                         {"version", lancet::version}};
  if (o.method == "breaker") {
    out["rank"] = std::to_string(o.rank);
    out["alpha"] = number(o.alpha == 0 ? static_cast<double>(o.rank) : o.alpha);
  }
  if (o.objective == "hinge_gap") out["margin"] = number(o.margin);
  for (auto const& [path, hash] : read.hashes) out["sha256 of " + path] = hash;
  return out;
}

void show(common_options const& common, lancet::intervention<backend> const& what, index best_step) {
  nlohmann::ordered_json document = to_json(what);
  document["output"] = common.output;
  document["steps_run"] = what.history.size();
  if (best_step >= 0) document["best_step"] = best_step;
  if (!what.history.empty()) {
    document["first_loss"] = what.history.front().loss;
    document["last_loss"] = what.history.back().loss;
  }
  print_summary(common, std::move(document));
}

/// Whether a file is a graph in the form of MIB and EAP-IG, not a circuit of ours.
[[nodiscard]] bool is_graph(std::string const& path) {
  nlohmann::json const document = lancet::read_json(path);
  return document.contains("nodes") && !document.contains("format");
}

void run(common_options& common, options const& o) {
  if (common.output.empty())
    throw lancet::usage_error("--output: got nothing, expected the folder to write the intervention to");
  while (common.output.size() > 1 && common.output.ends_with('/')) common.output.pop_back();
  if (o.neutral.empty() && (o.norm_weight > 0 || o.text_weight > 0))
    throw lancet::usage_error("--norm-weight, --text-weight: need --neutral");
  if (!o.neutral.empty() && o.norm_weight == 0 && o.text_weight == 0)
    throw lancet::usage_error("--neutral: has no use without --norm-weight or --text-weight above 0");
  lancet::training_options how = training_of(common, o);
  bool const graph = is_graph(o.circuit);
  lancet::circuit found = graph ? lancet::circuit{} : lancet::read_circuit(o.circuit);
  model_type const model = load(common);
  if (graph) found = lancet::read_mib_circuit(o.circuit, model.arch(), model.identity());
  material const read = read_material(model, o, how.objective);
  lancet::intervention<backend> what = make(model, common, o, found);
  what.settings = settings_of(common, o, how, read);
  what.trained_on_source = o.pairs;
  if (read.data.validation.empty()) how.validate_every = 0;

  if (lancet::detail::is_file(common.output + "/intervention.json")) {
    lancet::intervention<backend> const done = lancet::load_intervention<backend>(common.output, model);
    lancet::require_same_settings(nlohmann::json(done.settings), nlohmann::json(what.settings),
                                  common.output);
    say(common, common.output + " is already complete");
    return show(common, done, -1);
  }
  if (common.dry_run) {
    index rows = 0;
    for (auto const& p : read.data.harm) rows += std::ssize(p.clean);
    for (auto const& p : read.data.keep) rows += std::ssize(p.clean);
    index const pairs = std::ssize(read.data.harm) + std::ssize(read.data.keep);
    index const a_step = (o.harm_batch == 0 ? std::ssize(read.data.harm) : o.harm_batch) +
                         (read.data.keep.empty() ? 0
                          : o.keep_batch == 0    ? std::ssize(read.data.keep)
                                                 : o.keep_batch);
    lancet::trainer<backend> trial(model, what, read.data, how);
    auto const before = std::chrono::steady_clock::now();
    trial.step();
    double const one = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    return print_summary(common, {{"plan", "training"},
                                  {"steps", o.steps},
                                  {"pairs", pairs},
                                  {"pairs_a_step", a_step},
                                  {"rows_of_all_pairs", rows},
                                  {"passes", 2 * o.steps},
                                  {"trainable", what.trainable()},
                                  {"estimated_seconds", one * static_cast<double>(o.steps)}});
  }

  nlohmann::json settings(what.settings);
  settings["model"] = model.identity().sha256;
  std::string const checkpoints = common.output + ".checkpoints";
  std::error_code none;
  if (std::filesystem::exists(common.output, none))
    throw lancet::usage_error(
        common.output + ": exists and is no intervention, so it is not replaced; choose another output");
  lancet::trainer<backend> training(model, what, read.data, how);
  if (auto const restored = lancet::restore_checkpoint(checkpoints, training, settings)) {
    for (std::string const& sentence : restored->damaged)
      say(common, "a checkpoint is not used: " + sentence);
    say(common, "going on after step " + std::to_string(restored->step) + " of " + std::to_string(o.steps) +
                    ", from " + restored->folder);
  }
  {
    orderly_interruption const orderly;
    lancet::progress bar(progress_of(common, "training", o.steps, training.step_number()));
    while (!training.finished()) {
      training.step();
      bar.advance();
      bool const stop = interruption_requested() && !training.finished();
      if (stop || (o.checkpoint_every > 0 && training.step_number() % o.checkpoint_every == 0))
        lancet::save_checkpoint(checkpoints, training, settings);
      if (stop)
        throw interrupted("train: stopped after step " + std::to_string(training.step_number()) + " of " +
                          std::to_string(o.steps));
    }
  }
  training.finish();
  lancet::save_intervention(common.output, what);
  std::filesystem::remove_all(checkpoints, none);
  show(common, what, training.best_step());
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand("train", "Trains an intervention confined to a circuit");
  add_common(verb, common, {.output = true, .dry_run = true});
  verb.add_option("--circuit", o->circuit,
                  "circuit.json, as `lancet circuit` writes it, or a graph of MIB or EAP-IG")
      ->required();
  verb.add_option("--pairs", o->pairs,
                  "contrast pairs whose train split shows the harm; the validation split selects the step")
      ->required();
  verb.add_option("--keep-pairs", o->keep_pairs, "pairs whose log-odds must stay")->expected(1, 64);
  verb.add_option("--neutral", o->neutral, "text for the preservation terms");
  verb.add_option(
      "--method", o->method,
      "breaker (low-rank change of the circuit's weights) or offset (a constant at its sites) [breaker]");
  verb.add_option(
      "--objective", o->objective,
      "squared_gap, counterfactual_gap, hinge_gap, harm_log_likelihood or unlikelihood [squared_gap]");
  verb.add_option("--margin", o->margin, "of hinge_gap, nats [0]");
  verb.add_option("--rank", o->rank, "of a breaker [4]")->check(CLI::Range(1, 4096));
  verb.add_option("--alpha", o->alpha, "of a breaker: its scale is alpha / rank [rank]")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--steps", o->steps, "[150]")->check(CLI::Range(1, 10000000));
  verb.add_option("--learning-rate", o->learning_rate, "[0.01]")->check(CLI::PositiveNumber);
  verb.add_option("--weight-decay", o->weight_decay, "[0]")->check(CLI::NonNegativeNumber);
  verb.add_option("--optimizer", o->optimizer, "adamw, adam or sgd [adamw]");
  verb.add_option("--schedule", o->schedule, "cosine, linear or constant [cosine]");
  verb.add_option("--warmup", o->warmup, "steps [5]")->check(CLI::Range(0, 1000000));
  verb.add_option("--clip", o->clip, "largest norm of the gradient; 0: no clipping [1]")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--keep-weight", o->keep_weight, "of the keep pairs' moved log-odds [0.3]")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--norm-weight", o->norm_weight, "of |W'x - Wx| on --neutral [0]")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--text-weight", o->text_weight, "of the KL divergence on --neutral [0]")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--harm-batch", o->harm_batch, "pairs a step; 0: all [0]")->check(CLI::Range(0, 1 << 30));
  verb.add_option("--keep-batch", o->keep_batch, "keep pairs a step; 0: all [0]")
      ->check(CLI::Range(0, 1 << 30));
  verb.add_option("--text-batch", o->text_batch, "windows of text a step [1]")->check(CLI::Range(1, 1 << 20));
  verb.add_option("--window", o->window, "tokens of a window of text [128]")->check(CLI::Range(2, 1 << 20));
  verb.add_option("--validate-every", o->validate_every, "steps; 0: never, the last step is taken [10]")
      ->check(CLI::Range(0, 1 << 30));
  verb.add_option("--patience", o->patience,
                  "validations without improvement before stopping; 0: run all steps [0]")
      ->check(CLI::Range(0, 1 << 30));
  verb.add_option("--checkpoint-every", o->checkpoint_every, "steps; 0: only when interrupted [25]")
      ->check(CLI::Range(0, 1 << 30));
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::train_verb
