// SPDX-License-Identifier: Apache-2.0
// Forward and backward: the gradient of −E[log P(next token)] with respect to the embeddings, weights frozen.
#include "lancet/backend/eigen.hpp"
#include "support/model.hpp"
#include "support/next_token.hpp"

namespace lancet_bench {
namespace {

void forward_backward(benchmark::State& state) {
  using B = lancet::backend::eigen<float>;
  lancet::transformer<B> const& m = model<B>();
  double const rows = static_cast<double>(state.range(0) * state.range(1));
  next_token_loss<B> loss(m, random_sequences(m.arch(), state.range(0), state.range(1) + 1), -1 / rows);
  lancet::gradients<B, lancet::site::embed> wanted(lancet::layer_span{0, 0});
  auto hooks = lancet::hooks(wanted);
  loss.run(hooks);
  for (auto _ : state) benchmark::DoNotOptimize(loss.run(hooks));
  state.SetLabel(m.identity().name);
  state.counters["tokens"] = benchmark::Counter(rows, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(forward_backward)
    ->ArgNames({"sequences", "tokens"})
    ->Args({8, 32})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace lancet_bench
