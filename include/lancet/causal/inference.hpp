// SPDX-License-Identifier: Apache-2.0
// From per-example effects to inference: mean, standard error, bootstrap interval, p-value, adjustment for
// many units.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "lancet/causal/effect_table.hpp"
#include "lancet/core/executor.hpp"
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

namespace detail {

/// Everything of one unit but p_adjusted. `all_rows` are the drawn resamples of all examples: most units have them all.
[[nodiscard]] inline effect_summary summarise_unit(std::span<double const> effects,
                                                   drawn_resamples const& drawn,
                                                   std::vector<std::int32_t> const& all_rows) {
  effect_summary out;
  std::vector<double> x;
  for (double const e : effects)
    if (!std::isnan(e)) x.push_back(e);
  if (x.empty()) return out;
  out.effect = sample_mean(x);
  if (x.size() < 2) return out;
  out.se = std::sqrt(sample_variance(x) / static_cast<double>(x.size()));
  out.p = paired_t_test(x, std::vector<double>(x.size(), 0.0)).p;
  bootstrap_options const how{.method = interval_method::percentile};
  bool const all = all_rows.size() == x.size() * static_cast<std::size_t>(drawn.count);
  bootstrap_interval const interval =
      all ? bootstrap_mean(x, given_resamples{all_rows}, how) : bootstrap_mean(x, drawn, how);
  out.low = interval.low;
  out.high = interval.high;
  return out;
}

}  // namespace detail

/// One summary for each unit of the table, in its order: 95 % percentile bootstrap over examples, p adjusted
/// over units. All units see the same resamples of the examples: their intervals differ by what was measured alone.
[[nodiscard]] inline std::vector<effect_summary> summarise(effect_table const& table,
                                                           inference_options options = {}) {
  constexpr std::size_t tile = 64;
  drawn_resamples const drawn{philox_stream(options.seed, "effects.bootstrap"), options.resamples};
  std::size_t const n = table.effects.empty() ? 0 : table.effects[0].size();
  std::vector<std::ptrdiff_t> row(n);
  std::vector<std::int32_t> all_rows;  // [resamples, n]
  for (index b = 0; b < options.resamples; ++b) {
    drawn.rows(b, row);
    for (std::ptrdiff_t const i : row) all_rows.push_back(static_cast<std::int32_t>(i));
  }
  std::vector<effect_summary> out(table.units.size());
  parallel_for(static_cast<index>((out.size() + tile - 1) / tile), [&](index t) {
    std::size_t const first = static_cast<std::size_t>(t) * tile;
    for (std::size_t u = first; u < std::min(first + tile, out.size()); ++u)
      out[u] = detail::summarise_unit(table.effects[u], drawn, all_rows);
  });
  std::vector<double> p;
  std::vector<std::size_t> tested;
  for (std::size_t u = 0; u < out.size(); ++u) {
    if (std::isnan(out[u].p)) continue;
    p.push_back(out[u].p);
    tested.push_back(u);
  }
  if (p.empty()) return out;
  adjusted_tests const adjusted = adjust_p_values(p, options.method);
  for (std::size_t i = 0; i < tested.size(); ++i) out[tested[i]].p_adjusted = adjusted.p[i];
  return out;
}

}  // namespace lancet
