// SPDX-License-Identifier: Apache-2.0
// Units of a report (heads, neurons, blocks, positions, edges) as plain rows, read once and shared by all
// pictures.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/json_field.hpp"

namespace lancet::html {

using field = json_field;

/// One unit with what was measured on it. `kind` is head, neuron, attn, mlp, resid, embed or logits.
struct unit {
  std::string kind;
  std::optional<std::int64_t> layer, head, neuron, position;
  std::optional<double> effect, se, low, high, p, p_adjusted;

  [[nodiscard]] double size() const { return std::abs(effect.value_or(0)); }

  /// Kept by the false discovery control at `level`; unknown counts as kept.
  [[nodiscard]] bool significant(double level) const { return !p_adjusted || *p_adjusted < level; }

  /// "L26 H2", "L4 MLP", "L4 N1021", without the position.
  [[nodiscard]] std::string place() const {
    if (!layer) return kind;
    std::string const at = "L" + std::to_string(*layer);
    if (head) return at + " H" + std::to_string(*head);
    if (neuron) return at + " N" + std::to_string(*neuron);
    if (kind == "mlp") return at + " MLP";
    if (kind == "attn") return at + " attention";
    if (kind == "resid") return at + " residual";
    return at + " " + kind;
  }
  /// The place, and the position if there is one.
  [[nodiscard]] std::string name() const {
    return position ? place() + " @" + std::to_string(*position) : place();
  }
};

/// An edge of a circuit: `input` says what of the target it feeds (q, k, v, mlp, or nothing).
struct edge {
  unit source;
  unit target;
  std::string input;
  std::optional<double> effect;
};

namespace detail {
/// A layer, head, neuron or position: a small number from 0. The bound keeps hostile files from ordering huge
/// grids.
[[nodiscard]] inline std::optional<std::int64_t> place_index(field const& f, std::int64_t below) {
  auto const n = f.integer();
  if (n && (*n < 0 || *n >= below)) f.fail("an integer from 0 to " + std::to_string(below - 1));
  return n;
}
}  // namespace detail

/// Reads a unit; a bare string ("embed", "logits") is a kind without a layer. `kind` is used where the unit
/// says none.
[[nodiscard]] inline unit read_unit(field const& f, std::string_view kind) {
  unit u;
  if (f.json() != nullptr && f.json()->is_string()) {
    u.kind = *f.text();
    return u;
  }
  u.layer = detail::place_index(f["layer"], 4096);
  u.head = detail::place_index(f["head"], 4096);
  u.neuron = detail::place_index(f["neuron"], 1 << 24);
  u.position = detail::place_index(f["position"], 1 << 20);
  u.effect = f["effect"].number();
  u.se = f["se"].number();
  u.low = f["low"].number();
  u.high = f["high"].number();
  u.p = f["p"].number();
  u.p_adjusted = f["p_adjusted"].number();
  u.kind = f["kind"].text_or(u.head ? "head" : u.neuron ? "neuron" : kind);
  return u;
}

/// The units of an effects document: "units", or none. `unit` of the document names their kind.
[[nodiscard]] inline std::vector<unit> read_units(field const& effects) {
  std::vector<unit> out;
  std::string const kind = effects["unit"].text_or("unit");
  for (field const& f : effects["units"].items()) {
    if (!f["source"].present()) out.push_back(read_unit(f, kind));
  }
  return out;
}

/// Edges, wherever a list holds objects with `source` and `target`.
[[nodiscard]] inline std::vector<edge> read_edges(field const& list) {
  std::vector<edge> out;
  for (field const& f : list.items()) {
    if (!f["source"].present()) continue;
    if (!f["target"].present()) f["target"].fail("a unit");
    out.push_back({read_unit(f["source"], "unit"), read_unit(f["target"], "unit"), f["input"].text_or(""),
                   f["effect"].number()});
  }
  return out;
}

/// The units by falling absolute effect; equal ones keep their order.
[[nodiscard]] inline std::vector<unit> ranked(std::vector<unit> units) {
  std::stable_sort(units.begin(), units.end(),
                   [](unit const& a, unit const& b) { return a.size() > b.size(); });
  return units;
}

/// Is a unit at this place among `circuit`? A circuit unit without a position covers all positions.
[[nodiscard]] inline bool contains(std::vector<unit> const& circuit, unit const& u) {
  return std::any_of(circuit.begin(), circuit.end(), [&](unit const& c) {
    return c.kind == u.kind && c.layer == u.layer && c.head == u.head && c.neuron == u.neuron &&
           (!c.position || !u.position || c.position == u.position);
  });
}

/// The largest absolute effect (with its interval if `with_interval`), 0 for none.
[[nodiscard]] inline double largest_effect(std::vector<unit> const& units, bool with_interval = false) {
  double largest = 0;
  for (unit const& u : units) {
    largest = std::max(largest, u.size());
    if (with_interval)
      largest = std::max({largest, std::abs(u.low.value_or(0)), std::abs(u.high.value_or(0))});
  }
  return largest;
}

}  // namespace lancet::html
