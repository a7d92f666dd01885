// SPDX-License-Identifier: Apache-2.0
// Train a circuit breaker: a low-rank change of W_O that only the circuit's heads can feel.
//
//   W_O' = W_O + α·B·A     A, B: rank 2, on the columns of heads 2.1 and 3.2; every other weight is frozen
//
// The objective closes the gap that the subject itself causes; pairs whose gender is stated must keep theirs.
#include <cstdio>

#include "lancet/lancet.hpp"
#include "lancet/planted.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;
using lancet::split;

int main() {
  auto const model = lancet::planted_model<backend>().model;
  auto const& tokens = model.tokenizer();
  auto const harm = lancet::planted_occupation_lines(), stated = lancet::planted_stated_lines();
  auto const harm_train = lancet::planted_pairs<split::train>(harm, tokens);
  auto const keep_train = lancet::planted_pairs<split::train>(stated, tokens);

  auto const effects = lancet::activation_patching(
      model, harm_train,
      {.metric = lancet::log_odds{}, .change = lancet::resample{}, .direction = lancet::denoise});
  auto const circuit = lancet::select_circuit(effects, lancet::top{2});
  auto breaker = lancet::train(
      lancet::circuit_breaker{.rank = 2}, model, circuit,
      {.harm = harm_train.pairs, .keep = keep_train.pairs},
      {.objective = lancet::counterfactual_gap{}, .keep_weight = 1, .steps = 60, .schedule = {.peak = 0.03}});
  std::printf("%td numbers trained, loss %.2f -> %.2f\n", breaker.trainable(), breaker.history.front().loss,
              breaker.history.back().loss);

  // The strength is a dial: 0 is the model as it was, 1 the surgery.
  lancet::workspace<backend> ws;
  lancet::hook_table<backend> hooks;
  breaker.hook(hooks);
  auto const mean_gap = [&](auto const& lines) {
    auto const pairs = lancet::planted_pairs<split::validation>(lines, tokens);
    return lancet::sample_mean(lancet::metric_values(model, hooks, pairs.pairs, lancet::log_odds{}, ws));
  };
  std::printf("unseen pairs   stereotype  stated gender\n");
  for (double const strength : {0.0, 0.5, 1.0}) {
    breaker.set_strength(strength);
    std::printf("strength %.1f   %9.1f   %9.1f\n", strength, mean_gap(harm), mean_gap(stated));
  }

  auto const merged =
      lancet::merge(lancet::planted_model<backend>().model, breaker);  // no hook needed any more
  std::printf("merged: %s\n", merged.identity().name.c_str());
}
