// SPDX-License-Identifier: Apache-2.0
// Interventions with random numbers, and what they do to a model's logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lancet/intervene/intervention.hpp"
#include "lancet/model/run.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

/// A text in the vocabulary of every tiny model.
inline std::vector<lancet::token> const prompt{1, 5, 9, 2, 4, 11, 3};

/// Parts of these descriptions with all numbers drawn, A and B and δ alike.
template <class B>
[[nodiscard]] lancet::intervention<B> random_intervention(lancet::transformer<B> const& model,
                                                          std::vector<lancet::part_description> const& parts,
                                                          double spread = 0.4) {
  lancet::circuit none;
  none.model = model.identity();
  lancet::intervention<B> out("test", none, model.identity());
  for (auto const& p : parts) out.parts().push_back(lancet::make_part<B>(p, model.arch()));
  std::uint64_t seed = 500;
  for (auto const& t : out.tensors()) {
    lancet::tensor<B> const values = random_tensor<B>(t.value->rows(), t.value->cols(), seed++, spread);
    B::copy(values, t.value->all());
  }
  return out;
}

/// Columns [first, first + count).
[[nodiscard]] inline std::vector<lancet::index> columns(lancet::index first, lancet::index count) {
  return lancet::detail::column_run(first, count);
}

/// Logits of every row of a text, row-major.
template <class B>
[[nodiscard]] std::vector<double> logits_of(lancet::transformer<B> const& model,
                                            std::vector<lancet::token> const& text,
                                            lancet::intervention<B>* what = nullptr) {
  lancet::hook_table<B> hooks;
  if (what != nullptr) what->hook(hooks);
  lancet::workspace<B> ws;
  lancet::batch<B> input;
  input.add(text);
  lancet::forward(model, input, hooks, ws);
  lancet::logits(model, hooks, ws);
  lancet::const_view<B> const all = ws.readout.logits.all();
  std::vector<typename B::scalar> host(static_cast<std::size_t>(all.size()));
  B::download(all, host.data());
  return {host.begin(), host.end()};
}

[[nodiscard]] inline double largest_gap(std::vector<double> const& a, std::vector<double> const& b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const d = std::abs(a[i] - b[i]);
    if (!(d <= most)) most = std::isnan(d) ? INFINITY : d;
  }
  return most;
}

}  // namespace lancet_test
