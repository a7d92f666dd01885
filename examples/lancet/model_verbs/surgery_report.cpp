// SPDX-License-Identifier: Apache-2.0
// report.json of a surgery (docs/schemas/report.schema.json).
#include <sys/utsname.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "lancet/causal/inference.hpp"
#include "lancet/core/random.hpp"
#include "lancet/model_verbs/surgery_plan.hpp"
#include "lancet/stats/correlation.hpp"
#include "lancet/validation_json.hpp"
#include "lancet/version.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {
namespace {

using json = nlohmann::ordered_json;
using namespace lancet;  // NOLINT: a program's own file
using lancet::index;

[[nodiscard]] json unit_json(unit const& u) {
  json out{{"kind", name(u.kind)}, {"layer", u.layer}};
  if (u.kind == unit_kind::head) out["head"] = u.number;
  if (u.kind == unit_kind::neuron) out["neuron"] = u.number;
  if (u.position >= 0) out["position"] = u.position;
  return out;
}

/// An effect table with its inference; only the `most` largest units of a large one.
[[nodiscard]] json effects_json(effect_table const& t, std::size_t most) {
  std::vector<effect_summary> const rows = summarise(t);
  std::vector<std::size_t> order(t.units.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (order.size() > most) {
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::abs(rows[a].effect) > std::abs(rows[b].effect);
    });
    order.resize(most);
  }
  json units = json::array();
  for (std::size_t const u : order) {
    json one = unit_json(t.units[u]);
    one["effect"] = number(rows[u].effect);
    one["se"] = number(rows[u].se);
    one["low"] = number(rows[u].low);
    one["high"] = number(rows[u].high);
    one["p"] = number(rows[u].p);
    one["p_adjusted"] = number(rows[u].p_adjusted);
    units.push_back(std::move(one));
  }
  return {{"estimator", t.estimator},
          {"do", t.change},
          {"direction", t.direction},
          {"metric", t.metric},
          {"metric_unit", "nats"},
          {"unit", name(t.kind)},
          {"at", t.at},
          {"examples", t.examples()},
          {"level", 0.05},
          {"units", units},
          {"units_omitted", t.units.size() - order.size()}};
}

/// The estimate against the exact effect of the same units on the same examples.
[[nodiscard]] json check_json(effect_table const& estimate, effect_table const& exact) {
  std::vector<double> x, y;
  json units = json::array();
  double sum = 0, most = 0;
  for (std::size_t u = 0; u < exact.units.size(); ++u) {
    x.push_back(estimate.mean(u));
    y.push_back(exact.mean(u));
    json one = unit_json(exact.units[u]);
    one["estimate"] = x.back();
    one["exact"] = y.back();
    units.push_back(std::move(one));
    sum += std::abs(x.back() - y.back());
    most = std::max(most, std::abs(x.back() - y.back()));
  }
  return {{"estimator", estimate.estimator},
          {"reference", exact.estimator},
          {"units", units},
          {"pearson", number(pearson(x, y).value)},
          {"spearman", number(spearman(x, y).value)},
          {"mean_absolute_error", sum / static_cast<double>(x.size())},
          {"max_absolute_error", most}};
}

[[nodiscard]] json attention_json(surgery_results const& r) {
  json out = json::array();
  std::size_t const n = r.position_tokens.size();
  for (attention_pattern const& a : r.attention) {
    json rows = json::array();
    for (std::size_t from = 0; from < n; ++from) {
      json row = json::array();
      for (std::size_t to = 0; to < n; ++to)
        row.push_back(std::round(1000.0 * static_cast<double>(a.weights[from * n + to])) / 1000);
      rows.push_back(std::move(row));
    }
    out.push_back({{"layer", a.layer}, {"head", a.head}, {"tokens", r.position_tokens}, {"pattern", rows}});
  }
  return out;
}

