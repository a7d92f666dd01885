// SPDX-License-Identifier: Apache-2.0
// One step of training rank-4 adapters on o_proj and down_proj of layers 10 to 19, 8 sequences of 32 tokens,
// loss on all of them: through every layer, and as the trainer does it, from the lowest trained layer on.
#include "lancet/backend/eigen.hpp"
#include "support/model.hpp"
#include "support/training.hpp"

namespace lancet_bench {
namespace {

template <class Training>
void training_step(benchmark::State& state) {
  auto const& m = model<lancet::backend::eigen<float>>();
  Training training(m, random_sequences(m.arch(), 8, 33));
  training.step();
  for (auto _ : state) benchmark::DoNotOptimize(training.step());
  state.SetLabel(m.identity().name);
}
BENCHMARK_TEMPLATE(training_step, whole_training<lancet::backend::eigen<float>>)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_TEMPLATE(training_step, resumed_training<lancet::backend::eigen<float>>)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace lancet_bench
