// SPDX-License-Identifier: Apache-2.0
// One step of training rank-4 adapters on o_proj and down_proj of layers 10 to 19, 8 sequences of 32 tokens,
// loss on all of them, by backend: through every layer, and as the trainer does it, from the lowest trained
// layer on.
#include "support/figures.hpp"
#include "support/model.hpp"
#include "support/training.hpp"

namespace lancet_bench {
namespace {

/// Forward from layer `first` on, backward to the lowest adapter.
template <class B, class Training>
void training_step(benchmark::State& state, index first) {
  lancet::transformer<B> const& m = model<B>();
  lancet::architecture const& a = m.arch();
  constexpr index sequences = 8, tokens = 32;
  Training training(m, random_sequences(a, sequences, tokens + 1));
  training.step();
  measure<B>(state, [&] { benchmark::DoNotOptimize(training.step()); });
  state.SetLabel(m.identity().name);
  double const rows = sequences * tokens,
               layers = static_cast<double>(a.layers - first + a.layers - lowest_adapter);
  count(state, "tokens", rows);
  count_operations<B>(state, rows * (layers * layer_operations(a) + 2 * unembedding_operations(a)));
}

bool const registered = [] {
  for_each_backend([]<class B>() {
    add<B>("training_step/whole",
           [](benchmark::State& state) { training_step<B, whole_training<B>>(state, 0); });
    add<B>("training_step/resumed",
           [](benchmark::State& state) { training_step<B, resumed_training<B>>(state, lowest_adapter); });
  });
  return true;
}();

}  // namespace
}  // namespace lancet_bench
