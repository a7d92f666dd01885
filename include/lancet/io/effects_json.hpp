// SPDX-License-Identifier: Apache-2.0
// effects.json: a table of effects as a document (docs/schemas/effects.schema.json), and its per-example
// values as tensors.
#pragma once

#include <string>
#include <vector>

#include "lancet/causal/effect_table.hpp"
#include "lancet/causal/inference.hpp"
#include "lancet/circuit/select.hpp"
#include "lancet/io/safetensors_writer.hpp"
#include "lancet/io/sha256.hpp"
#include "lancet/io/unit_json.hpp"

namespace lancet {

/// {"format": "lancet.effects", "version": 1, "model": …, "units": [{"layer", "head", "effect", "se", …}],
/// …}; one summary a unit, in the table's order.
[[nodiscard]] inline nlohmann::ordered_json to_json(effect_table const& table,
                                                    std::vector<effect_summary> const& summaries) {
  if (summaries.size() != table.units.size())
    fail_expected("effects", std::to_string(summaries.size()) + " summaries",
                  std::to_string(table.units.size()) + ", one a unit");
  nlohmann::ordered_json units = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    nlohmann::ordered_json u = detail::unit_to_json(table.units[i], name(table.kind));
    effect_summary const& s = summaries[i];
    u["effect"] = detail::finite_or_null(s.effect);
    u["se"] = detail::finite_or_null(s.se);
    u["low"] = detail::finite_or_null(s.low);
    u["high"] = detail::finite_or_null(s.high);
    u["p"] = detail::finite_or_null(s.p);
    u["p_adjusted"] = detail::finite_or_null(s.p_adjusted);
    units.push_back(std::move(u));
  }
  nlohmann::ordered_json model = detail::model_to_json(table.model);
  model["layers"] = table.layers;
  model["heads"] = table.heads;
  nlohmann::ordered_json baseline{{"clean", detail::finite_or_null(sample_mean(table.clean))}};
  if (!table.corrupted.empty()) baseline["corrupted"] = detail::finite_or_null(sample_mean(table.corrupted));
  return {{"format", "lancet.effects"},
          {"version", 1},
          {"model", std::move(model)},
          {"estimator", table.estimator},
          {"do", table.change},
          {"direction", table.direction},
          {"metric", table.metric},
          {"unit", name(table.kind)},
          {"at", table.at},
          {"examples", table.examples()},
          {"source", table.source},
          {"lines", table.example_lines},
          {"baseline", std::move(baseline)},
          {"units", std::move(units)}};
}

/// Writes what a mean cannot say: `effects` [units, examples], `clean` and `corrupted` [examples] in double,
/// `lines`.
inline void write_example_effects(std::string const& path, effect_table const& table) {
  std::vector<double> flat;
  for (auto const& row : table.effects) {
    if (std::ssize(row) != table.examples())
      fail_expected("effects", std::to_string(row.size()) + " values of a unit",
                    std::to_string(table.examples()));
    flat.insert(flat.end(), row.begin(), row.end());
  }
  std::vector<std::int64_t> const lines(table.example_lines.begin(), table.example_lines.end());
  index const n = table.examples();
  std::vector<tensor_entry> tensors{
      as_tensor("effects", {std::ssize(table.units), n}, std::span<double const>(flat)),
      as_tensor("clean", {n}, std::span<double const>(table.clean)),
      as_tensor("lines", {n}, std::span<std::int64_t const>(lines))};
  if (!table.corrupted.empty())
    tensors.push_back(as_tensor("corrupted", {n}, std::span<double const>(table.corrupted)));
  write_safetensors(path, tensors, {{"format", "lancet.effects"}, {"model_sha256", table.model.sha256}});
}

/// Writes the document to `path`, with `settings` (free) as its member where they are not null; with
/// `per_example` first the tensors beside it, under the same name with .safetensors. Returns the document.
inline nlohmann::ordered_json write_effects(std::string const& path, effect_table const& table,
                                            std::vector<effect_summary> const& summaries,
                                            bool per_example = false,
                                            nlohmann::ordered_json const& settings = nullptr) {
  nlohmann::ordered_json document = to_json(table, summaries);
  if (!settings.is_null()) document["settings"] = settings;
  if (per_example) {
    std::string const tensors =
        (path.ends_with(".json") ? path.substr(0, path.size() - 5) : path) + ".safetensors";
    write_example_effects(tensors, table);
    document["per_example"] = {{"file", tensors.substr(tensors.rfind('/') + 1)},
                               {"sha256", sha256_of_file(tensors)}};
  }
  write_file(path, detail::file_text(document));
  return document;
}

/// What an effects file holds. Without per-example values, `table.effects` has the mean alone for each unit,
/// and the baselines their mean alone.
struct effects_file {
  effect_table table;
  std::vector<effect_summary> summaries;
  bool per_example = false;
};

