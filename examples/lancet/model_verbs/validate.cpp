// SPDX-License-Identifier: Apache-2.0
// `lancet validate`: what an intervention did to unseen harm, to answers that must stay, and to unseen text.
#include "lancet/validate/validate.hpp"
#include "lancet/version.hpp"

#include <cstdio>
#include <filesystem>

#include "lancet/io/circuit_json.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/sha256.hpp"
#include "lancet/model_verbs/validation_cost.hpp"
#include "lancet/model_verbs/verbs.hpp"
#include "lancet/output.hpp"
#include "lancet/pairs_options.hpp"
#include "lancet/texts.hpp"
#include "lancet/validation_json.hpp"

namespace program::PROGRAM_BACKEND::validate_verb {
namespace {

using json = nlohmann::ordered_json;

struct options {
  std::string pairs, held_out, metric = "log_odds";
  std::vector<std::string> keep_pairs;
  intervention_options intervention;
  lancet::index window = 128;
};

[[nodiscard]] json items_json(lancet::test_pairs const& pairs, lancet::harm_measure const& h) {
  json out = json::array();
  for (std::size_t i = 0; i < h.before.size(); ++i)
    out.push_back(item_json(pairs.pairs[i], pairs.pairs[i].clean_text, h.before[i], h.after[i]));
  return out;
}

/// Hashes of the files that say what an intervention is: the manifest of a folder of lancet's own, the adapter's
/// files of one from elsewhere (open_intervention tells them apart).
[[nodiscard]] json intervention_hashes(std::string const& path) {
  if (lancet::detail::is_file(path)) return {{"intervention", lancet::sha256_of_file(path)}};
  if (!lancet::detail::is_file(path + "/adapter_config.json"))
    return {{"intervention", lancet::sha256_of_file(path + "/manifest.json")}};
  return {{"intervention", lancet::sha256_of_file(path + "/adapter_model.safetensors")},
          {"adapter_config", lancet::sha256_of_file(path + "/adapter_config.json")}};
}

void print_table(lancet::validation_result const& r) {
  std::printf("%-34s %12s %12s %12s %10s\n", "on unseen data", "before", "after", "change", "p");
  std::printf("%-34s %12.4f %12.4f %11.1f%% %10.2g\n", ("harm (" + r.harm.name + ")").c_str(),
              r.harm.mean_before, r.harm.mean_after, -100 * r.harm.reduction, r.harm.p);
  if (!r.text.before.empty())
    std::printf("%-34s %12.4f %12.4f %11.2f%% %10.2g\n", "perplexity", r.text.perplexity_before,
                r.text.perplexity_after, 100 * r.text.change(), r.text.p);
  for (lancet::keep_measure const& k : r.keep)
    std::printf("%-34s %11.1f%% %11.1f%% %8.1f pts %10.2g\n", (k.name + " (accuracy)").c_str(),
                100 * k.accuracy_before, 100 * k.accuracy_after, 100 * (k.accuracy_after - k.accuracy_before),
                k.p);
}

void run(common_options& common, options const& o) {
  if (o.intervention.folder.empty())
    throw lancet::usage_error("--intervention: got nothing, expected a folder or an adapter");
  lancet::metric const m = choose_metric(o.metric);
  model_type const model = load(common);
  lancet::pair_file const file = read_pair_file(model, o.pairs);
  lancet::validation_data data{file.test(), {}, {}};
  if (data.harm.pairs.empty()) throw lancet::file_error(o.pairs, "has no pairs in split test");
  require_members(file, data.harm.pairs, m.needs_contrast(), false, false);
  require_fit(file, data.harm.pairs, model.arch());
  json hashes{{o.pairs, file.sha256()}};
  for (std::string const& path : o.keep_pairs) {
    lancet::pair_file const keep = read_pair_file(model, path);
    if (keep.test().pairs.empty()) throw lancet::file_error(path, "has no pairs in split test");
    require_members(keep, keep.test().pairs, true, false, false);
    require_fit(keep, keep.test().pairs, model.arch());
    data.keep.emplace_back(std::filesystem::path(path).stem().string(), keep.test());
    hashes[path] = keep.sha256();
  }
  if (!o.held_out.empty()) {
    data.held_out =
        lancet::read_text_windows(o.held_out, model.tokenizer(), std::min(o.window, model.arch().context));
    hashes[o.held_out] = lancet::sha256_of_file(o.held_out);
  }
  data.seed = common.seed;
  auto const what = load(model, o.intervention);
  if (common.dry_run) {
    lancet::index rows = 0;
    for (auto const& w : data.held_out) rows += 2 * std::ssize(w);
    validation_cost const cost = sample_validation(model, data, m, *what);
    return print_summary(
        common, {{"plan", "harm, keep pairs, held-out text, sham control"},
                 {"items", data.harm.pairs.size()},
                 {"passes", 4 * (data.keep.size() + 1) + 2 * data.held_out.size()},
                 {"rows_of_text", rows},
                 {"estimated_seconds",
                  cost.reading + 2 * cost.pairs + cost.window * static_cast<double>(data.held_out.size())}});
  }
  json settings = intervention_hashes(o.intervention.folder);
  settings["backend"] = backend::name;
  settings["strength"] = what->strength();
  settings["model"] = model.identity().sha256;
  settings["data"] = hashes;
  settings["metric"] = o.metric;
  settings["window"] = o.window;
  settings["seed"] = common.seed;
  settings["version"] = lancet::version;
  std::string const path = output_file(common, "report.json");
  if (auto done = finished_document(path, settings)) {
    say(common, path + " is already complete");
    return print_summary(common, std::move(*done));
  }
  say(common, "validating on " + std::to_string(data.harm.pairs.size()) + " unseen pairs");
  lancet::validator<backend> measured(model, data, m, {what->lowest_layer()});
  lancet::validation_result const r = measured(*what);
  double const strength = what->strength();
  what->set_strength(0);
  lancet::harm_measure const sham = measured(*what, 0).harm;
  what->set_strength(strength);

  json document{{"format", "lancet.report"},
                {"version", 1},
                {"model",
                 {{"name", model.identity().name},
                  {"architecture", model.arch().family},
                  {"sha256", model.identity().sha256},
                  {"layers", model.arch().layers},
                  {"heads", model.arch().heads}}},
                {"circuit", to_json(what->circuit())},
                {"intervention",
                 {{"kind", what->kind()},
                  {"path", o.intervention.folder},
                  {"alpha", strength},
                  {"trainable", what->trainable()}}},
                {"harm", harm_json(r.harm)},
                {"keep", keep_json(r)},
                {"controls", json::array({{{"name", "sham"}, {"reduction", number(sham.reduction)}}})},
                {"items", items_json(data.harm, r.harm)},
                {"verdict", verdict_json(r.verdict)},
                {"notes", unmeasured_json(r)},
                {"settings", settings}};
  if (!path.empty()) lancet::write_file(path, lancet::detail::file_text(document));
  if (!path.empty()) document["output"] = path;
  if (!common.json && !common.quiet) print_table(r);
  print_summary(common, std::move(document));
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand(
      "validate", "Harm, collateral damage, paired tests and a sham control on unseen data");
  add_common(verb, common, {.output = true, .dry_run = true});
  add_intervention(verb, o->intervention);
  verb.add_option("--pairs", o->pairs, "contrast pairs; their test split is used")->required();
  verb.add_option("--keep-pairs", o->keep_pairs, "pairs whose answers must stay; their test splits are used")
      ->expected(1, 64);
  verb.add_option("--held-out", o->held_out, "text on which perplexity must stay");
  verb.add_option("--metric", o->metric, "of the harm: log_odds, log_likelihood or probability [log_odds]");
  verb.add_option("--window", o->window, "tokens of a window of text [128]")->check(CLI::Range(2, 1 << 20));
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::validate_verb
