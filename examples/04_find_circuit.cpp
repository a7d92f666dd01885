// SPDX-License-Identifier: Apache-2.0
// Find the circuit: patch every head on every pair, keep what matters, and check that it is enough.
//
//   pairs ──activation_patching──► effects ──select_circuit──► circuit ──measure_circuit──► faithfulness
//   (nurse / mechanic)             [head, pair]                heads 2.1, 3.2
#include <cstdio>

#include "lancet/lancet.hpp"
#include "lancet/planted.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;
using lancet::split;

int main() {
  auto const [model, truth] = lancet::planted_model<backend>();
  auto const lines = lancet::planted_occupation_lines();
  auto const train = lancet::planted_pairs<split::train>(lines, model.tokenizer());
  auto const validation = lancet::planted_pairs<split::validation>(lines, model.tokenizer());

  // Metric, change and direction have no defaults: each changes the numbers.
  auto const effects = lancet::activation_patching(
      model, train,
      {.metric = lancet::log_odds{}, .change = lancet::resample{}, .direction = lancet::denoise});
  auto const summaries = lancet::summarise(effects);  // intervals over pairs, p adjusted for 16 heads

  std::printf("effect of each head on log P(answer) - log P(contrast), %td pairs\n", effects.examples());
  for (std::size_t u = 0; u < effects.units.size(); ++u)
    if (auto const& s = summaries[u]; std::abs(s.effect) > 0.1)
      std::printf("  %s  %+.2f [%.2f, %.2f]\n", lancet::text(effects.units[u]).c_str(), s.effect, s.low,
                  s.high);

  auto circuit = lancet::select_circuit(effects, lancet::threshold{.magnitude = 0.3});
  lancet::measure_circuit(model, circuit, validation.pairs,
                          {.metric = lancet::log_odds{}, .change = lancet::resample{}});
  std::printf("circuit (%s):", circuit.rule.c_str());
  for (lancet::unit const& u : circuit.units) std::printf(" %s", lancet::text(u).c_str());
  std::printf("\nthe circuit alone keeps %.0f %% of the behaviour, cutting it takes %.0f %% (unseen pairs)\n",
              100 * circuit.faithfulness->value, 100 * circuit.completeness->value);
}
