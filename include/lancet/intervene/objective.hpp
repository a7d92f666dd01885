// SPDX-License-Identifier: Apache-2.0
// Objectives: what training an intervention minimises on harmful examples, as a function of one metric value
// each.
#pragma once

#include <algorithm>
#include <cmath>
#include <string_view>

#include "lancet/causal/metric.hpp"

namespace lancet {

/// E[log P(y_h | x)]: the literal objective. It has no floor: watch the preservation terms.
struct harm_log_likelihood {};
/// E[(log P(y_h) − log P(y_c))²]: the gap between harmful and contrasting answer is closed, not reversed.
struct squared_gap {};
/// E[(gap(clean) − gap(corrupted))²], gap = log P(y_h) − log P(y_c): the subject's own causal effect on the
/// answer is closed, and what the rest of the sentence says of it is left alone. Needs counterfactual
/// prompts.
struct counterfactual_gap {};
/// E[max(0, log P(y_h) − log P(y_c) − margin)].
struct hinge_gap {
  double margin = 0;
};
/// E[−log(1 − P(y_h | x))] (Welleck et al. 2020).
struct unlikelihood {};

/// One of the above, chosen at run time; there is no default.
class objective {
 public:
  enum class kind { harm_log_likelihood, squared_gap, counterfactual_gap, hinge_gap, unlikelihood };
  constexpr objective(harm_log_likelihood) : kind_(kind::harm_log_likelihood) {}
  constexpr objective(squared_gap) : kind_(kind::squared_gap) {}
  constexpr objective(counterfactual_gap) : kind_(kind::counterfactual_gap) {}
  constexpr objective(hinge_gap h) : kind_(kind::hinge_gap), margin_(h.margin) {}
  constexpr objective(unlikelihood) : kind_(kind::unlikelihood) {}

  [[nodiscard]] constexpr kind which() const { return kind_; }
  [[nodiscard]] constexpr std::string_view name() const {
    constexpr std::string_view names[] = {"harm_log_likelihood", "squared_gap", "counterfactual_gap",
                                          "hinge_gap", "unlikelihood"};
    return names[static_cast<int>(kind_)];
  }
  /// The metric whose value the objective is a function of.
  [[nodiscard]] constexpr lancet::metric metric() const {
    if (kind_ == kind::harm_log_likelihood || kind_ == kind::unlikelihood) return log_likelihood{};
    return log_odds{};
  }
  /// True if an example's value is the metric of the clean prompt minus that of the corrupted one.
  [[nodiscard]] constexpr bool paired() const { return kind_ == kind::counterfactual_gap; }

  /// Loss of one example with metric value v, and its derivative.
  [[nodiscard]] double loss(double v) const {
    switch (kind_) {
      case kind::squared_gap:
      case kind::counterfactual_gap:
        return v * v;
      case kind::hinge_gap:
        return std::max(0.0, v - margin_);
      case kind::unlikelihood:
        return -std::log1p(-std::min(std::exp(v), 1 - 1e-12));
      default:
        return v;
    }
  }
  [[nodiscard]] double slope(double v) const {
    switch (kind_) {
      case kind::squared_gap:
      case kind::counterfactual_gap:
        return 2 * v;
      case kind::hinge_gap:
        return v > margin_ ? 1.0 : 0.0;
      case kind::unlikelihood: {
        double const p = std::min(std::exp(v), 1 - 1e-12);
        return p / (1 - p);
      }
      default:
        return 1.0;
    }
  }

 private:
  kind kind_;
  double margin_ = 0;
};

}  // namespace lancet