[[nodiscard]] json circuit_json(surgery_results const& r, architecture const& arch) {
  json units = json::array();
  for (std::size_t i = 0; i < r.circuit.units.size(); ++i) {
    json one = unit_json(r.circuit.units[i]);
    if (i < r.circuit.effects.size()) one["effect"] = number(r.circuit.effects[i]);
    units.push_back(std::move(one));
  }
  auto const share = [](std::optional<measured_share> const& s) {
    return s ? json{{"value", number(s->value)}, {"low", number(s->low)}, {"high", number(s->high)}}
             : json(nullptr);
  };
  json curve = json::array();
  for (auto const& [n, s] : r.faithfulness)
    curve.push_back(
        {{"units", n}, {"faithfulness", number(s.value)}, {"low", number(s.low)}, {"high", number(s.high)}});
  index const total = arch.layers * columns_of(arch, r.circuit.units.at(0).kind).count;
  return {{"unit", name(r.circuit.units.at(0).kind)},
          {"units", units},
          {"rule", r.circuit.rule},
          {"total_units", total},
          {"fraction", static_cast<double>(r.circuit.units.size()) / static_cast<double>(total)},
          {"faithfulness", share(r.circuit.faithfulness)},
          {"completeness", share(r.circuit.completeness)},
          {"faithfulness_curve", curve}};
}

[[nodiscard]] json table_json(validation_result const& v) {
  json rows = json::array();
  auto const row = [&](std::string task, char const* metric, bool higher, paired_measure const& m,
                       double before, double after) {
    double const n = static_cast<double>(m.before.size());
    rows.push_back({{"task", std::move(task)},
                    {"metric", metric},
                    {"higher_is_better", higher},
                    {"n", n},
                    {"before", before},
                    {"after", after},
                    {"stderr", n > 1 ? number(std::sqrt(sample_variance(m.after) / n)) : json(nullptr)},
                    {"p", number(m.p)}});
  };
  row("harm (test split)", "log_odds", false, v.harm, v.harm.mean_before, v.harm.mean_after);
  for (keep_measure const& k : v.keep) {
    row(k.name, "log_odds", true, k, k.mean_before, k.mean_after);
    row(k.name, "log_likelihood", true, k.likelihood, k.likelihood.mean_before, k.likelihood.mean_after);
  }
  if (!v.text.before.empty())
    row("held-out text", "nats_per_token", false, v.text, v.text.mean_before, v.text.mean_after);
  return rows;
}

[[nodiscard]] json items_json(std::vector<contrast_pair> const& pairs, paired_measure const& m) {
  json out = json::array();
  for (std::size_t i = 0; i < pairs.size(); ++i)
    out.push_back(item_json(
        pairs[i], pairs[i].clean_text + " [" + pairs[i].answer_text + " / " + pairs[i].contrast_text + " ]",
        m.before[i], m.after[i]));
  return out;
}

[[nodiscard]] json sizes_json(surgery_results const& r) {
  json out = json::array();
  for (surgery_size const& s : r.sizes) {
    auto const spread_of = [&](auto&& value) {
      std::vector<double> x;
      for (trial const& t : s.random)
        if (std::optional<double> const v = value(t)) x.push_back(*v);
      if (x.empty()) return json(nullptr);
      return json{{"mean", sample_mean(x)},
                  {"low", *std::min_element(x.begin(), x.end())},
                  {"high", *std::max_element(x.begin(), x.end())},
                  {"draws", x}};
    };
    out.push_back({{"units", s.units},
                   {"found", {{"reduction", s.found.reduction}, {"collateral", number(s.found.keep_loss)}}},
                   {"random", spread_of([](trial const& t) { return t.reduction; })},
                   {"random_collateral", spread_of([](trial const& t) { return t.keep_loss; })}});
  }
  return out;
}

