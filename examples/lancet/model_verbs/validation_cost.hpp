// SPDX-License-Identifier: Apache-2.0
// How long a validation will take, from a few of its items.
#pragma once

#include <algorithm>
#include <chrono>

#include "lancet/model_verbs/model.hpp"
#include "lancet/validate/validate.hpp"

namespace program::PROGRAM_BACKEND {

/// Seconds.
struct validation_cost {
  double reading = 0;  ///< of the frozen model, once for all interventions
  double pairs = 0;    ///< of one intervention on all pairs
  double window = 0;   ///< of one intervention on one window of text
};

/// Scales up what at most eight pairs of each set and one window take.
[[nodiscard]] inline validation_cost sample_validation(model_type const& model,
                                                       lancet::validation_data const& data, lancet::metric m,
                                                       lancet::intervention<backend>& what) {
  using clock = std::chrono::steady_clock;
  auto const seconds = [](clock::duration d) { return std::chrono::duration<double>(d).count(); };
  auto const first = [](lancet::test_pairs const& all, std::size_t most) {
    lancet::test_pairs out = all;
    out.pairs.resize(std::min(all.size(), most));
    return out;
  };
  lancet::validation_data few{first(data.harm, 8)};
  std::size_t all = data.harm.size(), sampled = few.harm.size();
  for (auto const& [name, pairs] : data.keep) {
    few.keep.emplace_back(name, first(pairs, 8));
    all += pairs.size();
    sampled += few.keep.back().second.size();
  }
  validation_cost out;
  auto const measure = [&](lancet::validation_data const& part, double share, double& call) {
    auto const start = clock::now();
    lancet::validator<backend> some(model, part, m, {what.lowest_layer()});
    out.reading += share * seconds(clock::now() - start);
    static_cast<void>(some(what));  // makes room
    auto const again = clock::now();
    static_cast<void>(some(what));
    call = share * seconds(clock::now() - again);
  };
  measure(few, static_cast<double>(all) / static_cast<double>(sampled), out.pairs);
  if (data.held_out.empty()) return out;
  auto const& window = *std::max_element(data.held_out.begin(), data.held_out.end(),
                                         [](auto const& a, auto const& b) { return a.size() < b.size(); });
  double both = 0, without = out.reading;
  measure({first(data.harm, 1), {}, {window}}, 1, both);
  out.reading = without + (out.reading - without) * static_cast<double>(data.held_out.size());
  out.window = both;
  return out;
}

}  // namespace program::PROGRAM_BACKEND
