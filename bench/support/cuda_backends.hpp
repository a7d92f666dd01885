// SPDX-License-Identifier: Apache-2.0
// The backend that is measured on a GPU, and the GPU's limits: a product of two large matrices, and a copy.
#pragma once

#include <algorithm>
#include <chrono>

#include "lancet/backend/cuda.hpp"
#include "lancet/core/tensor.hpp"
#include "numbers.hpp"

namespace lancet_bench {

using lancet::index;

template <class F>
void for_each_backend(F&& f) {
  f.template operator()<lancet::backend::cuda<float>>();
}

/// Nothing: plain loops are the processor's.
template <class F>
void with_specification(F&&) {}

/// Calls f.operator()<B>(precision) for each precision of products.
template <class F>
void for_each_product(F&& f) {
  namespace math = lancet::cuda::math;
  f.template operator()<lancet::backend::cuda<float, math::fp32>>("fp32");
  f.template operator()<lancet::backend::cuda<float, math::tf32>>("tf32");
  f.template operator()<lancet::backend::cuda<float, math::bf16_weights>>("bf16_weights");
}

/// Until everything that was handed to the device is done.
template <class B>
void wait() {
  static lancet::tensor<B> const one(1, 1);
  typename B::scalar value;
  B::download(one, &value);
}

namespace detail {
/// The shortest of five times ten calls of `once`, in seconds a call.
template <class B, class F>
[[nodiscard]] double shortest(F&& once) {
  using clock = std::chrono::steady_clock;
  once();
  std::chrono::duration<double> best = std::chrono::hours(1);
  for (int run = 0; run < 5; ++run) {
    wait<B>();
    auto const start = clock::now();
    for (int i = 0; i < 10; ++i) once();
    wait<B>();
    best = std::min<std::chrono::duration<double>>(best, clock::now() - start);
  }
  return best.count() / 10;
}
}  // namespace detail

/// Operations a second of a product of random numbers [8192, 8192] with a prepared weight [8192, 8192], so in this
/// backend's precision.
template <class B>
[[nodiscard]] double peak_of() {
  static double const measured = [] {
    constexpr index n = 8192;
    auto const x = random_tensor<B>(n, n, "peak x");
    typename B::weight const w(random_tensor<B>(n, n, "peak w").all());
    lancet::tensor<B> y(n, n);
    return 2.0 * n * n * n / detail::shortest<B>([&] { w.apply(x.all(), {}, y.all(), false); });
  }();
  return measured;
}

/// Bytes read and written a second when `bytes` are copied, half into half.
template <class B>
[[nodiscard]] double bandwidth_of(index bytes) {
  index const count = std::max<index>(1024, bytes / 2 / static_cast<index>(sizeof(typename B::scalar)));
  lancet::tensor<B> const from(1, count);
  lancet::tensor<B> to(1, count);
  return 2.0 * static_cast<double>(count) * sizeof(typename B::scalar) /
         detail::shortest<B>([&] { B::copy(from, to.all()); });
}

}  // namespace lancet_bench
