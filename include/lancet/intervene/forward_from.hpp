// SPDX-License-Identifier: Apache-2.0
// forward_from: the rest of a pass from residuals that are known, since nothing below was changed.
#pragma once

#include <algorithm>
#include <map>

#include "lancet/model/readout.hpp"

namespace lancet {

/// Sequences whose residual before some layer is known, and what to read of them.
template <class B>
struct frozen_batch {
  std::vector<segment> segments;
  std::vector<const_view<B>> residuals;  ///< one a segment: [T, D]
  readout_plan plan;
  std::map<typename B::scalar const*, index>
      row_of;  ///< first row of each sequence that is in, by its residual

  [[nodiscard]] index rows() const {
    return segments.empty() ? 0 : segments.back().row + segments.back().rows;
  }
  /// First row of the sequence with this residual, which is added if it is not in yet.
  index place(const_view<B> residual) {
    auto const [at, fresh] = row_of.emplace(residual.data, rows());
    if (fresh) {
      segments.push_back({at->second, residual.rows, 0, -1});
      residuals.push_back(residual);
    }
    return at->second;
  }
  void clear() {
    segments.clear();
    residuals.clear();
    plan.clear();
    row_of.clear();
  }
};

/// Runs layers `first_layer` … L − 1 under `hooks`, then the final norm of the rows that the plan reads.
template <class B, class Arch, class H>
void forward_from(index first_layer, transformer<B, Arch> const& model, frozen_batch<B> const& input,
                  H& hooks, workspace<B>& ws, pass_kind kind = pass_kind::forward) {
  forward_pass<B, Arch, H> pass(model, hooks, ws, kind);
  pass.begin(input.segments, {});
  tensor<B>& resid = ws.layer(first_layer).resid_pre;
  resid.resize(ws.rows, model.arch().width);
  for (std::size_t i = 0; i < input.segments.size(); ++i)
    B::copy(input.residuals[i], resid.all().row_range(input.segments[i].row, input.segments[i].rows));
  for (index l = first_layer; l < model.arch().layers; ++l) pass.layer(l);
  pass.read(input.plan.rows);
  pass.end();
}

[[nodiscard]] inline std::vector<index> ascending(std::vector<index> layers) {
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

/// Where in `layers` (ascending) the highest one stands that is not above `lowest`. Throws usage_error if
/// there is none.
[[nodiscard]] inline std::size_t layer_slot(std::span<index const> layers, index lowest) {
  auto const after = std::upper_bound(layers.begin(), layers.end(), lowest);
  if (after == layers.begin())
    fail_expected("frozen runs", "an intervention in layer " + std::to_string(lowest),
                  layers.empty()
                      ? "kept layers"
                      : "one in layer " + std::to_string(layers.front()) + ", the lowest kept, or above");
  return static_cast<std::size_t>(after - layers.begin()) - 1;
}

}  // namespace lancet
