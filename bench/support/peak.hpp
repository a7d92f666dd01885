// SPDX-License-Identifier: Apache-2.0
// The machine's own limit: fused multiply-adds a second out of registers, on all threads of the executor.
//
// Products are given as a share of it, measured moments before, so that figures of two machines, or of a busy
// and an idle one, can be compared.
#pragma once

#include <algorithm>
#include <chrono>
#include <string_view>

#include "lancet/backend/gemm/microkernel.hpp"
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

/// Operations a second of all threads together: the best of five runs of some milliseconds.
[[nodiscard]] inline double measured_peak() {
  using clock = std::chrono::steady_clock;
  constexpr index steps = 200000;
  index const tiles = 4 * lancet::current_executor().threads();
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    auto const start = clock::now();
    lancet::parallel_for(tiles, [](index) {
      float volatile sink = run_fma(steps);
      static_cast<void>(sink);
    });
    std::chrono::duration<double> const taken = clock::now() - start;
    best = std::max(best, static_cast<double>(tiles) * fma_operations(steps) / taken.count());
  }
  return best;
}

}  // namespace lancet_bench
