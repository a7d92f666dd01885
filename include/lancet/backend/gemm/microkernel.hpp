// SPDX-License-Identifier: Apache-2.0
// The register tile of a matrix product: C[m, nr] (+)= A[m, k] · B[k, nr], with m a compile-time constant.
//
// One text in GCC vector extensions, compiled for each instruction set by a function attribute and chosen at
// run time, so that a program built without -march flags still runs at the machine's speed. The sum over k is
// taken in order for every element, whatever m is: a row's result does not depend on how many rows ride
// along.
#pragma once

#include <cstdlib>
#include <string_view>
#include <utility>

#include "lancet/core/view.hpp"

namespace lancet::gemm {

namespace detail {

template <class T, int Bytes>
struct vector_of {
  typedef T type __attribute__((vector_size(Bytes), may_alias));
  typedef T unaligned __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};

template <int Count, class F>
[[gnu::always_inline]] inline void unrolled(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

/// `b` is a packed panel [k, 2 vectors]; `a` has row stride lda; `c` has row stride ldc and room for the full
/// panel.
template <class T, int Bytes, int Rows>
[[gnu::always_inline]] inline void tile_body(index k, T const* a, index lda, T const* b, T* c, index ldc,
                                             bool accumulate) {
  using vec = typename vector_of<T, Bytes>::type;
  using unaligned = typename vector_of<T, Bytes>::unaligned;
  constexpr index lanes = Bytes / static_cast<index>(sizeof(T));
  vec low[Rows] = {};
  vec high[Rows] = {};
  for (index p = 0; p < k; ++p, b += 2 * lanes) {
    vec const b0 = *reinterpret_cast<vec const*>(b);
    vec const b1 = *reinterpret_cast<vec const*>(b + lanes);
    unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
      T const x = a[i * lda + p];
      low[i] += x * b0;
      high[i] += x * b1;
    });
  }
  unrolled<Rows>([&](auto i) __attribute__((always_inline)) {
    auto* c0 = reinterpret_cast<unaligned*>(c + i * ldc);
    auto* c1 = reinterpret_cast<unaligned*>(c + i * ldc + lanes);
    *c0 = accumulate ? vec(*c0) + low[i] : low[i];
    *c1 = accumulate ? vec(*c1) + high[i] : high[i];
  });
}

template <class T, int Rows>
inline void tile_baseline(index k, T const* a, index lda, T const* b, T* c, index ldc, bool accumulate) {
  tile_body<T, 16, Rows>(k, a, lda, b, c, ldc, accumulate);
}
#if defined(__x86_64__)
template <class T, int Rows>
[[gnu::target("avx2,fma")]] void tile_avx2(index k, T const* a, index lda, T const* b, T* c, index ldc,
                                           bool accumulate) {
  tile_body<T, 32, Rows>(k, a, lda, b, c, ldc, accumulate);
}
template <class T, int Rows>
[[gnu::target("avx512f,avx512vl,avx2,fma")]] void tile_avx512(index k, T const* a, index lda, T const* b,
                                                              T* c, index ldc, bool accumulate) {
  tile_body<T, 64, Rows>(k, a, lda, b, c, ldc, accumulate);
}
#endif

}  // namespace detail

/// The register tiles of one instruction set: `tiles[m](k, a, lda, b, c, ldc, accumulate)` for 1 <= m <=
/// rows, on panels of `columns` columns.
template <class T>
struct kernel_set {
  using tile = void (*)(index k, T const* a, index lda, T const* b, T* c, index ldc, bool accumulate);
  static constexpr index most_rows = 14;
  static constexpr index most_columns = 128 / static_cast<index>(sizeof(T));
  char const* name;
  index rows;
  index columns;
  tile tiles[most_rows + 1];
};

namespace detail {
template <class T>
kernel_set<T> make_kernels(std::string_view wish) {
  constexpr index unit = static_cast<index>(sizeof(T));
#if defined(__x86_64__)
  if (wish != "avx2" && wish != "baseline" && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512vl"))
    return {
        "avx512",
        14,
        128 / unit,
        {nullptr, tile_avx512<T, 1>, tile_avx512<T, 2>, tile_avx512<T, 3>, tile_avx512<T, 4>,
         tile_avx512<T, 5>, tile_avx512<T, 6>, tile_avx512<T, 7>, tile_avx512<T, 8>, tile_avx512<T, 9>,
         tile_avx512<T, 10>, tile_avx512<T, 11>, tile_avx512<T, 12>, tile_avx512<T, 13>, tile_avx512<T, 14>}};
  if (wish != "baseline" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"avx2",
            6,
            64 / unit,
            {nullptr, tile_avx2<T, 1>, tile_avx2<T, 2>, tile_avx2<T, 3>, tile_avx2<T, 4>, tile_avx2<T, 5>,
             tile_avx2<T, 6>}};
#endif
  (void)wish;
  return {"baseline",
          4,
          32 / unit,
          {nullptr, tile_baseline<T, 1>, tile_baseline<T, 2>, tile_baseline<T, 3>, tile_baseline<T, 4>}};
}
}  // namespace detail

/// The widest tiles that this machine runs. `LANCET_ISA=avx512|avx2|baseline` asks for less (for tests and
/// comparisons).
template <class T>
[[nodiscard]] kernel_set<T> const& kernels() {
  static kernel_set<T> const set = [] {
    char const* wish = std::getenv("LANCET_ISA");
    return detail::make_kernels<T>(wish ? wish : "");
  }();
  return set;
}

}  // namespace lancet::gemm
