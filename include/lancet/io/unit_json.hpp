// SPDX-License-Identifier: Apache-2.0
// Units, model identities and lists of lines as JSON: what effects, circuits and interventions have in
// common.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/json_field.hpp"
#include "lancet/circuit/unit.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet::detail {

/// A number; null where it is not finite, because JSON has no NaN.
[[nodiscard]] inline nlohmann::ordered_json finite_or_null(double x) {
  return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(nullptr);
}

/// {"kind": "head", "layer": 26, "head": 2, "position": 4}; the kind is left out where it is `usual`.
[[nodiscard]] inline nlohmann::ordered_json unit_to_json(unit const& u, std::string_view usual = "") {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  if (name(u.kind) != usual) out["kind"] = name(u.kind);
  out["layer"] = u.layer;
  if (u.kind == unit_kind::head || u.kind == unit_kind::neuron) out[std::string(name(u.kind))] = u.number;
  if (u.position >= 0) out["position"] = u.position;
  return out;
}

[[nodiscard]] inline index json_index(json_field const& f, std::int64_t first, std::int64_t last) {
  std::int64_t const n = f.need_integer();
  if (n < first || n > last)
    f.fail("an integer from " + std::to_string(first) + " to " + std::to_string(last));
  return static_cast<index>(n);
}

[[nodiscard]] inline unit_kind json_unit_kind(json_field const& f) {
  std::string const word = f.need_text();
  for (unit_kind const k :
       {unit_kind::head, unit_kind::neuron, unit_kind::attn, unit_kind::mlp, unit_kind::resid})
    if (word == name(k)) return k;
  f.fail("head, neuron, attn, mlp or resid");
}

/// Sizes that a model could have; a file with larger ones is refused before anything is made of it.
inline constexpr std::int64_t most_json_layers = 4096, most_json_neurons = std::int64_t{1} << 24,
                              most_json_positions = std::int64_t{1} << 20;

[[nodiscard]] inline unit read_unit(json_field const& f, unit_kind usual) {
  unit u;
  u.kind = f["kind"] ? json_unit_kind(f["kind"]) : usual;
  u.layer = json_index(f["layer"], 0, most_json_layers - 1);
  for (unit_kind const k : {unit_kind::head, unit_kind::neuron}) {
    json_field const number = f[name(k)];
    if (u.kind == k)
      u.number = json_index(number, 0, (k == unit_kind::head ? most_json_layers : most_json_neurons) - 1);
    else if (number)
      number.fail("nothing here in a unit of kind " + std::string(name(u.kind)));
  }
  if (f["position"]) u.position = json_index(f["position"], 0, most_json_positions - 1);
  return u;
}

[[nodiscard]] inline nlohmann::ordered_json model_to_json(model_identity const& m) {
  return {{"name", m.name}, {"sha256", m.sha256}};
}
[[nodiscard]] inline model_identity read_model_identity(json_field const& f) {
  return {f["name"].need_text(), f["sha256"].need_text()};
}

[[nodiscard]] inline std::vector<index> read_lines(json_field const& list) {
  std::vector<index> out;
  for (json_field const& f : list.items()) out.push_back(json_index(f, 0, std::int64_t{1} << 53));
  return out;
}

/// A list of numbers, NaN where null.
[[nodiscard]] inline double number_or_nan(json_field const& f) {
  return f.number().value_or(std::numeric_limits<double>::quiet_NaN());
}

/// The text of a document as it is written to files: two blanks a level, a newline at the end.
[[nodiscard]] inline std::string file_text(nlohmann::ordered_json const& document) {
  return document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace lancet::detail
