// SPDX-License-Identifier: Apache-2.0
// The backends that are measured side by side, and the counters that every figure has.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

#include "lancet/backend/eigen.hpp"
#include "lancet/backend/xtensor.hpp"
#include "peak.hpp"

namespace lancet_bench {

/// Calls f.operator()<B>() for each of them.
template <class F>
void for_each_backend(F&& f) {
  f.template operator()<lancet::backend::eigen<float>>();
  f.template operator()<lancet::backend::xtensor<float>>();
}

/// Registers a benchmark as NAME/BACKEND, in milliseconds of real time.
template <class B, class Run>
benchmark::internal::Benchmark* add(std::string const& name, Run&& run) {
  return benchmark::RegisterBenchmark((name + "/" + B::name).c_str(), run)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// `of_peak`: floating-point operations of one iteration, as a share of what the machine does out of
/// registers.
inline void count_operations(benchmark::State& state, double operations) {
  state.counters["of_peak"] =
      benchmark::Counter(operations / measured_peak(), benchmark::Counter::kIsIterationInvariantRate);
}

/// `of_bandwidth`: bytes that one iteration reads and writes, as a share of a copy in memory of that size.
inline void count_bytes(benchmark::State& state, index bytes) {
  state.counters["of_bandwidth"] = benchmark::Counter(static_cast<double>(bytes) / measured_bandwidth(bytes),
                                                      benchmark::Counter::kIsIterationInvariantRate);
}

/// `name`: things done a second, `count` in one iteration.
inline void count(benchmark::State& state, char const* name, double count) {
  state.counters[name] = benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace lancet_bench
