// SPDX-License-Identifier: Apache-2.0
// The machine's own limits, on all threads of the executor: fused multiply-adds a second out of registers,
// and bytes a second to and from memory.
//
// Figures are given as a share of them, measured moments before or after, so that those of two machines, or
// of a busy and an idle one, can be compared.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "lancet/backend/gemm/microkernel.hpp"
#include "lancet/core/aligned.hpp"
#include "lancet/core/executor.hpp"

namespace lancet_bench {

using lancet::index;

namespace detail {

inline constexpr int chains = 12;  // more than any core has multiply-adds under way

template <int Bytes>
[[gnu::always_inline]] inline float chains_of_fma(index steps) {
  using vec = typename lancet::gemm::detail::vector_of<float, Bytes>::type;
  vec factor = vec{} + 0.999F, term = vec{} + 0.001F;
  asm volatile("" : "+m"(factor), "+m"(term));  // no constants: the products must be done
  vec sums[chains];
  for (int c = 0; c < chains; ++c)
    sums[c] = vec{} + static_cast<float>(c);  // no two alike: they must all be done
  for (index i = 0; i < steps; ++i)
    lancet::gemm::detail::unrolled<chains>([&](auto c) __attribute__((always_inline)) {
      sums[c] = sums[c] * factor + term;
    });
  vec total = {};
  for (vec const& s : sums) total += s;
  return total[0];
}

inline float fma_baseline(index steps) { return chains_of_fma<16>(steps); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] inline float fma_avx2(index steps) { return chains_of_fma<32>(steps); }
[[gnu::target("avx512f,avx512vl,avx2,fma")]] inline float fma_avx512(index steps) {
  return chains_of_fma<64>(steps);
}
#endif

}  // namespace detail

/// Floating-point operations (two a multiply-add) of one call of `run_fma`.
[[nodiscard]] inline double fma_operations(index steps) {
  index const lanes = lancet::gemm::kernels<float>().columns / 2;
  return 2.0 * detail::chains * static_cast<double>(lanes * steps);
}

/// `steps` multiply-adds in each of twelve chains of the widest vectors that lancet's products use here.
inline float run_fma(index steps) {
#if defined(__x86_64__)
  std::string_view const isa = lancet::gemm::kernels<float>().name;
  if (isa == "avx512") return detail::fma_avx512(steps);
  if (isa == "avx2") return detail::fma_avx2(steps);
#endif
  return detail::fma_baseline(steps);
}

namespace detail {
/// The shortest of five runs, in seconds.
template <class F>
[[nodiscard]] double shortest(F&& run) {
  using clock = std::chrono::steady_clock;
  std::chrono::duration<double> best = std::chrono::hours(1);
  for (int i = 0; i < 5; ++i) {
    auto const start = clock::now();
    run();
    best = std::min<std::chrono::duration<double>>(best, clock::now() - start);
  }
  return best.count();
}
}  // namespace detail

/// Operations a second of all threads together: the best of five runs of some milliseconds.
[[nodiscard]] inline double measured_peak() {
  constexpr index steps = 200000;
  index const tiles = 4 * lancet::current_executor().threads();
  double const seconds = detail::shortest([&] {
    lancet::parallel_for(tiles, [](index) {
      float volatile sink = run_fma(steps);
      static_cast<void>(sink);
    });
  });
  return static_cast<double>(tiles) * fma_operations(steps) / seconds;
}

/// Bytes read and written a second when memory of `bytes` is copied, half into half, on all threads. What
/// fits into a cache is as fast as that cache: give the size of the operands that the figure is compared
/// with.
[[nodiscard]] inline double measured_bandwidth(index bytes) {
  constexpr index block = 1 << 15;
  index const half = std::max(block, bytes / 2), tiles = (half + block - 1) / block;
  index const times = std::max<index>(1, (1 << 24) / half);
  lancet::aligned_buffer<char> from(half), to(half);
  double const seconds = detail::shortest([&] {
    for (index i = 0; i < times; ++i)
      lancet::parallel_for(tiles, [&](index tile) {
        std::memcpy(to.data() + tile * block, from.data() + tile * block,
                    static_cast<std::size_t>(std::min(block, half - tile * block)));
      });
  });
  return 2.0 * static_cast<double>(half * times) / seconds;
}

}  // namespace lancet_bench
