// SPDX-License-Identifier: Apache-2.0
// Normal numbers as numpy.random.RandomState(seed).randn draws them: MT19937 and the polar method of
// Marsaglia.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <random>
#include <span>

namespace lancet {

/// The sequence of RandomState(seed).randn(), for comparison with causal tracing as published (ROME
/// re-creates RandomState(1) for every trace). Sequential by nature: for anything else use philox_stream.
/// Filling an array in C order gives randn(*shape). Draws equal numpy's up to the last bit of the C library's
/// log.
class numpy_normal {
 public:
  /// numpy seeds an integer of 32 bits in the same way as std::mt19937.
  explicit numpy_normal(std::uint32_t seed) : engine_(seed) {}

  /// The next standard normal. Points (a, b) are drawn in [-1, 1)^2 until one lies inside the unit circle and
  /// is not 0; b's value is returned first and a's kept for the next call.
  [[nodiscard]] double operator()() {
    if (has_kept_) {
      has_kept_ = false;
      return kept_;
    }
    double a = 0.0;
    double b = 0.0;
    double square = 0.0;
    do {
      a = 2.0 * uniform() - 1.0;
      b = 2.0 * uniform() - 1.0;
      square = a * a + b * b;
    } while (square >= 1.0 || square == 0.0);
    double const factor = std::sqrt(-2.0 * std::log(square) / square);
    kept_ = factor * a;
    has_kept_ = true;
    return factor * b;
  }

  template <std::floating_point Scalar>
  void fill(std::span<Scalar> out) {
    for (Scalar& value : out) value = static_cast<Scalar>((*this)());
  }

 private:
  /// 53 bits in [0, 1): the upper 27 bits of one word and the upper 26 of the next.
  double uniform() {
    auto const upper = static_cast<double>(engine_() >> 5);
    auto const lower = static_cast<double>(engine_() >> 6);
    return (upper * 0x1p26 + lower) * 0x1p-53;
  }

  std::mt19937 engine_;
  double kept_ = 0.0;
  bool has_kept_ = false;
};

}  // namespace lancet
