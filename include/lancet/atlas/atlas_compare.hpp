// SPDX-License-Identifier: Apache-2.0
// How far two findings agree: shared units, effects of opposite sign, results whose intervals lie apart.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lancet/atlas/atlas_entry.hpp"

namespace lancet {

/// Two entries side by side. Units are compared one by one only where the model is the same; across models
/// only the depth at which the circuits lie.
struct atlas_comparison {
  bool same_harm = false;
  bool same_model = false;
  std::vector<unit> shared, only_first, only_second;
  double overlap = 0;  ///< shared units over all units of either (Jaccard); 1 for two empty circuits
  double depth_overlap =
      0;  ///< shared area of the distributions of units over ten equal slices of depth, 0 to 1
  std::vector<std::string> differences;  ///< in words; empty where the entries agree
};

namespace detail {

using depth_profile = std::array<double, 10>;

/// The share of the circuit's units in each tenth of the model's depth.
[[nodiscard]] inline depth_profile depths(atlas_entry const& e) {
  depth_profile out{};
  if (e.circuit.units.empty() || e.model.layers == 0) return out;
  for (atlas_unit const& u : e.circuit.units) {
    double const depth = (static_cast<double>(u.unit.layer) + 0.5) / static_cast<double>(e.model.layers);
    out[std::min<std::size_t>(9, static_cast<std::size_t>(depth * 10))] +=
        1 / static_cast<double>(e.circuit.units.size());
  }
  return out;
}

[[nodiscard]] inline std::string in_percent(double share) {
  return std::to_string(std::llround(100 * share)) + "%";
}

/// "−82% (−85% to −78%)", in ASCII.
[[nodiscard]] inline std::string text_of(atlas_change const& c) {
  if (!c.change) return "not measured";
  std::string out = in_percent(*c.change);
  if (c.low && c.high) out += " (" + in_percent(*c.low) + " to " + in_percent(*c.high) + ")";
  return out;
}

/// Results disagree where their intervals lie apart; without intervals, where they differ by more than 5
/// points.
[[nodiscard]] inline bool apart(atlas_change const& a, atlas_change const& b) {
  if (!a.change || !b.change) return false;
  if (a.low && a.high && b.low && b.high) return *a.high < *b.low || *b.high < *a.low;
  return std::abs(*a.change - *b.change) > 0.05;
}

inline void compare_units(atlas_comparison& out, atlas_entry const& a, atlas_entry const& b) {
  auto const find = [](atlas_entry const& e, unit const& u) {
    return std::find_if(e.circuit.units.begin(), e.circuit.units.end(),
                        [&](atlas_unit const& other) { return other.unit == u; });
  };
  for (atlas_unit const& u : a.circuit.units) {
    auto const other = find(b, u.unit);
    if (other == b.circuit.units.end()) {
      out.only_first.push_back(u.unit);
      continue;
    }
    out.shared.push_back(u.unit);
    if (u.effect && other->effect && *u.effect * *other->effect < 0 && a.effects.metric == b.effects.metric) {
      out.differences.push_back(text(u.unit) + ": the effects have opposite signs");
    }
  }
  for (atlas_unit const& u : b.circuit.units) {
    if (find(a, u.unit) == a.circuit.units.end()) out.only_second.push_back(u.unit);
  }
  std::size_t const all = out.shared.size() + out.only_first.size() + out.only_second.size();
  out.overlap = all == 0 ? 1 : static_cast<double>(out.shared.size()) / static_cast<double>(all);
  if (out.shared.size() < all) {
    out.differences.push_back("the circuits share " + std::to_string(out.shared.size()) + " of " +
                              std::to_string(all) + " units");
  }
}

inline void compare_texts(atlas_comparison& out, std::string const& what, std::string const& a,
                          std::string const& b) {
  if (a != b)
    out.differences.push_back(what + ": " + (a.empty() ? "none" : a) + " against " +
                              (b.empty() ? "none" : b));
}

}  // namespace detail

/// Compares two entries.
[[nodiscard]] inline atlas_comparison compare(atlas_entry const& a, atlas_entry const& b) {
  atlas_comparison out;
  out.same_harm = a.harm == b.harm;
  out.same_model = a.model.sha256 == b.model.sha256;
  detail::compare_texts(out, "harm", a.harm, b.harm);
  if (out.same_model) {
    detail::compare_units(out, a, b);
  } else {
    out.differences.push_back("model: " + a.model.name + " against " + b.model.name);
  }
  detail::depth_profile const one = detail::depths(a), two = detail::depths(b);
  for (std::size_t i = 0; i < one.size(); ++i) out.depth_overlap += std::min(one[i], two[i]);
  detail::compare_texts(out, "metric", a.effects.metric, b.effects.metric);
  detail::compare_texts(out, "estimator", a.effects.estimator, b.effects.estimator);
  detail::compare_texts(out, "do", a.effects.change, b.effects.change);
  if (a.validation && b.validation) {
    if (detail::apart(a.validation->harm, b.validation->harm)) {
      out.differences.push_back("harm changed by " + detail::text_of(a.validation->harm) + " against " +
                                detail::text_of(b.validation->harm));
    }
    for (atlas_change const& k : a.validation->keep) {
      for (atlas_change const& other : b.validation->keep) {
        if (k.name == other.name && detail::apart(k, other)) {
          out.differences.push_back(k.name + " changed by " + detail::text_of(k) + " against " +
                                    detail::text_of(other));
        }
      }
    }
    for (auto const& [name, passed] : a.validation->verdict) {
      auto const other = b.validation->verdict.find(name);
      if (other != b.validation->verdict.end() && other->second != passed) {
        out.differences.push_back("verdict " + name + ": " + (passed ? "yes" : "no") + " against " +
                                  (passed ? "no" : "yes"));
      }
    }
  }
  return out;
}

}  // namespace lancet