namespace detail {

/// The file that a document names beside itself: a plain name, never a path that leads elsewhere.
[[nodiscard]] inline std::string sibling(std::string const& of, json_field const& f) {
  std::string const file = f.need_text();
  if (!is_plain_name(file)) f.fail("the plain name of a file beside this one");
  auto const slash = of.rfind('/');
  return slash == of.npos ? file : of.substr(0, slash + 1) + file;
}

inline void read_example_effects(std::string const& path, json_field const& digest, effect_table& table) {
  if (std::string const hash = sha256_of_file(path); hash != digest.need_text())
    digest.fail(hash + ", that of " + path);
  auto const file = safetensors_file::open(path);
  index const n = table.examples(), units = std::ssize(table.units);
  std::vector<std::ptrdiff_t> const all{units, n}, one{n};
  std::vector<double> const flat = read_values<double>(file.tensors().at("effects", all), path);
  table.effects.clear();
  for (index u = 0; u < units; ++u)
    table.effects.emplace_back(flat.begin() + u * n, flat.begin() + (u + 1) * n);
  table.clean = read_values<double>(file.tensors().at("clean", one), path);
  if (!table.corrupted.empty())
    table.corrupted = read_values<double>(file.tensors().at("corrupted", one), path);
  std::vector<std::int64_t> const lines = read_values<std::int64_t>(file.tensors().at("lines", one), path);
  if (!std::equal(lines.begin(), lines.end(), table.example_lines.begin()))
    throw file_error(path, "lines: got other examples than the document's, expected the same");
}

}  // namespace detail

/// Reads strictly: throws file_error with the path of the value that does not fit. `per_example` in the
/// document names the tensors' file beside it and its SHA-256. A member `settings` (free) is allowed.
[[nodiscard]] inline effects_file read_effects(std::string const& path) {
  nlohmann::json const document = read_json(path);
  static_cast<void>(require_format(document, "lancet.effects", 1, path));
  json_field const f(document, path);
  f.allow_only({"format", "version", "model", "estimator", "do", "direction", "metric", "unit", "at",
                "examples", "source", "lines", "baseline", "units", "per_example", "settings"});
  effects_file out;
  effect_table& t = out.table;
  f["model"].allow_only({"name", "sha256", "layers", "heads"});
  t.model = detail::read_model_identity(f["model"]);
  t.layers = detail::json_index(f["model"]["layers"], 1, detail::most_json_layers);
  t.heads = detail::json_index(f["model"]["heads"], 1, detail::most_json_layers);
  t.estimator = f["estimator"].need_text();
  t.change = f["do"].need_text();
  t.direction = f["direction"].need_text();
  t.metric = f["metric"].need_text();
  t.kind = detail::json_unit_kind(f["unit"]);
  t.at = f["at"].need_text();
  t.source = f["source"].text_or("");
  t.example_lines = detail::read_lines(f["lines"]);
  index const examples = detail::json_index(f["examples"], 0, std::int64_t{1} << 53);
  if (f["lines"] && t.examples() != examples)
    f["examples"].fail(std::to_string(t.examples()) + ", the number of lines");
  f["baseline"].allow_only({"clean", "corrupted"});
  t.clean = {detail::number_or_nan(f["baseline"]["clean"])};
  if (f["baseline"]["corrupted"]) t.corrupted = {detail::number_or_nan(f["baseline"]["corrupted"])};
  if (!f["units"]) f["units"].fail("a list");
  for (json_field const& u : f["units"].items()) {
    u.allow_only(
        {"kind", "layer", "head", "neuron", "position", "effect", "se", "low", "high", "p", "p_adjusted"});
    unit const one = detail::read_unit(u, t.kind);
    if (one.layer >= t.layers) u["layer"].fail("a layer below " + std::to_string(t.layers));
    if (one.kind == unit_kind::head && one.number >= t.heads)
      u["head"].fail("a head below " + std::to_string(t.heads));
    t.units.push_back(one);
    out.summaries.push_back({detail::number_or_nan(u["effect"]), detail::number_or_nan(u["se"]),
                             detail::number_or_nan(u["low"]), detail::number_or_nan(u["high"]),
                             detail::number_or_nan(u["p"]), detail::number_or_nan(u["p_adjusted"])});
    t.effects.push_back({out.summaries.back().effect});
  }
  if (json_field const tensors = f["per_example"]) {
    tensors.allow_only({"file", "sha256"});
    detail::read_example_effects(detail::sibling(path, tensors["file"]), tensors["sha256"], t);
    out.per_example = true;
  }
  return out;
}

/// Units whose p-value, adjusted as the file's writer did it, is at most `level`.
[[nodiscard]] inline circuit select_significant(effects_file const& effects, double level) {
  std::vector<std::size_t> chosen = detail::every_unit(effects.table);
  std::erase_if(chosen, [&](std::size_t u) { return !(effects.summaries[u].p_adjusted <= level); });
  return detail::circuit_of(effects.table, std::move(chosen),
                            "p <= " + detail::short_number(level) + " after adjustment");
}

}  // namespace lancet
