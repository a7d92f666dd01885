// SPDX-License-Identifier: Apache-2.0
// Exact activation patching of every head on a pair of 14-token prompts that differ at position 1, and the
// naive loop: one full forward pass a head.
#include "lancet/backend/eigen.hpp"
#include "support/model.hpp"
#include "support/patching.hpp"

namespace lancet_bench {
namespace {

using B = lancet::backend::eigen<float>;

[[nodiscard]] lancet::contrast_pair pair_of(lancet::architecture const& a) {
  std::vector<lancet::token> const t = random_tokens(17, a.vocabulary, "pair");
  lancet::contrast_pair pair;
  pair.clean.assign(t.begin(), t.begin() + 14);
  pair.corrupted = pair.clean;
  pair.corrupted[1] = t[14];
  pair.answer = {t[15]};
  pair.contrast = {t[16]};
  return pair;
}

void every_head(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  lancet::contrast_pair const pair = pair_of(m.arch());
  for (auto _ : state) benchmark::DoNotOptimize(patch_every_head(m, pair));
  state.SetLabel(m.identity().name);
  state.counters["heads"] = benchmark::Counter(static_cast<double>(m.arch().layers * m.arch().heads),
                                               benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(every_head)->Unit(benchmark::kMillisecond)->UseRealTime();

/// The heads of the middle layer, one full pass each: its rate is that of any other layer's.
void naive_loop(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  lancet::architecture const& a = m.arch();
  lancet::contrast_pair const pair = pair_of(a);
  index const rows = std::ssize(pair.clean), layer = a.layers / 2;
  lancet::workspace<B> ws;
  lancet::batch<B> clean, corrupted;
  clean.add(pair.clean);
  corrupted.add(pair.corrupted);
  lancet::record<B, lancet::site::z> source(lancet::layer_span{layer, layer});
  lancet::forward(m, clean, lancet::hooks(source), ws);
  lancet::do_table<B> change;
  auto hooks = lancet::hooks(change);
  for (auto _ : state)
    for (index h = 0; h < a.heads; ++h) {
      change.clear();
      change.add({lancet::site_id::z, layer, 0, 0, rows, h * a.head_dim, a.head_dim,
                  source.get<lancet::site::z>(layer).col_range(h * a.head_dim, a.head_dim)});
      lancet::forward(m, corrupted, hooks, ws);
      lancet::logits(m, hooks, ws);
    }
  state.SetLabel(m.identity().name);
  state.counters["heads"] =
      benchmark::Counter(static_cast<double>(a.heads), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(naive_loop)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace lancet_bench
