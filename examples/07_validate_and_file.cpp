// SPDX-License-Identifier: Apache-2.0
// From files to a finding: circuit, breaker, validation on unseen data, and an entry in an atlas.
//
//   model + pairs + text ──► effects ──► circuit ──► breaker ──► verdict ──► atlas.json
//
// `validate` takes test pairs by type: what was trained on does not compile there.
#include <cstdio>
#include <filesystem>

#include "lancet/io/planted_files.hpp"
#include "lancet/lancet.hpp"

#include "lancet/compiled.hpp"

int main() {
  std::string const folder = (std::filesystem::temp_directory_path() / "lancet_example_07").string();
  lancet::save_planted(folder);  // model and data of your own go in its place
  auto model = lancet::load_model<lancet::backend::eigen<float>>(folder);
  auto pairs = lancet::read_pairs(folder + "/occupations.jsonl", model.tokenizer());
  auto stated = lancet::read_pairs(folder + "/stated_gender.jsonl", model.tokenizer());
  auto text = lancet::read_text_windows(folder + "/held_out.txt", model.tokenizer(), 128);

  auto effects = lancet::activation_patching(
      model, pairs.train(),
      {.metric = lancet::log_odds{}, .change = lancet::resample{}, .direction = lancet::denoise});
  auto circuit = lancet::select_circuit(effects, lancet::threshold{.magnitude = 0.3});
  auto breaker = lancet::train(
      lancet::circuit_breaker{.rank = 2}, model, circuit,
      {.harm = pairs.train().pairs, .keep = stated.train().pairs},
      {.objective = lancet::counterfactual_gap{}, .keep_weight = 1, .steps = 60, .schedule = {.peak = 0.03}});
  breaker.trained_on_source = pairs.path();  // validate refuses lines that were trained on, too
  auto result = lancet::validate(
      model, breaker, {.harm = pairs.test(), .keep = {{"stated gender", stated.test()}}, .held_out = text},
      lancet::log_odds{});

  bool const met = result.verdict.met();  // harm halved, significant, text within 5 %, answers kept
  std::printf("verdict:                 %s\n", met ? "met" : "not met");
  std::printf("stated gender right:     %.0f %%\n", 100 * result.keep[0].accuracy_after);

  lancet::atlas_entry finding;
  finding.harm = "occupational gender stereotype";
  finding.model = {model.identity().name, model.identity().sha256, model.arch().layers, model.arch().heads};
  finding.circuit.rule = circuit.rule;
  for (std::size_t i = 0; i < circuit.size(); ++i)
    finding.circuit.units.push_back({circuit.units[i], circuit.effects[i]});
  finding.effects = {effects.estimator, effects.change,     effects.direction,
                     effects.metric,    effects.examples(), std::ssize(effects.units),
                     "effects.json"};
  finding.interventions.push_back({breaker.kind(), "breaker", breaker.trainable(), breaker.strength()});
  lancet::save_intervention(folder + "_breaker", breaker);
  lancet::atlas findings;
  findings.add(std::move(finding));
  findings.save(folder + "_atlas.json");
  auto const found =
      lancet::atlas::load(folder + "_atlas.json").query({.unit = lancet::parse_unit("head 2.1")});
  std::printf("findings about head 2.1: %zu\n", found.size());
  for (char const* suffix : {"", "_breaker", "_atlas.json"}) std::filesystem::remove_all(folder + suffix);
}
