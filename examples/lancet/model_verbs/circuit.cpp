// SPDX-License-Identifier: Apache-2.0
// `lancet circuit`: selects the units of an effects file that form a circuit, and measures how faithful it
// is.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>

#include "lancet/circuit/evaluate.hpp"
#include "lancet/io/circuit_json.hpp"
#include "lancet/io/effects_json.hpp"
#include "lancet/model_verbs/verbs.hpp"
#include "lancet/output.hpp"
#include "lancet/pairs_options.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::circuit_verb {
namespace {

using lancet::index;

struct options {
  std::string effects, pairs, split = "validation", change, metric;
  double threshold = -1, significance = -1, prune = 0;
  index top = 0;
};

[[nodiscard]] lancet::circuit select(lancet::effects_file const& effects, options const& o) {
  int const rules = (o.threshold >= 0) + (o.top > 0) + (o.significance >= 0);
  if (rules != 1)
    throw lancet::usage_error("circuit: got " + std::to_string(rules) +
                              " rules, expected one of --threshold, --top and --significance");
  lancet::circuit out = o.threshold >= 0 ? select_circuit(effects.table, lancet::threshold{o.threshold})
                        : o.top > 0      ? select_circuit(effects.table, lancet::top{o.top})
                                         : select_significant(effects, o.significance);
  if (out.units.empty())
    throw lancet::error("circuit: no unit of " + o.effects + " fits the rule " + out.rule);
  return out;
}

/// Passes and time, from a few pairs.
void print_plan(common_options const& common, options const& o, model_type const& model,
                lancet::circuit const& found, std::span<lancet::contrast_pair const> pairs,
                lancet::circuit_options const& how) {
  auto const few = pairs.first(std::min<std::size_t>(pairs.size(), 4));
  auto const start = std::chrono::steady_clock::now();
  lancet::circuit sample = found;
  measure_circuit(model, sample, few, how);
  double const four = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::size_t const units = found.units.size(), steps = o.prune > 0 ? 1 + units * (units + 1) / 2 : 0,
                    passes = 4 + steps;  // of every pair; pruning stops earlier where it must
  double const share = static_cast<double>(pairs.size()) / static_cast<double>(few.size());
  print_summary(common,
                {{"plan", o.prune > 0 ? "selection, pruning, faithfulness" : "selection, faithfulness"},
                 {"units", units},
                 {"rule", found.rule},
                 {"examples", pairs.size()},
                 {"passes_a_pair", passes},
                 {"estimated_seconds", four * share * static_cast<double>(passes) / 4}});
}

void show(common_options const& common, nlohmann::ordered_json document) {
  if (!common.json && !common.quiet) print_units(document, 30);
  print_summary(common, shortened(std::move(document)));
}

/// Shows a document that the same settings gave before, if the output has one.
[[nodiscard]] bool shown_before(common_options const& common, nlohmann::ordered_json const& settings) {
  std::string const path = output_file(common, "circuit.json");
  auto done = finished_document(path, settings);
  if (!done) return false;
  say(common, path + " is already complete");
  (*done)["output"] = path;
  show(common, std::move(*done));
  return true;
}

/// Faithfulness and completeness on pairs, after pruning if that is asked for; false: there was nothing to measure.
bool measure(common_options& common, lancet::effects_file const& effects, options const& o,
             lancet::circuit& found, nlohmann::ordered_json& settings) {
  model_type const model = load(common);
  lancet::require_same_model(found.model, model.identity(), "circuit");
  lancet::pair_file const file = read_pair_file(model, o.pairs);
  auto const pairs = pairs_of(file, o.split);
  std::string const usual = effects.table.change == "resample" ? "resample" : "zero";
  std::string const change = o.change.empty() ? usual : o.change,
                    metric = o.metric.empty() ? effects.table.metric : o.metric;
  lancet::circuit_options const how{
      choose_metric(metric),
      choose<lancet::do_operator>("--do", change,
                                  {{"resample", lancet::resample{}}, {"zero", lancet::zero{}}}),
      common.seed};
  require_members(file, pairs, how.metric.needs_contrast(), change == "resample", false);
  require_fit(file, pairs, model.arch());
  settings.update({{"pairs", file.sha256()},
                   {"split", o.split},
                   {"do", change},
                   {"metric", metric},
                   {"seed", common.seed}});
  auto const all = std::span<lancet::contrast_pair const>(pairs);
  if (common.dry_run) {
    print_plan(common, o, model, found, all, how);
    return false;
  }
  if (o.prune > 0) settings["prune"] = o.prune;
  if (shown_before(common, settings)) return false;
  if (o.prune > 0) {
    say(common, "pruning " + std::to_string(found.units.size()) + " units");
    found = prune_circuit(model, std::move(found), o.prune, all, how);
  }
  say(common, "measuring faithfulness on " + std::to_string(pairs.size()) + " pairs");
  measure_circuit(model, found, all, how);
  return true;
}

void run(common_options& common, options const& o) {
  lancet::effects_file const effects = lancet::read_effects(o.effects);
  lancet::circuit found = select(effects, o);
  if (o.prune > 0 && o.pairs.empty()) throw lancet::usage_error("--prune: needs --model and --pairs");
  if (o.pairs.empty() && !(o.change.empty() && o.metric.empty()))
    throw lancet::usage_error("--do, --metric: need --pairs, on which the circuit is measured");
  if (common.dry_run && o.pairs.empty())
    return print_summary(common, {{"plan", "selection"},
                                  {"units", found.units.size()},
                                  {"rule", found.rule},
                                  {"passes_a_pair", 0},
                                  {"estimated_seconds", 0}});
  nlohmann::ordered_json settings{
      {"effects", lancet::sha256_of_file(o.effects)}, {"rule", found.rule}, {"version", lancet::version}};
  if (o.pairs.empty() && shown_before(common, settings)) return;
  if (o.pairs.empty())
    say(common, "faithfulness is not measured: that needs --model and --pairs");
  else if (!measure(common, effects, o, found, settings))
    return;
  nlohmann::ordered_json document = to_json(found);
  document["settings"] = settings;
  std::string const path = output_file(common, "circuit.json");
  if (!path.empty()) {
    lancet::write_file(path, lancet::detail::file_text(document));
    document["output"] = path;
  }
  show(common, std::move(document));
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand(
      "circuit", "Selects a circuit from effects; measures its faithfulness and completeness");
  add_common(verb, common, {.output = true, .dry_run = true});
  verb.add_option("--effects", o->effects, "effects.json, as `lancet effects` writes it")->required();
  verb.add_option("--threshold", o->threshold, "units with |effect| at least this")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--top", o->top, "the so many units of largest |effect|")->check(CLI::PositiveNumber);
  verb.add_option("--significance", o->significance, "units whose adjusted p-value is at most this")
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--pairs", o->pairs, "contrast pairs on which the circuit is measured (needs --model)");
  verb.add_option("--split", o->split, "train, validation or test [validation]");
  verb.add_option("--do", o->change, "ablation: resample or zero [that of the effects]");
  verb.add_option("--metric", o->metric,
                  "log_odds, log_likelihood, probability or kl_divergence [that of the effects]");
  verb.add_option("--prune", o->prune,
                  "drop units while this share of the circuit's effect stays (needs --pairs)")
      ->check(CLI::Range(0.01, 1.0));
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::circuit_verb