[[nodiscard]] json training_json(intervention<backend> const& made, surgery_options const& o) {
  json curve = json::array();
  for (training_record const& t : made.history) {
    json one{{"step", t.step}, {"loss", t.loss}, {"harm", t.harm}, {"keep", t.keep}};
    if (t.validation) one["validation"] = *t.validation;
    curve.push_back(std::move(one));
  }
  return {{"curve", curve}, {"options", training_settings(o)}};
}

[[nodiscard]] std::string hardware() {
  std::ifstream cpu("/proc/cpuinfo");
  for (std::string line; std::getline(cpu, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  utsname u{};
  return ::uname(&u) == 0 ? u.machine : "unknown";
}

/// What this program was compiled with.
[[nodiscard]] std::string compiler() {
#if defined(__clang__)
  return __VERSION__;  // names itself
#else
  return "GCC " __VERSION__;
#endif
}

/// Versions of the libraries that this source was compiled against.
[[nodiscard]] json libraries() {
  auto const dots = [](auto... numbers) {
    std::string out;
    ((out += (out.empty() ? "" : ".") + std::to_string(numbers)), ...);
    return out;
  };
  json out{{"nlohmann/json",
            dots(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
           {"CLI11", CLI11_VERSION}};
#ifdef BOOST_VERSION
  out["Boost"] = dots(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
#endif
#ifdef EIGEN_WORLD_VERSION
  out["Eigen"] = dots(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
#endif
#ifdef XTENSOR_VERSION_MAJOR
  out["xtensor"] = dots(XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH);
#endif
#ifdef CUDART_VERSION
  out["CUDA"] = dots(CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
#endif
  return out;
}

[[nodiscard]] std::string percent(double x, int digits = 0) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %%", digits, 100 * x);
  return text;
}

[[nodiscard]] json verdict_of(surgery_results const& r) {
  validation_result const& v = r.validation;
  char const* const met = v.verdict.failed() ? "Target not met: "
                          : v.verdict.met()  ? "Target met: "
                                             : "Target met as far as it was measured: ";
  bool beats = true;
  for (auto const& [name, c] : r.controls) beats = beats && v.harm.reduction > c.harm.reduction;
  std::string sentence = met + std::string("on unseen pairs the gap fell by ") + percent(v.harm.reduction) +
                         " (95 % interval " + percent(v.harm.low) + " to " + percent(v.harm.high) +
                         "), perplexity of held-out text changed by " + percent(v.text.change(), 2);
  for (keep_measure const& k : v.keep)
    sentence += ", accuracy on " + k.name + " went from " + percent(k.accuracy_before, 1) + " to " +
                percent(k.accuracy_after, 1);
  sentence += ".";
  if (!beats) sentence += " It does not beat a control.";
  json out{{"sentence", sentence}};
  out.update(verdict_json(v.verdict));
  out["beats_controls"] = beats;
  return out;
}

}  // namespace

nlohmann::ordered_json make_report(model_type const& model, common_options const& common,
                                   surgery_options const& o, surgery_data const& data,
                                   surgery_results const& r, intervention<backend> const& made) {
  architecture const& a = model.arch();
  validation_result const& v = r.validation;
  index const parameters = parameter_count(model.weights());
  json const cost = measures(common);
  json report{
      {"format", "lancet.report"}, {"version", 1}, {"title", o.harm_name + " in " + model.identity().name}};
  report["model"] = {{"name", model.identity().name},
                     {"architecture", a.family},
                     {"sha256", model.identity().sha256},
                     {"layers", a.layers},
                     {"heads", a.heads},
                     {"width", a.width},
                     {"parameters", parameters}};
  if (model.has_tokenizer()) report["model"]["tokenizer_sha256"] = model.tokenizer().hash();
  report["harm"] = {{"name", o.harm_name}, {"unit", "nats"}};
  report["harm"].update(harm_json(v.harm));
  report["keep"] = keep_json(v);
  report["effects"] = effects_json(r.heads, 4000);
  report["mlp"] = effects_json(r.mlps, 400);
  report["neurons"] = effects_json(r.neurons, 40);
  report["positions"] = effects_json(r.positions, 4000);
  report["positions"]["tokens"] = r.position_tokens;
  report["attention"] = attention_json(r);
  report["attribution_check"] = check_json(r.attribution, r.heads);
  report["circuit"] = circuit_json(r, a);
  report["intervention"] = {
      {"kind", made.kind()},
      {"path", "intervention"},
      {"rank", o.rank},
      {"alpha", 1.0},
      {"trainable", r.trainable},
      {"trainable_share", static_cast<double>(r.trainable) / static_cast<double>(parameters)},
      {"objective", o.objective}};
  report["training"] = training_json(made, o);
  report["items"] = items_json(data.pairs.test().pairs, v.harm);
  if (!v.keep.empty()) {
    report["keep_items"] = items_json(data.keep[0].second.test().pairs, v.keep[0]);
    report["keep_metric"] = "log_odds";
  }
  report["generations"] = json::array();
  for (generation_pair const& g : r.generations)
    report["generations"].push_back({{"prompt", g.prompt},
                                     {"before", g.before},
                                     {"after", g.after},
                                     {"harm_before", number(g.harm_before)},
                                     {"harm_after", number(g.harm_after)},
                                     {"decoding", "greedy"}});
  report["dose"] = json::array();
  for (dose_point const& d : r.dose)
    report["dose"].push_back({{"alpha", d.alpha},
                              {"harm", d.harm},
                              {"reduction", d.reduction},
                              {"perplexity_change", d.perplexity_change},
                              {"keep_accuracy", number(d.keep_accuracy)}});
  report["sizes"] = sizes_json(r);
  if (std::size_t const windows = r.control_text.before.size(); windows > 0)
    report["control_text"] = {
        {"windows", windows}, {"of", v.text.before.size()}, {"change", number(r.control_text.change())}};
  report["controls"] = json::array();
  for (auto const& [name, c] : r.controls) {
    json one{{"name", name},
             {"reduction", c.harm.reduction},
             {"low", number(c.harm.low)},
             {"high", number(c.harm.high)},
             {"p", number(c.harm.p)}};
    one["change"] = c.text.before.empty() ? json(nullptr) : number(c.text.change());
    report["controls"].push_back(std::move(one));
  }
  report["cross_harm"] = json::array();
  for (keep_measure const& k : v.keep)
    report["cross_harm"].push_back({{"suite", k.name},
                                    {"metric", "log_odds"},
                                    {"items", k.before.size()},
                                    {"before", k.mean_before},
                                    {"after", k.mean_after},
                                    {"p", number(k.p)}});
  report["table"] = table_json(v);
  report["provenance"] = {
      {"command", common.command}, {"seed", common.seed},           {"version", version},
      {"backend", common.backend}, {"threads", cost.at("threads")}, {"rng", rng_version},
      {"hardware", hardware()},    {"seconds", cost.at("seconds")}, {"peak_bytes", cost.at("peak_bytes")},
      {"compiler", compiler()},    {"libraries", libraries()},      {"data", data.hashes}};
  report["cost"] = {{"effects_seconds", r.effects_seconds},
                    {"circuit_seconds", r.circuit_seconds},
                    {"training_seconds", r.training_seconds},
                    {"validation_seconds", r.validation_seconds},
                    {"load_seconds", common.load_seconds},
                    {"peak_bytes", cost.at("peak_bytes")},
                    {"trainable", r.trainable}};
  report["verdict"] = verdict_of(r);
  report["notes"] = unmeasured_json(v);
  if (!r.target_reached)
    report["notes"].push_back("No circuit size that was tried lowers the harm of the validation pairs by " +
                              percent(o.target) +
                              " and keeps the other answers: the one nearest to it was taken.");
  return report;
}

}  // namespace program::PROGRAM_BACKEND::surgery_verb
