// SPDX-License-Identifier: Apache-2.0
// One finding of an atlas: which circuit of which model carries a harm, what was done to it, and what came of
// that.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/json_field.hpp"
#include "lancet/circuit/unit.hpp"

namespace lancet {

struct atlas_model {
  std::string name;
  std::string sha256;  ///< of the weights: two entries speak of the same model where this is equal
  std::int64_t layers = 0;
  std::int64_t heads = 0;
};

/// A unit of a circuit and the effect it was chosen by, in the unit of the effects' metric.
struct atlas_unit {
  lancet::unit unit;
  std::optional<double> effect;
};

struct atlas_circuit {
  std::string rule;  ///< that selected the units, in words
  std::vector<atlas_unit> units;
  std::optional<double> faithfulness;
};

/// How the effects were measured; the numbers themselves stay in `file`.
struct atlas_effects {
  std::string estimator;
  std::string change;  ///< "do" in the file: resample, zero, mean, noise
  std::string direction;
  std::string metric;
  std::int64_t examples = 0;
  std::int64_t units = 0;  ///< how many were measured
  std::string file;
};

struct atlas_intervention {
  std::string kind;
  std::string path;
  std::int64_t trainable = 0;
  std::optional<double> alpha;
};

/// A quantity before and after. `change` is relative; for harm it is minus the reduction.
struct atlas_change {
  std::string name;
  std::optional<std::int64_t> items;
  std::optional<double> before, after, change, low, high, p;
};

struct atlas_validation {
  atlas_change harm;
  std::vector<atlas_change> keep;
  std::vector<atlas_change> controls;  ///< by what they do to harm
  std::map<std::string, bool> verdict;
  std::string report;  ///< path of the report, relative to the atlas
};

/// An entry. `created` and `provenance` do not count for its identity: the same run repeated is the same
/// entry.
struct atlas_entry {
  std::string harm;
  std::string created;
  atlas_model model;
  atlas_circuit circuit;
  atlas_effects effects;
  std::vector<atlas_intervention> interventions;
  std::optional<atlas_validation> validation;
  nlohmann::json provenance;  ///< an object of any kind, or null
};

namespace detail {

/// Sets `key` unless the value is absent, not finite (JSON has no NaN), an empty string or an empty list.
template <class T>
void put(nlohmann::json& object, char const* key, T const& value) {
  if constexpr (requires { value.has_value(); }) {
    if (value) put(object, key, *value);
  } else if constexpr (requires { value.empty(); }) {
    if (!value.empty()) object[key] = value;
  } else {
    if (std::isfinite(static_cast<double>(value))) object[key] = value;
  }
}

[[nodiscard]] inline nlohmann::json to_json(atlas_unit const& u) {
  nlohmann::json out{{"kind", std::string(name(u.unit.kind))}, {"layer", u.unit.layer}};
  if (u.unit.kind == unit_kind::head) out["head"] = u.unit.number;
  if (u.unit.kind == unit_kind::neuron) out["neuron"] = u.unit.number;
  if (u.unit.position >= 0) out["position"] = u.unit.position;
  put(out, "effect", u.effect);
  return out;
}

[[nodiscard]] inline nlohmann::json to_json(atlas_change const& c) {
  nlohmann::json out = nlohmann::json::object();
  put(out, "name", c.name);
  put(out, "items", c.items);
  put(out, "before", c.before);
  put(out, "after", c.after);
  put(out, "change", c.change);
  put(out, "low", c.low);
  put(out, "high", c.high);
  put(out, "p", c.p);
  return out;
}

template <class T>
[[nodiscard]] nlohmann::json list_to_json(std::vector<T> const& list) {
  nlohmann::json out = nlohmann::json::array();
  for (T const& one : list) out.push_back(to_json(one));
  return out;
}

/// A count or place: 0 up to `limit`.
[[nodiscard]] inline std::int64_t read_count(json_field const& f, std::int64_t limit) {
  std::int64_t const n = f.need_integer();
  if (n < 0 || n > limit) f.fail("an integer from 0 to " + std::to_string(limit));
  return n;
}
inline constexpr std::int64_t most_layers = 4096, most_units = std::int64_t{1} << 40;

[[nodiscard]] inline unit_kind read_unit_kind(json_field const& f) {
  std::string const word = f.need_text();
  for (unit_kind const k :
       {unit_kind::head, unit_kind::neuron, unit_kind::attn, unit_kind::mlp, unit_kind::resid}) {
    if (word == name(k)) return k;
  }
  f.fail("head, neuron, attn, mlp or resid");
}

[[nodiscard]] inline atlas_unit read_atlas_unit(json_field const& f) {
  f.allow_only({"kind", "layer", "head", "neuron", "position", "effect"});
  atlas_unit u;
  u.unit.kind = read_unit_kind(f["kind"]);
  u.unit.layer = static_cast<index>(read_count(f["layer"], most_layers));
  for (unit_kind const k : {unit_kind::head, unit_kind::neuron}) {
    json_field const number = f[name(k)];
    if (u.unit.kind == k) u.unit.number = static_cast<index>(read_count(number, std::int64_t{1} << 24));
    if (u.unit.kind != k && number)
      number.fail("nothing here in a unit of kind " + std::string(name(u.unit.kind)));
  }
  if (f["position"]) u.unit.position = static_cast<index>(read_count(f["position"], std::int64_t{1} << 24));
  u.effect = f["effect"].number();
  return u;
}

[[nodiscard]] inline atlas_change read_atlas_change(json_field const& f) {
  f.allow_only({"name", "items", "before", "after", "change", "low", "high", "p"});
  atlas_change c{.name = f["name"].text_or(""),
                 .items = {},
                 .before = f["before"].number(),
                 .after = f["after"].number(),
                 .change = f["change"].number(),
                 .low = f["low"].number(),
                 .high = f["high"].number(),
                 .p = f["p"].number()};
  if (f["items"]) c.items = read_count(f["items"], most_units);
  return c;
}

[[nodiscard]] inline std::vector<atlas_change> read_atlas_changes(json_field const& list) {
  std::vector<atlas_change> out;
  for (json_field const& f : list.items()) out.push_back(read_atlas_change(f));
  return out;
}

[[nodiscard]] inline atlas_validation read_atlas_validation(json_field const& f) {
  f.allow_only({"harm", "keep", "controls", "verdict", "report"});
  if (!f["harm"]) f["harm"].fail("an object");
  atlas_validation v{.harm = read_atlas_change(f["harm"]),
                     .keep = read_atlas_changes(f["keep"]),
                     .controls = read_atlas_changes(f["controls"]),
                     .verdict = {},
                     .report = f["report"].text_or("")};
  for (auto const& [key, value] : f["verdict"].members()) v.verdict[key] = *value.flag();
  return v;
}

}  // namespace detail

/// The entry as a document, without its id.
[[nodiscard]] inline nlohmann::json to_json(atlas_entry const& e) {
  using detail::put;
  nlohmann::json model{{"name", e.model.name},
                       {"sha256", e.model.sha256},
                       {"layers", e.model.layers},
                       {"heads", e.model.heads}};
  nlohmann::json circuit{{"units", detail::list_to_json(e.circuit.units)}};
  put(circuit, "rule", e.circuit.rule);
  put(circuit, "faithfulness", e.circuit.faithfulness);
  nlohmann::json effects{{"estimator", e.effects.estimator}, {"metric", e.effects.metric}};
  put(effects, "do", e.effects.change);
  put(effects, "direction", e.effects.direction);
  put(effects, "examples", e.effects.examples);
  put(effects, "units", e.effects.units);
  put(effects, "file", e.effects.file);
  nlohmann::json out{{"harm", e.harm}, {"model", model}, {"circuit", circuit}, {"effects", effects}};
  put(out, "created", e.created);
  for (atlas_intervention const& i : e.interventions) {
    nlohmann::json one{{"kind", i.kind}, {"trainable", i.trainable}};
    put(one, "path", i.path);
    put(one, "alpha", i.alpha);
    out["interventions"].push_back(std::move(one));
  }
  if (e.validation) {
    nlohmann::json& v = out["validation"] = {{"harm", detail::to_json(e.validation->harm)}};
    put(v, "keep", detail::list_to_json(e.validation->keep));
    put(v, "controls", detail::list_to_json(e.validation->controls));
    put(v, "verdict", e.validation->verdict);
    put(v, "report", e.validation->report);
  }
  if (!e.provenance.is_null()) out["provenance"] = e.provenance;
  return out;
}

/// Reads an entry strictly: unknown members, missing ones and wrong types throw file_error with their path.
[[nodiscard]] inline atlas_entry read_atlas_entry(json_field const& f) {
  f.allow_only(
      {"id", "harm", "created", "model", "circuit", "effects", "interventions", "validation", "provenance"});
  atlas_entry e;
  e.harm = f["harm"].need_text();
  e.created = f["created"].text_or("");
  json_field const model = f["model"], circuit = f["circuit"], effects = f["effects"];
  model.allow_only({"name", "sha256", "layers", "heads"});
  e.model = {model["name"].need_text(), model["sha256"].need_text(),
             detail::read_count(model["layers"], detail::most_layers),
             detail::read_count(model["heads"], detail::most_layers)};
  circuit.allow_only({"units", "rule", "faithfulness"});
  if (!circuit["units"]) circuit["units"].fail("a list");
  e.circuit = {circuit["rule"].text_or(""), {}, circuit["faithfulness"].number()};
  for (json_field const& u : circuit["units"].items()) {
    e.circuit.units.push_back(detail::read_atlas_unit(u));
    if (e.circuit.units.back().unit.layer >= e.model.layers)
      u["layer"].fail("a layer below the model's " + std::to_string(e.model.layers));
  }
  effects.allow_only({"estimator", "do", "direction", "metric", "examples", "units", "file"});
  e.effects = {effects["estimator"].need_text(),
               effects["do"].text_or(""),
               effects["direction"].text_or(""),
               effects["metric"].need_text(),
               effects["examples"] ? detail::read_count(effects["examples"], detail::most_units) : 0,
               effects["units"] ? detail::read_count(effects["units"], detail::most_units) : 0,
               effects["file"].text_or("")};
  for (json_field const& i : f["interventions"].items()) {
    i.allow_only({"kind", "path", "trainable", "alpha"});
    e.interventions.push_back({i["kind"].need_text(), i["path"].text_or(""),
                               i["trainable"] ? detail::read_count(i["trainable"], detail::most_units) : 0,
                               i["alpha"].number()});
  }
  if (f["validation"]) e.validation = detail::read_atlas_validation(f["validation"]);
  if (json_field const provenance = f["provenance"]) {
    static_cast<void>(provenance.members());  // an object
    e.provenance = *provenance.json();
  }
  return e;
}

/// What an entry says, as 16 hexadecimal digits: FNV-1a of its document without `created` and `provenance`.
[[nodiscard]] inline std::string id_of(atlas_entry const& entry) {
  nlohmann::json said = to_json(entry);
  said.erase("created");
  said.erase("provenance");
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char const c : said.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(hash >> shift) & 15];
  return out;
}

}  // namespace lancet
