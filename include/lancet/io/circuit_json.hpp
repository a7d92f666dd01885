// SPDX-License-Identifier: Apache-2.0
// circuit.json: a circuit as a document (docs/schemas/circuit.schema.json), written and read strictly.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "lancet/circuit/circuit.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/unit_json.hpp"

namespace lancet {

/// {"format": "lancet.circuit", "version": 1, "model": …, "units": [{"kind", "layer", "head", "effect"}], …}
[[nodiscard]] inline nlohmann::ordered_json to_json(circuit const& c) {
  nlohmann::ordered_json units = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < c.units.size(); ++i) {
    nlohmann::ordered_json u = detail::unit_to_json(c.units[i]);
    if (i < c.effects.size()) u["effect"] = detail::finite_or_null(c.effects[i]);
    units.push_back(std::move(u));
  }
  auto const share = [](measured_share const& s) {
    return nlohmann::ordered_json{{"value", detail::finite_or_null(s.value)},
                                  {"low", detail::finite_or_null(s.low)},
                                  {"high", detail::finite_or_null(s.high)}};
  };
  nlohmann::ordered_json out{{"format", "lancet.circuit"},
                             {"version", 1},
                             {"model", detail::model_to_json(c.model)},
                             {"rule", c.rule},
                             {"selected_by", c.selected_by},
                             {"source", c.source},
                             {"lines", c.example_lines},
                             {"units", std::move(units)}};
  if (c.faithfulness) out["faithfulness"] = share(*c.faithfulness);
  if (c.completeness) out["completeness"] = share(*c.completeness);
  return out;
}

/// Reads strictly: throws file_error with the path of the value that does not fit. A member `settings` (free)
/// is allowed.
[[nodiscard]] inline circuit circuit_from_json(json_field const& f) {
  f.allow_only({"format", "version", "model", "rule", "selected_by", "source", "lines", "units",
                "faithfulness", "completeness", "settings"});
  circuit out;
  f["model"].allow_only({"name", "sha256"});
  out.model = detail::read_model_identity(f["model"]);
  out.rule = f["rule"].text_or("");
  out.selected_by = f["selected_by"].text_or("");
  out.source = f["source"].text_or("");
  out.example_lines = detail::read_lines(f["lines"]);
  if (!f["units"]) f["units"].fail("a list");
  std::set<unit> seen;
  for (json_field const& u : f["units"].items()) {
    u.allow_only({"kind", "layer", "head", "neuron", "position", "effect"});
    if (!u["kind"]) u["kind"].fail("head, neuron, attn, mlp or resid");
    unit const one = detail::read_unit(u, unit_kind::head);
    if (!seen.insert(one).second) u.fail("each unit once");
    out.units.push_back(one);
    out.effects.push_back(detail::number_or_nan(u["effect"]));
  }
  auto const share = [](json_field const& s) -> std::optional<measured_share> {
    s.allow_only({"value", "low", "high"});
    if (!s) return {};
    return measured_share{detail::number_or_nan(s["value"]), detail::number_or_nan(s["low"]),
                          detail::number_or_nan(s["high"])};
  };
  out.faithfulness = share(f["faithfulness"]);
  out.completeness = share(f["completeness"]);
  return out;
}

[[nodiscard]] inline circuit read_circuit(std::string const& path) {
  nlohmann::json const document = read_json(path);
  static_cast<void>(require_format(document, "lancet.circuit", 1, path));
  return circuit_from_json(json_field(document, path));
}

inline void write_circuit(std::string const& path, circuit const& c) {
  write_file(path, detail::file_text(to_json(c)));
}

}  // namespace lancet
