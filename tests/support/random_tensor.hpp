// SPDX-License-Identifier: Apache-2.0
// Matrices of seeded numbers, the same on every backend, and windows that notice writes outside themselves.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "lancet/core/tensor.hpp"

namespace lancet_test {

using lancet::index;  // not that of <strings.h>

/// Number `i` of a stream, uniform in [−1, 1): SplitMix64 (Steele et al. 2014).
[[nodiscard]] inline double uniform(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t x = seed * 0xD1B54A32D192ED03U + (i + 1) * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-52 - 1.0;
}

/// The elements of a view, row by row, wherever it lies.
template <class B>
[[nodiscard]] std::vector<typename B::scalar> elements(std::type_identity_t<lancet::const_view<B>> x) {
  std::vector<typename B::scalar> host(static_cast<std::size_t>(x.size()));
  B::download(x, host.data());
  return host;
}

/// The same in double, for comparisons across scalars.
template <class B>
[[nodiscard]] std::vector<double> numbers(std::type_identity_t<lancet::const_view<B>> x) {
  auto const host = elements<B>(x);
  return {host.begin(), host.end()};
}

/// A matrix of given elements, row by row: [rows, cols].
template <class B>
[[nodiscard]] lancet::tensor<B> make_tensor(index rows, index cols, std::vector<double> const& values) {
  std::vector<typename B::scalar> const host(values.begin(), values.end());
  lancet::tensor<B> out(rows, cols);
  B::upload(host.data(), out.all());
  return out;
}

/// y(i, j) = spread·uniform + offset.
template <class B>
void fill_random(lancet::view<B> y, std::uint64_t seed, double spread = 1, double offset = 0) {
  std::vector<typename B::scalar> host(static_cast<std::size_t>(y.size()));
  for (std::size_t i = 0; i < host.size(); ++i)
    host[i] = static_cast<typename B::scalar>(spread * uniform(seed, i) + offset);
  B::upload(host.data(), y);
}

template <class B>
[[nodiscard]] lancet::tensor<B> random_tensor(index rows, index cols, std::uint64_t seed, double spread = 1,
                                              double offset = 0) {
  lancet::tensor<B> t(rows, cols);
  fill_random<B>(t.all(), seed, spread, offset);
  return t;
}

/// [rows, cols] inside a larger matrix: a view with gaps between its rows, and a frame that must not change.
template <class B>
class window {
 public:
  window(index rows, index cols, std::uint64_t seed, double spread = 1, double offset = 0)
      : rows_(rows), cols_(cols), frame_(rows + 2, cols + 5) {
    fill_random<B>(frame_.all(), 0, 0, border);
    fill_random<B>(all(), seed, spread, offset);
  }

  [[nodiscard]] lancet::view<B> all() { return frame_.all().row_range(1, rows_).col_range(2, cols_); }
  operator lancet::view<B>() { return all(); }
  operator lancet::const_view<B>() { return all(); }

  /// The elements, row by row. Borders that were written to show as a last element that no result has.
  [[nodiscard]] std::vector<double> values() {
    std::vector<double> const frame = numbers<B>(frame_);
    std::vector<double> out;
    bool intact = true;
    for (index i = 0; i < frame_.rows(); ++i)
      for (index j = 0; j < frame_.cols(); ++j) {
        double const x = frame[static_cast<std::size_t>(i * frame_.cols() + j)];
        bool const inside = i >= 1 && i <= rows_ && j >= 2 && j < 2 + cols_;
        if (inside) out.push_back(x);
        if (!inside && x != border) intact = false;
      }
    if (!intact) out.push_back(1e300);
    return out;
  }

 private:
  static constexpr double border = -12345;
  index rows_, cols_;
  lancet::tensor<B> frame_;
};

}  // namespace lancet_test
