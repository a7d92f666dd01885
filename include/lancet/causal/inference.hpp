// SPDX-License-Identifier: Apache-2.0
// From per-example effects to inference: mean, standard error, bootstrap interval, p-value, adjustment for
// many units.
#pragma once

#include <cmath>
#include <limits>

#include "lancet/causal/effect_table.hpp"
#include "lancet/stats/bootstrap.hpp"
#include "lancet/stats/multiple.hpp"
#include "lancet/stats/t_test.hpp"

namespace lancet {

/// One unit's effect over examples. The p-value is that of a paired t-test of metric(do) against metric; with
/// fewer than two examples everything but the mean is NaN.
struct effect_summary {
  double effect = std::numeric_limits<double>::quiet_NaN();
  double se = effect, low = effect, high = effect, p = effect, p_adjusted = effect;
};

struct inference_options {
  multiplicity method = multiplicity::benjamini_hochberg;
  index resamples = 2000;
  std::uint64_t seed = 0;
};

/// One summary for each unit of the table, in its order: 95 % percentile bootstrap over examples, p adjusted
/// over units.
[[nodiscard]] inline std::vector<effect_summary> summarise(effect_table const& table,
                                                           inference_options options = {}) {
  std::vector<effect_summary> out(table.units.size());
  std::vector<double> p;
  std::vector<std::size_t> tested;
  for (std::size_t u = 0; u < out.size(); ++u) {
    std::vector<double> x;
    for (double const e : table.effects[u])
      if (!std::isnan(e)) x.push_back(e);
    if (x.empty()) continue;
    out[u].effect = sample_mean(x);
    if (x.size() < 2) continue;
    std::vector<double> const none(x.size(), 0.0);
    out[u].se = std::sqrt(sample_variance(x) / static_cast<double>(x.size()));
    out[u].p = paired_t_test(x, none).p;
    bootstrap_interval const interval = bootstrap_mean(
        x, drawn_resamples{philox_stream(options.seed, "effects.bootstrap").at(u), options.resamples},
        {.method = interval_method::percentile});
    out[u].low = interval.low;
    out[u].high = interval.high;
    p.push_back(out[u].p);
    tested.push_back(u);
  }
  if (p.empty()) return out;
  adjusted_tests const adjusted = adjust_p_values(p, options.method);
  for (std::size_t i = 0; i < tested.size(); ++i) out[tested[i]].p_adjusted = adjusted.p[i];
  return out;
}

}  // namespace lancet
