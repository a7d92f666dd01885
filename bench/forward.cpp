// SPDX-License-Identifier: Apache-2.0
// Forward passes with all logits, by product policy: sequences × tokens.
#include "lancet/backend/cblas.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/model/run.hpp"
#include "support/model.hpp"
#include "support/peak.hpp"

namespace lancet_bench {
namespace {

namespace product = lancet::backend::product;

template <class Product>
void forward(benchmark::State& state) {
  using B = lancet::backend::eigen<float, Product>;
  lancet::transformer<B> const& m = model<B>();
  lancet::batch<B> const input = random_batch<B>(m.arch(), state.range(0), state.range(1));
  lancet::workspace<B> ws;
  auto const once = [&] {
    lancet::forward(m, input, lancet::hooks(), ws);
    lancet::logits(m, lancet::hooks(), ws);
  };
  once();
  double const peak = measured_peak();
  for (auto _ : state) once();
  double const rows = static_cast<double>(input.rows());
  state.SetLabel(m.identity().name);
  state.counters["tokens"] = benchmark::Counter(rows, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = benchmark::Counter(rows * product_operations(m.arch()) / peak,
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"sequences", "tokens"})
      ->Args({8, 128})
      ->Args({1, 14})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}
BENCHMARK_TEMPLATE(forward, product::packed)->Apply(sizes);
BENCHMARK_TEMPLATE(forward, product::eigen)->Apply(sizes);
BENCHMARK_TEMPLATE(forward, product::cblas)->Apply(sizes);

}  // namespace
}  // namespace lancet_bench
