// SPDX-License-Identifier: Apache-2.0
// The atlas entry that a report document amounts to.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/atlas/atlas_entry.hpp"
#include "lancet/atlas/json_field.hpp"
#include "lancet/io/json.hpp"

namespace lancet {

namespace detail {

/// A unit of a report's circuit; `kind` where the unit itself does not say it. Reports write heads as {layer,
/// head}.
[[nodiscard]] inline atlas_unit unit_of_report(json_field const& f, std::string_view kind) {
  nlohmann::json u{{"kind", f["kind"].text_or(f["head"] ? "head" : f["neuron"] ? "neuron" : kind)}};
  for (char const* const key : {"layer", "head", "neuron", "position", "effect"}) {
    if (json_field const value = f[key]) u[key] = *value.json();
  }
  // Checked by the reader of atlas files, so that nothing is entered that could not be loaded again.
  return read_atlas_unit(json_field(u, "circuit of the report"));
}

/// The effect of the same unit in the report's list, where the circuit does not repeat it.
inline void add_effect(atlas_unit& u, json_field const& effects) {
  std::string const kind = effects["unit"].text_or("");
  if (u.effect || kind != name(u.unit.kind)) return;
  for (json_field const& f : effects["units"].items()) {
    if (f["layer"].integer() != u.unit.layer || f["position"].integer().value_or(-1) != u.unit.position)
      continue;
    bool const numbered = u.unit.kind == unit_kind::head || u.unit.kind == unit_kind::neuron;
    if (numbered && f[kind].integer() != u.unit.number) continue;
    u.effect = f["effect"].number();
    return;
  }
}

}  // namespace detail

/// The entry of a report (docs/schemas/report.schema.json). `report_path` is where the HTML report will lie,
/// relative to the atlas. Throws file_error(where, path of the value) where the report has no model, circuit
/// or effects, or wrong types.
[[nodiscard]] inline atlas_entry entry_of_report(nlohmann::json const& report, std::string report_path = "",
                                                 std::string_view where = "report") {
  static_cast<void>(require_format(report, "lancet.report", 1, where));
  json_field const r(report, where), model = r["model"], circuit = r["circuit"], effects = r["effects"],
                                     harm = r["harm"];
  atlas_entry e;
  e.harm = harm["name"].text_or(harm["metric"].text_or("harm"));
  e.created = r["created"].text_or("");
  e.model = {model["name"].need_text(), model["sha256"].need_text(),
             detail::read_count(model["layers"], detail::most_layers),
             detail::read_count(model["heads"], detail::most_layers)};
  json_field const faithfulness = circuit["faithfulness"];
  e.circuit.rule = circuit["rule"].text_or("");
  e.circuit.faithfulness = faithfulness && faithfulness.json()->is_object() ? faithfulness["value"].number()
                                                                            : faithfulness.number();
  std::string const kind = circuit["unit"].text_or(effects["unit"].text_or("head"));
  for (json_field const& f : circuit["units"].items()) {
    e.circuit.units.push_back(detail::unit_of_report(f, kind));
    detail::add_effect(e.circuit.units.back(), effects);
  }
  e.effects = {effects["estimator"].need_text(),
               effects["do"].text_or(""),
               effects["direction"].text_or(""),
               effects["metric"].need_text(),
               effects["examples"].integer().value_or(0),
               static_cast<std::int64_t>(effects["units"].items().size()),
               ""};
  json_field const intervention = r["intervention"];
  if (intervention["kind"]) {
    std::int64_t const trainable =
        intervention["trainable"].integer().value_or(r["cost"]["trainable"].integer().value_or(0));
    e.interventions.push_back({intervention["kind"].need_text(), intervention["path"].text_or(""), trainable,
                               intervention["alpha"].number()});
  }
  if (auto const reduction = harm["reduction"].number()) {
    auto const minus = [](std::optional<double> x) { return x ? std::optional<double>(-*x) : x; };
    atlas_validation v;
    v.harm = {harm["metric"].text_or(""),  harm["items"].integer(), harm["before"].number(),
              harm["after"].number(),      minus(reduction),        minus(harm["high"].number()),
              minus(harm["low"].number()), harm["p"].number()};
    for (json_field const& k : r["keep"].items()) {
      v.keep.push_back({k["name"].text_or(""), k["items"].integer(), k["before"].number(),
                        k["after"].number(), k["change"].number(), k["low"].number(), k["high"].number(),
                        k["p"].number()});
    }
    for (json_field const& c : r["controls"].items()) {
      v.controls.push_back({c["name"].text_or(""),
                            {},
                            {},
                            {},
                            minus(c["reduction"].number()),
                            minus(c["high"].number()),
                            minus(c["low"].number()),
                            c["p"].number()});
    }
    for (auto const& [key, value] : r["verdict"].members()) {
      if (value.json()->is_boolean()) v.verdict[key] = *value.flag();
    }
    v.report = std::move(report_path);
    e.validation = std::move(v);
  }
  if (json_field const provenance = r["provenance"]) e.provenance = *provenance.json();
  return e;
}

}  // namespace lancet
