// SPDX-License-Identifier: Apache-2.0
// select_circuit: the units of an effect table that a rule chooses, in decreasing order of |effect|.
#pragma once

#include <algorithm>
#include <numeric>

#include "lancet/causal/effect_table.hpp"
#include "lancet/causal/inference.hpp"
#include "lancet/circuit/circuit.hpp"

namespace lancet {

/// Units with |mean effect| >= magnitude.
struct threshold {
  double magnitude;
};
/// The n units of largest |mean effect|.
struct top {
  index n;
};
/// Units whose effect differs from zero at this level after adjustment for all units tested.
struct significance {
  double level = 0.05;
  multiplicity method = multiplicity::benjamini_hochberg;
};

namespace detail {
inline circuit circuit_of(effect_table const& effects, std::vector<std::size_t> chosen, std::string rule) {
  circuit out;
  out.model = effects.model;
  out.rule = std::move(rule);
  out.selected_by =
      effects.estimator + ", do " + effects.change + ", " + effects.direction + ", " + effects.metric;
  out.source = effects.source;
  out.example_lines = effects.example_lines;
  std::stable_sort(chosen.begin(), chosen.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(effects.mean(a)) > std::abs(effects.mean(b));
  });
  for (std::size_t const u : chosen) {
    out.units.push_back(effects.units[u]);
    out.effects.push_back(effects.mean(u));
  }
  return out;
}
inline std::vector<std::size_t> every_unit(effect_table const& effects) {
  std::vector<std::size_t> all;
  for (std::size_t u = 0; u < effects.units.size(); ++u)
    if (!std::isnan(effects.mean(u))) all.push_back(u);
  return all;
}
inline std::string short_number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}
}  // namespace detail

[[nodiscard]] inline circuit select_circuit(effect_table const& effects, threshold rule) {
  std::vector<std::size_t> chosen = detail::every_unit(effects);
  std::erase_if(chosen, [&](std::size_t u) { return std::abs(effects.mean(u)) < rule.magnitude; });
  return detail::circuit_of(effects, chosen, "|effect| >= " + detail::short_number(rule.magnitude));
}

[[nodiscard]] inline circuit select_circuit(effect_table const& effects, top rule) {
  if (rule.n < 1) fail_expected("select_circuit(top)", std::to_string(rule.n) + " units", "at least 1");
  circuit out = detail::circuit_of(effects, detail::every_unit(effects),
                                   "top " + std::to_string(rule.n) + " by |effect|");
  auto const n = std::min(out.units.size(), static_cast<std::size_t>(rule.n));
  out.units.resize(n);
  out.effects.resize(n);
  return out;
}

[[nodiscard]] inline circuit select_circuit(effect_table const& effects, significance rule) {
  std::vector<effect_summary> const rows = summarise(effects, {.method = rule.method});
  std::vector<std::size_t> chosen = detail::every_unit(effects);
  std::erase_if(chosen, [&](std::size_t u) { return !(rows[u].p_adjusted <= rule.level); });
  return detail::circuit_of(effects, chosen,
                            "p <= " + detail::short_number(rule.level) + " after adjustment");
}

}  // namespace lancet
