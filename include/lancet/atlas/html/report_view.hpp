// SPDX-License-Identifier: Apache-2.0
// The parts of a report document that several sections need, read once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/units.hpp"
#include "lancet/atlas/json_field.hpp"

namespace lancet::html {

/// A report document with its units.
struct report_view {
  field root;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  double level = 0.05;              ///< of the false discovery control: effects.level
  std::string metric;               ///< of harm, in words: "log odds"
  std::string unit;                 ///< of harm and effects: "nats"
  std::vector<html::unit> effects;  ///< of the main effects document
  std::vector<html::unit> circuit;  ///< with effects filled in from `effects` where the circuit says none
  std::vector<edge> edges;

  report_view(nlohmann::json const& report, std::string_view where) : root(report, where) {
    layers = detail::place_index(root["model"]["layers"], 4097).value_or(0);
    heads = detail::place_index(root["model"]["heads"], 4097).value_or(0);
    level = root["effects"]["level"].number().value_or(0.05);
    metric = words(root["harm"]["metric"].text_or(root["effects"]["metric"].text_or("harm")));
    unit = root["harm"]["unit"].text_or(guessed_unit(metric));
    effects = read_units(root["effects"]);
    circuit = circuit_units();
    edges = read_edges(root["circuit"]["edges"]);
  }

  /// The unit of an effects document's values.
  [[nodiscard]] std::string unit_of(field const& document) const {
    return document["metric_unit"].text_or(guessed_unit(words(document["metric"].text_or(""))));
  }

  /// "9 of 270 heads", "9 units".
  [[nodiscard]] std::string circuit_size() const {
    if (circuit.empty()) return "";
    std::string kind = circuit.front().kind;
    bool const same =
        std::all_of(circuit.begin(), circuit.end(), [&](html::unit const& u) { return u.kind == kind; });
    if (!same || (kind != "head" && kind != "neuron")) kind = "unit";
    auto const n = static_cast<std::int64_t>(circuit.size());
    std::optional<std::int64_t> total = root["circuit"]["total_units"].integer();
    if (!total && kind == "head" && layers > 0 && heads > 0) total = layers * heads;
    if (total) return count(n) + " of " + plural(*total, kind, kind + "s");
    return plural(n, kind, kind + "s");
  }

  /// "log_odds" as "log odds".
  [[nodiscard]] static std::string words(std::string name) {
    for (char& c : name) c = c == '_' ? ' ' : c;
    return name;
  }

 private:
  /// Log-probabilities and log-odds are in nats throughout the library.
  [[nodiscard]] static std::string guessed_unit(std::string_view metric) {
    return metric.substr(0, 3) == "log" ? "nats" : "";
  }

  [[nodiscard]] std::vector<html::unit> circuit_units() const {
    std::vector<html::unit> out;
    std::string const kind = root["circuit"]["unit"].text_or(root["effects"]["unit"].text_or("unit"));
    for (field const& f : root["circuit"]["units"].items()) {
      html::unit u = read_unit(f, kind);
      if (!u.effect) {
        for (html::unit const& e : effects) {
          if (contains({e}, u) && e.position == u.position) {
            u = e;
            break;
          }
        }
      }
      out.push_back(std::move(u));
    }
    return out;
  }
};

/// " on 16 of 105 windows of text", where controls and doses were measured on a part; else nothing.
[[nodiscard]] inline std::string control_windows(report_view const& r) {
  field const text = r.root["control_text"];
  auto const windows = text["windows"].integer(), of = text["of"].integer();
  if (!windows || !of || *windows >= *of) return "";
  return " on " + std::to_string(*windows) + " of " + std::to_string(*of) + " windows of text";
}

}  // namespace lancet::html
