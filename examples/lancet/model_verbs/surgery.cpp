// SPDX-License-Identifier: Apache-2.0
#include "lancet/model_verbs/verbs.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>

#include "lancet/causal/metric_values.hpp"
#include "lancet/circuit/random_circuit.hpp"
#include "lancet/io/circuit_json.hpp"
#include "lancet/io/effects_json.hpp"
#include "lancet/io/intervention_folder.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/settings.hpp"
#include "lancet/model/generate.hpp"
#include "lancet/model_verbs/surgery_cut.hpp"
#include "lancet/model_verbs/surgery_effects.hpp"
#include "lancet/model_verbs/surgery_estimate.hpp"
#include "lancet/output.hpp"
#include "lancet/pairs_options.hpp"
#include "lancet/report.hpp"
#include "lancet/surgery_files.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {
namespace {

using namespace lancet;  // NOLINT: a program's own file
using lancet::index;

[[nodiscard]] double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Pairs with all three splits. `counterfactuals`: those that effects, circuits and training see need
/// corrupted prompts.
[[nodiscard]] pair_file read_pairs_of_surgery(model_type const& model, std::string const& path,
                                              bool counterfactuals) {
  pair_file out = read_pairs(path, model.tokenizer());
  for (char const* const split : {"train", "validation", "test"}) {
    std::vector<contrast_pair> const pairs = pairs_of(out, split);
    require_members(out, pairs, true, counterfactuals && split != std::string_view("test"), false);
    require_fit(out, pairs, model.arch());
  }
  return out;
}

[[nodiscard]] surgery_data read_data(model_type const& model, surgery_options const& o) {
  tokenizer const& tokens = model.tokenizer();
  surgery_data data{read_pairs_of_surgery(model, o.pairs, true), {}, {}, {}, {}, {}};
  data.hashes[o.pairs] = data.pairs.sha256();
  for (std::string const& path : o.keep_pairs) {
    data.keep.emplace_back(std::filesystem::path(path).stem().string(),
                           read_pairs_of_surgery(model, path, false));
    data.hashes[path] = data.keep.back().second.sha256();
  }
  index const window = std::min(o.window, model.arch().context);
  if (!o.neutral.empty()) {
    data.neutral = read_text_windows(o.neutral, tokens, window);
    data.hashes[o.neutral] = sha256_of_file(o.neutral);
  }
  data.held_out = read_text_windows(o.held_out, tokens, window);
  data.hashes[o.held_out] = sha256_of_file(o.held_out);
  if (!o.prompts.empty()) {
    for_json_lines(o.prompts, [&](nlohmann::json line, std::string const& where, index) {
      generation_prompt p{get<std::string>(line, "text", where), std::nullopt};
      if (line.contains("answer")) {
        line["clean"] = p.text;
        p.harm = detail::read_pair(line, &tokens, where);
        if (p.harm->contrast.empty()) throw file_error(where, "has an 'answer' and no 'contrast'");
      }
      data.prompts.push_back(std::move(p));
    });
    data.hashes[o.prompts] = sha256_of_file(o.prompts);
  }
  return data;
}

void measure_faithfulness(model_type const& model, common_options const& common, surgery_options const& o,
                          surgery_data const& data, circuit const& ranked, surgery_results& r) {
  auto const start = std::chrono::steady_clock::now();
  for (index const n : o.sizes) {
    circuit c = first_units(ranked, n);
    measure_circuit(model, c, std::span<contrast_pair const>(data.pairs.validation().pairs),
                    {.metric = log_odds{}, .change = resample{}, .seed = common.seed});
    r.faithfulness.emplace_back(n, *c.faithfulness);
    if (c.units.size() == r.circuit.units.size()) {
      r.circuit.faithfulness = c.faithfulness;
      r.circuit.completeness = c.completeness;
    }
  }
  r.circuit_seconds = seconds_since(start);
}

/// What the model says with and without the intervention, and the harm where a prompt says how to measure it.
[[nodiscard]] std::vector<generation_pair> continuations(model_type const& model, intervention<backend>& made,
                                                         std::vector<generation_prompt> const& from) {
  std::vector<std::vector<token>> prompts;
  std::vector<contrast_pair> measured;
  for (generation_prompt const& p : from) {
    prompts.push_back(model.tokenizer().encode(p.text));
    if (p.harm) measured.push_back(*p.harm);
  }
  hook_table<backend> none, hooks;
  made.hook(hooks);
  generate_options const how{.tokens = 24};
  auto const before = generate(model, none, prompts, how), after = generate(model, hooks, prompts, how);
  workspace<backend> ws;
  auto const harm_before = metric_values(model, none, measured, log_odds{}, ws),
             harm_after = metric_values(model, hooks, measured, log_odds{}, ws);
  std::vector<generation_pair> out;
  for (std::size_t i = 0, m = 0; i < from.size(); ++i) {
    auto& made_here = out.emplace_back(generation_pair{from[i].text,
                                                       model.tokenizer().decode(before[i].ids),
                                                       model.tokenizer().decode(after[i].ids),
                                                       {},
                                                       {}});
    if (!from[i].harm) continue;
    made_here.harm_before = harm_before[m];
    made_here.harm_after = harm_after[m++];
  }
  return out;
}

void prove(model_type const& model, common_options const& common, surgery_options const& o,
           surgery_data const& data, workshop& shop, intervention<backend>& made, surgery_results& r) {
  auto const start = std::chrono::steady_clock::now();
  validation_data unseen{data.pairs.test(), {}, data.held_out, common.seed};
  for (auto const& [name, file] : data.keep) unseen.keep.emplace_back(name, file.test());
  say(common, "validating on unseen pairs and unseen text");
  validator<backend> measured(model, std::move(unseen), log_odds{}, {made.lowest_layer()});
  r.validation = measured(made);
  constexpr index some = validated_windows;
  validation_result const same = measured(made, some);
  r.control_text = same.text;
  for (index draw = 0; draw < o.draws; ++draw) {
    intervention<backend> other = shop.make(random_circuit(made.circuit(), model.arch(), common.seed, draw),
                                            trial_name(made.circuit(), draw));
    r.controls.emplace_back(o.draws == 1 ? "random circuit" : "random circuit " + std::to_string(draw + 1),
                            measured(other, some));
  }
  made.set_strength(0);
  validation_result const sham = measured(made, some);
  r.controls.emplace_back("sham", sham);
  for (double const alpha : {0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5}) {
    made.set_strength(alpha);
    validation_result const v = alpha == 0 ? sham : alpha == 1 ? same : measured(made, some);
    r.dose.push_back({alpha, v.harm.mean_after, v.harm.reduction, v.text.change(),
                      v.keep.empty() ? std::nullopt : std::optional(v.keep[0].accuracy_after)});
  }
  made.set_strength(1);
  r.generations = continuations(model, made, data.prompts);
  r.validation_seconds = seconds_since(start);
}

[[nodiscard]] nlohmann::json settings_of(model_type const& model, common_options const& common,
                                         surgery_options const& o, surgery_data const& data) {
  return {{"model", model.identity().sha256},
          {"backend", backend::name},
          {"data", data.hashes},
          {"seed", common.seed},
          {"exact_examples", o.exact_examples},
          {"sizes", o.sizes},
          {"every_size", o.every_size},
          {"draws", o.draws},
          {"target", o.target},
          {"harm_name", o.harm_name},
          {"training", training_settings(o)},
          {"window", o.window},
          {"version", version}};
}

/// The table at the end, of a report that has just been made or lies there from before.
void show(common_options const& common, nlohmann::json const& report, std::string const& page) {
  if (common.json || common.quiet) return;
  auto const value = [](nlohmann::json const& of, char const* key, double times = 1) {
    return of.contains(key) && of[key].is_number() ? times * of[key].get<double>() : std::nan("");
  };
  nlohmann::json const& harm = report.at("harm");
  std::printf("\n%-34s %12s %12s %12s %10s\n", "on unseen data", "before", "after", "change", "p");
  std::printf("%-34s %12.3f %12.3f %11.1f%% %10.1e\n",
              (harm.at("name").get<std::string>() + " (log-odds)").c_str(), value(harm, "before"),
              value(harm, "after"), value(harm, "reduction", -100), value(harm, "p"));
  for (nlohmann::json const& k : report.at("keep")) {
    std::string const name = k.at("name");
    double const before = value(k, "before"), after = value(k, "after");
    if (name.ends_with("_accuracy"))
      std::printf("%-34s %11.1f%% %11.1f%% %9.1f pts\n", name.c_str(), 100 * before, 100 * after,
                  100 * (after - before));
    else
      std::printf("%-34s %12.3f %12.3f %11.2f%% %10.1e\n", name.c_str(), before, after,
                  100 * (after / before - 1), value(k, "p"));
  }
  for (nlohmann::json const& c : report.at("controls"))
    std::printf("%-34s %12.3f %12.3f %11.1f%%\n", ("gap after: " + c.at("name").get<std::string>()).c_str(),
                value(harm, "before"), value(harm, "before") * (1 - value(c, "reduction")),
                value(c, "reduction", -100));
  std::printf("\ncircuit:");
  for (nlohmann::json const& u : report.at("circuit").at("units")) {
    std::printf(" %s %s", u.at("kind").get<std::string>().c_str(), u.at("layer").dump().c_str());
    for (char const* const number : {"head", "neuron"})
      if (u.contains(number)) std::printf(".%s", u[number].dump().c_str());
    std::printf(";");
  }
  std::printf("\n%s\nreport: %s\n", report.at("verdict").at("sentence").get<std::string>().c_str(),
              page.c_str());
}

void conclude(common_options const& common, nlohmann::json const& report, bool complete) {
  show(common, report, common.output + "/report.html");
  nlohmann::ordered_json summary{{"output", common.output}};
  for (char const* key : {"harm", "keep", "verdict"}) summary[key] = report.at(key);
  if (complete) summary["complete"] = true;  // already, before this run
  if (common.json) print_summary(common, summary);
}

/// `--model planted` works on the planted model and its data.
void use_planted(common_options& common, surgery_options& o, std::string const& folder) {
  common.model = folder;
  o.pairs = folder + "/occupations.jsonl";
  o.keep_pairs = {folder + "/stated_gender.jsonl"};
  o.neutral = folder + "/neutral_train.txt";
  o.held_out = folder + "/held_out.txt";
  o.prompts = folder + "/generations.jsonl";
}

void run_surgery(common_options& common, surgery_options o) {
  if (auto const at = std::adjacent_find(o.sizes.begin(), o.sizes.end(), std::greater_equal<>());
      at != o.sizes.end())
    fail_expected("--sizes", std::to_string(*std::next(at)) + " after " + std::to_string(*at),
                  "ascending numbers");
  std::optional<planted_files> planted;
  if (common.model == "planted" && !common.output.empty())
    use_planted(common, o, planted.emplace(common.output, common.dry_run).folder());
  for (auto const& [flag, value] : {std::pair{"--output", &common.output},
                                    {"--pairs", &o.pairs},
                                    {"--neutral", &o.neutral},
                                    {"--held-out", &o.held_out}})
    if (value->empty() && (value != &o.neutral || o.norm_weight > 0))
      throw usage_error(std::string("surgery: ") + flag +
                        " is required (with --model planted only --output)");
  model_type const model = load(common);
  surgery_data const data = read_data(model, o);
  nlohmann::json const settings = settings_of(model, common, o, data);
  std::string const report_path = common.output + "/report.json",
                    settings_path = common.output + "/settings.json";
  if (common.dry_run) return print_plan(model, common, o, data);
  make_folders(common.output);
  if (detail::is_file(settings_path)) {
    require_same_settings(read_json(settings_path), settings, common.output);
    if (detail::is_file(report_path)) {
      say(common, common.output + " is already complete");
      return conclude(common, read_json(report_path), true);
    }
  }
  write_file(settings_path, settings.dump(2) + "\n");
  make_folders(common.output + "/trials");

  surgery_results r;
  find_effects(model, common, examples_of(o, data), data.pairs.path() + " (train)", r);
  write_file(common.output + "/effects.json", to_json(r.heads, summarise(r.heads)).dump(1) + "\n");
  circuit const ranked = select_circuit(r.heads, top{*std::max_element(o.sizes.begin(), o.sizes.end())});

  workshop shop(model, common, o, data);
  intervention<backend> made = find_cut(model, common, o, shop, ranked, r);
  r.circuit = made.circuit();
  r.trainable = made.trainable();
  measure_faithfulness(model, common, o, data, ranked, r);
  write_circuit(common.output + "/circuit.json", r.circuit);
  save_intervention(common.output + "/intervention", made);
  prove(model, common, o, data, shop, made, r);

  nlohmann::json const report = make_report(model, common, o, data, r, made);
  write_report(common.output, report);
  conclude(common, report, false);
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  static surgery_options o;
  CLI::App* verb = app.add_subcommand(
      "surgery", "find the circuit of a harm, cut it, prove that the rest still works, write the report");
  add_common(*verb, common, {.output = true, .dry_run = true});
  verb->add_option("--pairs", o.pairs, "contrast pairs of the harm (JSON lines, with splits)");
  verb->add_option("--neutral", o.neutral, "neutral text, for --norm-weight in training");
  verb->add_option("--held-out", o.held_out, "other text, on which collateral damage is measured");
  verb->add_option("--keep-pairs", o.keep_pairs, "pairs whose answer must stay (with splits)");
  verb->add_option("--prompts", o.prompts, "prompts for generations before and after (JSON lines)");
  verb->add_option("--harm-name", o.harm_name, "what the report calls the harm");
  verb->add_option("--exact-examples", o.exact_examples, "training pairs for exact effects")
      ->check(CLI::Range(2, 100000));
  verb->add_option("--sizes", o.sizes, "circuit sizes to try, ascending")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000));
  verb->add_flag("--every-size", o.every_size,
                 "train every size, for the whole curve; else up to the first that reaches the target");
  verb->add_option("--draws", o.draws, "random circuits of each size")->check(CLI::Range(1, 1000));
  verb->add_option("--target", o.target, "reduction on validation that a size must reach")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--rank", o.rank, "rank of each breaker")->check(CLI::Range(1, 512));
  verb->add_option("--steps", o.steps, "training steps")->check(CLI::Range(1, 1000000));
  verb->add_option("--learning-rate", o.learning_rate, "peak learning rate")->check(CLI::PositiveNumber);
  verb->add_option("--keep-weight", o.keep_weight, "weight of the keep pairs' squared movement")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--norm-weight", o.norm_weight, "weight of |W'x - Wx| on neutral text")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--batch", o.batch, "pairs of the harm a step")->check(CLI::Range(1, 100000));
  verb->add_option("--keep-batch", o.keep_batch, "pairs to keep a step")->check(CLI::Range(1, 100000));
  verb->add_option("--objective", o.objective,
                   "squared_gap, counterfactual_gap, hinge_gap, harm_log_likelihood, unlikelihood");
  verb->callback([&common] { run_surgery(common, o); });
}

}  // namespace program::PROGRAM_BACKEND::surgery_verb
