// SPDX-License-Identifier: Apache-2.0
// What hooks cost: a pass without any, with an empty table, and with every resid_post recorded, statically
// and by table.
//
// To compare them, interleave: --benchmark_enable_random_interleaving=true --benchmark_repetitions=9.
#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "support/model.hpp"

namespace lancet_bench {
namespace {

using B = lancet::backend::eigen<float>;

template <class H>
void pass(benchmark::State& state, H& hooks) {
  lancet::transformer<B> const& m = model<B>();
  lancet::batch<B> const input = random_batch<B>(m.arch(), state.range(0), state.range(1));
  lancet::workspace<B> ws;
  std::vector<index> const last{input.rows() - 1};
  auto const once = [&] { lancet::forward(m, input, hooks, ws, std::span<index const>(last)); };
  once();
  for (auto _ : state) once();
  state.SetLabel(m.identity().name);
}

using recorder = lancet::record<B, lancet::site::resid_post>;

void no_hooks(benchmark::State& state) {
  auto hooks = lancet::hooks();
  pass(state, hooks);
}
void empty_table(benchmark::State& state) {
  lancet::hook_table<B> hooks;
  pass(state, hooks);
}
void record_static(benchmark::State& state) {
  recorder resid_post;
  auto hooks = lancet::hooks(resid_post);
  pass(state, hooks);
}
void record_table(benchmark::State& state) {
  recorder resid_post;
  lancet::hook_table<B> hooks;
  hooks.add(resid_post);
  pass(state, hooks);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"sequences", "tokens"})
      ->Args({1, 14})
      ->Args({8, 32})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}
BENCHMARK(no_hooks)->Apply(sizes);
BENCHMARK(empty_table)->Apply(sizes);
BENCHMARK(record_static)->Apply(sizes);
BENCHMARK(record_table)->Apply(sizes);

}  // namespace
}  // namespace lancet_bench
