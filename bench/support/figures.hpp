// SPDX-License-Identifier: Apache-2.0
// How a figure is taken and what it is compared with, on any backend.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#if defined(LANCET_BENCH_BACKENDS)  // the variants for a GPU (CMakeLists.txt)
#include LANCET_BENCH_BACKENDS
#else
#include "host_backends.hpp"
#endif

namespace lancet_bench {

/// Registers a benchmark as NAME/BACKEND, in milliseconds of real time.
template <class B, class Run>
benchmark::internal::Benchmark* add(std::string const& name, Run&& run) {
  auto* const made =
      benchmark::RegisterBenchmark((name + "/" + B::name).c_str(), run)->Unit(benchmark::kMillisecond);
  return B::host ? made->UseRealTime() : made->UseManualTime();
}

/// Times `once` for as long as the benchmark asks. A device is handed twenty in a row and then waited for: what is
/// measured is its time, not that of a launch.
template <class B, class F>
void measure(benchmark::State& state, F&& once) {
  if constexpr (B::host) {
    for (auto _ : state) once();
  } else {
    using clock = std::chrono::steady_clock;
    constexpr int calls = 20;
    wait<B>();
    for (auto _ : state) {
      auto const start = clock::now();
      for (int i = 0; i < calls; ++i) once();
      wait<B>();
      state.SetIterationTime(std::chrono::duration<double>(clock::now() - start).count() / calls);
    }
  }
}

/// `of_peak`: floating-point operations of one iteration, as a share of what the machine does at best.
template <class B>
void count_operations(benchmark::State& state, double operations) {
  state.counters["of_peak"] =
      benchmark::Counter(operations / peak_of<B>(), benchmark::Counter::kIsIterationInvariantRate);
}

/// `of_bandwidth`: bytes that one iteration reads and writes, as a share of a copy in memory of that size.
template <class B>
void count_bytes(benchmark::State& state, index bytes) {
  state.counters["of_bandwidth"] = benchmark::Counter(static_cast<double>(bytes) / bandwidth_of<B>(bytes),
                                                      benchmark::Counter::kIsIterationInvariantRate);
}

/// `name`: things done a second, `count` in one iteration.
inline void count(benchmark::State& state, char const* name, double count) {
  state.counters[name] = benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace lancet_bench
