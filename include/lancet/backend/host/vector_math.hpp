// SPDX-License-Identifier: Apache-2.0
// exp for loops that the compiler turns into vector code, and sums whose order does not depend on the vector
// width.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "lancet/core/view.hpp"

namespace lancet::host {

/// e^x to 2 units in the last place for −87 <= x <= 88; smaller x give e^−87 ≈ 1.6e−38, larger e^88.
/// Branchless. x = n·ln 2 + r with |r| <= ln 2 / 2, a polynomial in r (Cephes' expf coefficients), and 2^n by
/// its bits.
[[nodiscard]] inline float exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float const shifted = x * 1.44269504f + 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  float const n = shifted - 12582912.0f;
  float const r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  auto const power = (std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(12582912.0f) + 127)
                     << 23;
  return p * std::bit_cast<float>(power);
}
[[nodiscard]] inline double exp(double x) { return std::exp(x); }

/// Adds up f(0) … f(n − 1) in 16 interleaved partial sums, then the partial sums in pairs: the same order on
/// every machine, and vector code where the compiler sees fit. Appending zeros does not change the result.
template <class Sum, class F>
[[nodiscard]] Sum lane_sum(index n, F&& f) {
  Sum lanes[16] = {};
  index j = 0;
  for (; j + 16 <= n; j += 16)
    for (index l = 0; l < 16; ++l) lanes[l] += f(j + l);
  for (; j < n; ++j) lanes[j % 16] += f(j);
  for (index width = 8; width > 0; width /= 2)
    for (index l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  return lanes[0];
}

/// max over f(0) … f(n − 1), n >= 1.
template <class T>
[[nodiscard]] T lane_max(index n, T const* x) {
  T lanes[16];
  for (T& lane : lanes) lane = x[0];
  index j = 0;
  for (; j + 16 <= n; j += 16)
    for (index l = 0; l < 16; ++l) lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
  for (; j < n; ++j) lanes[0] = x[j] > lanes[0] ? x[j] : lanes[0];
  T top = lanes[0];
  for (T const lane : lanes) top = lane > top ? lane : top;
  return top;
}

}  // namespace lancet::host
