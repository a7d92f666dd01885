// SPDX-License-Identifier: Apache-2.0
// Effects of the pairs that are done so far, kept on disk while a long measurement runs, so that it can go
// on.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lancet/causal/effect_table.hpp"
#include "lancet/common.hpp"

namespace program {

class partial_effects {
 public:
  static constexpr std::size_t chunk = 16;  ///< pairs measured at a time

  /// Takes up "PATH.partial" where it was left with the same settings; throws usage_error where with others.
  /// Without a path nothing is kept.
  partial_effects(std::string const& path, nlohmann::ordered_json const& settings,
                  std::vector<lancet::unit> units, std::size_t pairs);

  [[nodiscard]] std::size_t done() const { return table_.clean.size(); }
  /// Effects of the next pairs; saved at most every ten seconds.
  void add(lancet::effect_table const& next);
  void save();
  /// Units, effects and baselines of all pairs.
  [[nodiscard]] lancet::effect_table finish() { return std::move(table_); }
  /// Once the result is in place.
  void remove() const;

 private:
  std::string path_, settings_;
  lancet::effect_table table_;
  std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
};

}  // namespace program
