// SPDX-License-Identifier: Apache-2.0
// metric_values: a metric of every pair's clean prompt under some hooks.
#pragma once

#include "lancet/causal/metric.hpp"
#include "lancet/hooks/hook_table.hpp"

namespace lancet {

/// One value a pair, in order. Throws usage_error for a pair without what the metric needs.
template <class B, class Arch>
[[nodiscard]] std::vector<double> metric_values(transformer<B, Arch> const& model, hook_table<B>& hooks,
                                                std::span<contrast_pair const> pairs, metric m,
                                                workspace<B>& ws) {
  constexpr index batch_rows = 512;
  std::vector<double> out;
  batch<B> input;
  readout_plan plan;
  auto const flush = [&] {
    if (plan.examples == 0) return;
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    for (double const v : readout<B, Arch, hook_table<B>>(model, hooks, ws).values(plan))
      out.push_back(m.value(v));
    input.clear();
    plan.clear();
  };
  for (contrast_pair const& p : pairs) {
    require_unseen_answer(model.arch(), p);
    for (prompt const& q : metric_prompts(m, p, p.clean, plan.examples)) {
      for (token_query const& t : q.queries) plan.read(input.rows() + t.row, t, t.example);
      input.add(q.tokens);
    }
    ++plan.examples;
    if (input.rows() >= batch_rows) flush();
  }
  flush();
  return out;
}

}  // namespace lancet
