// SPDX-License-Identifier: Apache-2.0
// Random circuits to compare a found one with: what a change of as many units does that nobody has chosen.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lancet/circuit/circuit.hpp"
#include "lancet/core/random.hpp"

namespace lancet {

namespace detail {
/// One unit for each of `like`, of its kind, from layer `from` up, none of them in `like` and none twice;
/// fewer where there are no more.
[[nodiscard]] inline std::vector<unit> random_units(std::vector<unit> const& like, architecture const& arch,
                                                    index from, philox_stream const& stream) {
  std::vector<unit> out;
  std::set<unit> taken(like.begin(), like.end());
  for (unit const& u : like) {
    std::vector<unit> pool;
    for (index l = from; l < arch.layers; ++l)
      for (index n = 0; n < columns_of(arch, u.kind).count; ++n)
        if (unit const other{u.kind, l, n, -1}; !taken.contains(other)) pool.push_back(other);
    if (pool.empty()) break;
    out.push_back(pool[stream.below(static_cast<std::uint64_t>(out.size()), pool.size())]);
    taken.insert(out.back());
  }
  return out;
}
}  // namespace detail

/// The control of a circuit: as many units of the same kinds, drawn from the layers that `like` lies in and
/// above, none of them in it; fewer where there are no more. No two draws of a seed hold the same units, as
/// long as there are enough. Throws usage_error where no unit is left to draw.
[[nodiscard]] inline circuit random_circuit(circuit const& like, architecture const& arch, std::uint64_t seed,
                                            index draw) {
  index const from = lowest_layer(like);
  philox_stream const stream(seed, "control_circuit");
  std::set<std::set<unit>> drawn;
  circuit out = like;
  for (index attempt = 0; std::ssize(drawn) <= draw && attempt < 100 * (draw + 1); ++attempt) {
    out.units = detail::random_units(like.units, arch, from, stream.at(attempt, std::ssize(like.units)));
    drawn.emplace(out.units.begin(), out.units.end());
  }
  std::string const layers = "layers " + std::to_string(from) + " to " + std::to_string(arch.layers - 1);
  if (out.units.empty())
    throw usage_error("random_circuit: the circuit has all units of its kinds in " + layers +
                      ", expected at least one outside it");
  out.effects.assign(out.units.size(), 0);
  out.faithfulness.reset();
  out.completeness.reset();
  out.rule = "random units of the same kinds, " + layers + ", draw " + std::to_string(draw);
  return out;
}

}  // namespace lancet
