// SPDX-License-Identifier: Apache-2.0
// A circuit: the units that were selected, the rule that selected them, and what was measured of them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "lancet/circuit/unit.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet {

/// A share with its bootstrap interval.
struct measured_share {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// Units in decreasing order of |effect|. It carries the identity of the model it was found in: using it on
/// another throws.
struct circuit {
  model_identity model;
  std::vector<unit> units;
  std::vector<double> effects;  ///< mean effect of each unit, as it was selected by
  std::string rule;             ///< "top 10 by |effect|", …
  std::string selected_by;      ///< estimator, do-operator, direction and metric of the effects
  std::string source;           ///< of the examples it was found on
  std::vector<index> example_lines;
  std::optional<measured_share> faithfulness;  ///< circuit alone, rest ablated
  std::optional<measured_share> completeness;  ///< circuit ablated: the share of the behaviour that goes

  [[nodiscard]] std::size_t size() const { return units.size(); }
};

/// The layer that the lowest of a circuit's units lies in. Throws usage_error for a circuit without units.
[[nodiscard]] inline index lowest_layer(circuit const& c) {
  if (c.units.empty()) throw usage_error("circuit: got no units, expected at least one");
  index lowest = c.units[0].layer;
  for (unit const& u : c.units) lowest = std::min(lowest, u.layer);
  return lowest;
}

/// Throws usage_error, naming both hashes, where a value came from another model.
inline void require_same_model(model_identity const& got, model_identity const& expected, char const* what) {
  if (got.sha256 != expected.sha256)
    throw usage_error(std::string(what) + ": got one of model '" + got.name + "' (sha256 " + got.sha256 +
                      "), expected model '" + expected.name + "' (sha256 " + expected.sha256 + ")");
}

}  // namespace lancet
