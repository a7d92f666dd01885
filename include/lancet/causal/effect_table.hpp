// SPDX-License-Identifier: Apache-2.0
// effect_table: causal effects of units, per example, with everything needed to know what the numbers mean.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lancet/circuit/unit.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet {

/// Δ of unit u in example e is metric(do) − metric(without it), in the metric's own unit; NaN where the
/// example has no such position.
struct effect_table {
  model_identity model;
  index layers = 0, heads = 0;
  std::string estimator;  ///< "exact", "attribution", "attribution_ig5"
  std::string change;     ///< "resample", "zero", "mean", "noise"
  std::string direction;  ///< "denoise": clean values into the corrupted run; "noise": the other way round
  std::string metric;
  unit_kind kind = unit_kind::head;
  std::string at;      ///< "all", "each", "last"
  std::string source;  ///< of the examples
  std::vector<index> example_lines;
  std::vector<double> clean, corrupted;  ///< the metric of each example in both runs; corrupted may be empty
  std::vector<unit> units;
  std::vector<std::vector<double>> effects;  ///< [units][examples]

  [[nodiscard]] index examples() const { return std::ssize(example_lines); }

  /// Mean over the examples that have the unit, in order.
  [[nodiscard]] double mean(std::size_t u) const {
    double sum = 0;
    index n = 0;
    for (double const e : effects[u])
      if (!std::isnan(e)) sum += e, ++n;
    return n ? sum / static_cast<double>(n) : std::numeric_limits<double>::quiet_NaN();
  }
};

}  // namespace lancet
