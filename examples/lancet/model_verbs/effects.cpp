// SPDX-License-Identifier: Apache-2.0
// `lancet effects`: causal effects of units, exact or estimated, with intervals and adjusted p-values.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "lancet/causal/activation_patching.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/causal/subject_noise.hpp"
#include "lancet/io/effects_json.hpp"
#include "lancet/model_verbs/verbs.hpp"
#include "lancet/output.hpp"
#include "lancet/pairs_options.hpp"
#include "lancet/partial_effects.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::effects_verb {
namespace {

using lancet::contrast_pair;
using lancet::effect_table;
using lancet::index;

struct options {
  std::string pairs, split = "train", unit = "head", at = "all", change = "resample", direction,
                     metric = "log_odds", estimator = "exact";
  std::string adjust = "benjamini_hochberg";
  index examples = 0, window = 1, steps = 5, resamples = 2000;
  double noise = 3;
  bool per_example = false;
};

/// The options as values, every default filled in.
struct plan {
  lancet::unit_kind unit;
  lancet::positions at;
  lancet::do_operator change;
  lancet::direction direction;
  lancet::metric metric;
  bool exact;
  index steps;  ///< of integrated gradients, 0: none
  index window;
  std::vector<lancet::unit> units;
};

[[nodiscard]] lancet::multiplicity choose_adjustment(std::string const& word) {
  using lancet::multiplicity;
  return choose<multiplicity>("--adjust", word,
                              {{"benjamini_hochberg", multiplicity::benjamini_hochberg},
                               {"benjamini_yekutieli", multiplicity::benjamini_yekutieli},
                               {"bonferroni", multiplicity::bonferroni},
                               {"holm", multiplicity::holm},
                               {"hochberg", multiplicity::hochberg},
                               {"hommel", multiplicity::hommel},
                               {"sidak", multiplicity::sidak}});
}

[[nodiscard]] plan read_plan(options const& o) {
  using lancet::unit_kind;
  plan p{choose<unit_kind>("--unit", o.unit,
                           {{"head", unit_kind::head},
                            {"neuron", unit_kind::neuron},
                            {"attn", unit_kind::attn},
                            {"mlp", unit_kind::mlp},
                            {"resid", unit_kind::resid}}),
         choose<lancet::positions>("--at", o.at,
                                   {{"all", lancet::positions::all},
                                    {"each", lancet::positions::each},
                                    {"last", lancet::positions::last}}),
         choose<lancet::do_operator>("--do", o.change,
                                     {{"resample", lancet::resample{}},
                                      {"zero", lancet::zero{}},
                                      {"mean", lancet::mean{}},
                                      {"noise", lancet::subject_noise{}}}),
         lancet::denoise,
         choose_metric(o.metric),
         o.estimator == "exact",
         choose<index>("--estimator", o.estimator,
                       {{"exact", 0}, {"attribution", 0}, {"attribution_ig", o.steps}}),
         o.window,
         {}};
  bool const ablation = o.change == "zero" || o.change == "mean";
  p.direction = choose<lancet::direction>(
      "--direction", o.direction.empty() ? (ablation ? "noise" : "denoise") : o.direction,
      {{"denoise", lancet::denoise}, {"noise", lancet::noise}});
  if (!p.exact && o.change != "resample")
    throw lancet::usage_error("--estimator " + o.estimator + ": got --do " + o.change +
                              ", expected resample");
  if (!p.exact && o.window != 1)
    throw lancet::usage_error("--estimator " + o.estimator + ": got --window, expected it with exact alone");
  if (ablation && p.direction == lancet::denoise)
    throw lancet::usage_error("--direction denoise: got --do " + o.change +
                              ", expected resample or noise (a clean run is ablated with --direction noise)");
  if (o.change == "noise" && p.direction != lancet::denoise)
    throw lancet::usage_error(
        "--direction noise: got --do noise, expected --direction denoise (clean values are restored in a "
        "noised run)");
  return p;
}

/// The same change for pairs [first, first + count) alone.
[[nodiscard]] lancet::do_operator change_of(plan const& p, std::vector<contrast_pair> const& all,
                                            std::size_t first, std::size_t count) {
  if (auto const* const noise = std::get_if<lancet::subject_noise>(&p.change)) {
    auto const at = noise->noise.begin() + static_cast<index>(first);
    return lancet::subject_noise{{at, at + static_cast<index>(count)}};
  }
  if (!std::holds_alternative<lancet::mean>(p.change)) return p.change;
  lancet::mean out;  // over all prompts, whichever are run now
  for (contrast_pair const& pair : all) out.over.push_back(pair.clean);
  return out;
}

[[nodiscard]] effect_table measure(model_type const& model, plan const& p,
                                   std::vector<contrast_pair> const& all, std::size_t first,
                                   std::size_t count, lancet::progress* report) {
  auto const some = std::span(all).subspan(first, count);
  if (p.exact)
    return lancet::activation_patching(model, some,
                                       lancet::patching_options{.metric = p.metric,
                                                                .change = change_of(p, all, first, count),
                                                                .direction = p.direction,
                                                                .unit = p.unit,
                                                                .at = p.at,
                                                                .units = p.units,
                                                                .window = p.window,
                                                                .report = report});
  return lancet::attribution_patching(model, some,
                                      lancet::attribution_options{.metric = p.metric,
                                                                  .direction = p.direction,
                                                                  .unit = p.unit,
                                                                  .at = p.at,
                                                                  .steps = p.steps,
                                                                  .report = report});
}

/// Passes, memory and time, from one pair and a sample of the units.
void print_plan(common_options const& common, model_type const& model, plan p,
                std::vector<contrast_pair> const& pairs) {
  index interventions = 0, rows = 0;
  for (contrast_pair const& pair : pairs) {
    rows += 2 * std::ssize(pair.clean);
    for (lancet::unit const& u : p.units) interventions += u.position < std::ssize(pair.clean) ? 1 : 0;
  }
  std::size_t const units = p.units.size(), sample = std::min<std::size_t>(units, 128);
  if (p.exact) {
    std::vector<lancet::unit> some;
    for (std::size_t i = 0; i < sample; ++i) some.push_back(p.units[i * units / sample]);
    p.units = std::move(some);
  }
  auto const before = std::chrono::steady_clock::now();
  static_cast<void>(measure(model, p, pairs, 0, 1, nullptr));
  double const one = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  double const share = p.exact ? static_cast<double>(units) / static_cast<double>(sample) : 1.0;
  index const passes = p.exact ? interventions : std::max<index>(1, p.steps) * std::ssize(pairs);
  print_summary(common,
                {{"plan", p.exact ? "one intervention a unit and pair" : "one backward pass a pair and step"},
                 {"examples", pairs.size()},
                 {"units", units},
                 {"passes", passes},
                 {"rows_of_base_runs", rows},
                 {"estimated_seconds", one * share * static_cast<double>(pairs.size())},
                 {"table_bytes", units * pairs.size() * sizeof(double)}});
}

void show(common_options const& common, nlohmann::ordered_json document, std::string const& path) {
  if (!path.empty()) document["output"] = path;
  if (!common.json && !common.quiet) print_units(document, 12);
  print_summary(common, shortened(std::move(document)));
}

void run(common_options& common, options const& o) {
  plan p = read_plan(o);
  lancet::multiplicity const adjustment = choose_adjustment(o.adjust);
  model_type const model = load(common);
  lancet::pair_file const file = read_pair_file(model, o.pairs);
  std::vector<contrast_pair> const pairs = spread(pairs_of(file, o.split), o.examples);
  bool const noisy = o.change == "noise";
  require_members(file, pairs, p.metric.needs_contrast(), o.change == "resample", noisy);
  require_fit(file, pairs, model.arch());
  if (noisy) p.change = lancet::draw_subject_noise(model, std::span(pairs), o.noise, common.seed);
  index longest = 0;
  for (contrast_pair const& pair : pairs) longest = std::max<index>(longest, std::ssize(pair.clean));
  p.units = lancet::detail::all_units(model.arch(), p.unit, p.at, longest);
  if (common.dry_run) return print_plan(common, model, std::move(p), pairs);

  nlohmann::ordered_json settings{{"model", model.identity().sha256},
                                  {"backend", backend::name},
                                  {"pairs", file.sha256()},
                                  {"split", o.split},
                                  {"examples", pairs.size()},
                                  {"unit", o.unit},
                                  {"at", o.at},
                                  {"do", o.change},
                                  {"direction", name(p.direction)},
                                  {"metric", o.metric},
                                  {"estimator", o.estimator},
                                  {"adjust", o.adjust},
                                  {"resamples", o.resamples},
                                  {"seed", common.seed},
                                  {"rng", "philox/1"},
                                  {"version", lancet::version}};
  if (p.exact && p.window != 1) settings["window"] = p.window;
  if (!p.exact && p.steps > 0) settings["steps"] = p.steps;
  if (noisy) settings["noise"] = o.noise;
  if (o.per_example) settings["per_example"] = true;  // a second file
  std::string const path = output_file(common, "effects.json");
  if (auto done = finished_document(path, settings)) {
    say(common, path + " is already complete");
    return show(common, std::move(*done), path);
  }

  partial_effects part(path, settings, p.units, pairs.size());
  if (part.done() > 0)
    say(common,
        "going on after " + std::to_string(part.done()) + " of " + std::to_string(pairs.size()) + " pairs");
  effect_table table;
  {
    orderly_interruption const orderly;
    lancet::progress bar(
        progress_of(common, "effects", std::ssize(pairs), static_cast<std::int64_t>(part.done())));
    while (part.done() < pairs.size()) {
      part.add(measure(model, p, pairs, part.done(),
                       std::min(pairs.size() - part.done(), partial_effects::chunk), &bar));
      if (interruption_requested() && part.done() < pairs.size()) {
        part.save();
        throw interrupted("effects: stopped after " + std::to_string(part.done()) + " of " +
                          std::to_string(pairs.size()) + " pairs");
      }
    }
    table = part.finish();
  }
  table.model = model.identity();
  table.layers = model.arch().layers;
  table.heads = model.arch().heads;
  table.estimator = p.exact        ? "exact"
                    : p.steps == 0 ? "attribution"
                                   : "attribution_ig" + std::to_string(p.steps);
  table.change = o.change;
  table.direction = name(p.direction);
  table.metric = p.metric.name();
  table.kind = p.unit;
  table.at = name(p.at);
  table.source = o.pairs + " (" + o.split + ")";
  for (contrast_pair const& pair : pairs) table.example_lines.push_back(pair.line);
  auto const rows =
      lancet::summarise(table, {.method = adjustment, .resamples = o.resamples, .seed = common.seed});
  nlohmann::ordered_json document = to_json(table, rows);
  document["settings"] = settings;
  if (!path.empty()) {
    document = lancet::write_effects(path, table, rows, o.per_example, settings);
    part.remove();
  }
  show(common, std::move(document), path);
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand("effects", "Causal effects of heads, neurons, blocks or residuals");
  add_common(verb, common, {.output = true, .dry_run = true});
  verb.add_option("--pairs", o->pairs, "contrast pairs, JSON lines")->required();
  verb.add_option("--split", o->split, "train, validation or test [train]");
  verb.add_option("--examples", o->examples, "so many pairs, spread over the split; 0: all [0]")
      ->check(CLI::Range(0, 1 << 30));
  verb.add_option("--unit", o->unit, "head, neuron, attn, mlp or resid [head]");
  verb.add_option("--at", o->at, "positions: all at once, each on its own, or the last [all]");
  verb.add_option("--do", o->change, "what a unit is set to: resample, zero, mean or noise [resample]");
  verb.add_option("--direction", o->direction,
                  "denoise: clean values into the corrupted run; noise: the other way round [denoise; noise "
                  "with zero and mean]");
  verb.add_option("--metric", o->metric, "log_odds, log_likelihood, probability or kl_divergence [log_odds]");
  verb.add_option("--estimator", o->estimator, "exact, attribution or attribution_ig [exact]");
  verb.add_option("--steps", o->steps, "of attribution_ig [5]")->check(CLI::Range(1, 10000));
  verb.add_option("--window", o->window, "layers that are patched together [1]")->check(CLI::Range(1, 4096));
  verb.add_option("--noise", o->noise, "of --do noise, in standard deviations of the embeddings [3]")
      ->check(CLI::PositiveNumber);
  verb.add_option("--adjust", o->adjust,
                  "p-values for the number of units: benjamini_hochberg, holm, … [benjamini_hochberg]");
  verb.add_option("--resamples", o->resamples, "of the bootstrap intervals [2000]")
      ->check(CLI::Range(100, 1000000));
  verb.add_flag("--per-example", o->per_example,
                "also write the effects of every example, beside the output as .safetensors");
  verb.callback([&common, o] {
    if (o->per_example && common.output.empty()) throw lancet::usage_error("--per-example: needs --output");
    run(common, *o);
  });
}

}  // namespace program::PROGRAM_BACKEND::effects_verb
