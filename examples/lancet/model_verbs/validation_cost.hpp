// SPDX-License-Identifier: Apache-2.0
// How long a validation will take, from a few of its items.
#pragma once

#include <algorithm>
#include <chrono>

#include "lancet/model_verbs/model.hpp"
#include "lancet/validate/validate.hpp"

namespace program::PROGRAM_BACKEND {

struct validation_cost {
  double pairs = 0;   ///< seconds of all pairs, of the harm and to keep, before and after
  double window = 0;  ///< seconds of one window of text, before and after
};

/// Runs at most eight pairs of each set and one window.
[[nodiscard]] inline validation_cost sample_validation(model_type const& model,
                                                       lancet::validation_data const& data, lancet::metric m,
                                                       lancet::intervention<backend>& what) {
  auto const seconds = [&](lancet::validation_data const& part) {
    auto const start = std::chrono::steady_clock::now();
    lancet::validator<backend> some(model, part, m, {what.lowest_layer()});
    static_cast<void>(some(what));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
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
  out.pairs = seconds(few) * static_cast<double>(all) / static_cast<double>(sampled);
  if (!data.held_out.empty()) {
    auto const& window = *std::max_element(data.held_out.begin(), data.held_out.end(),
                                           [](auto const& a, auto const& b) { return a.size() < b.size(); });
    lancet::validation_data const one{first(data.harm, 1)}, text{one.harm, {}, {window}};
    out.window = std::max(0.0, seconds(text) - seconds(one));
  }
  return out;
}

}  // namespace program::PROGRAM_BACKEND
