// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: each pair (x_i, x_{i + r/2}) of a head is turned by the angle position·θ_i.
//
// Su et al. 2021, in the half-split order of the Hugging Face models. The adjoint is the rotation by the
// negative angle.
#pragma once

#include <cmath>
#include <vector>

#include "lancet/ops/basic.hpp"

namespace lancet {

/// Cosines and sines of one batch: angle(row, i) = position(row)·base^(−2i/rotary_dims).
template <class B>
struct rope_table {
  tensor<B> cosine;  // [R, rotary_dims / 2]
  tensor<B> sine;    // [R, rotary_dims / 2]

  /// Angles are computed in double and rounded once; a position met before is not computed again.
  void build(std::span<index const> positions, index rotary_dims, double base) {
    index const rows = std::ssize(positions), half = rotary_dims / 2;
    index const last = positions.empty() ? -1 : *std::max_element(positions.begin(), positions.end());
    if (rotary_dims != rotary_dims_ || base != base_) known_.clear();
    rotary_dims_ = rotary_dims;
    base_ = base;
    for (index p = std::ssize(known_) / std::max<index>(1, rotary_dims); p <= last; ++p)
      for (index j = 0; j < rotary_dims; ++j) {
        double const exponent = -2.0 * static_cast<double>(j % half) / static_cast<double>(rotary_dims);
        double const angle = static_cast<double>(p) * std::pow(base, exponent);
        known_.push_back(static_cast<typename B::scalar>(j < half ? std::cos(angle) : std::sin(angle)));
      }
    cosine.resize(rows, half);
    sine.resize(rows, half);
    host_.resize(static_cast<std::size_t>(2 * rows * half));
    for (index i = 0; i < rows; ++i) {
      auto const known = known_.begin() + positions[static_cast<std::size_t>(i)] * rotary_dims;
      std::copy_n(known, half, host_.begin() + i * half);
      std::copy_n(known + half, half, host_.begin() + (rows + i) * half);
    }
    B::upload(host_.data(), cosine.all());
    B::upload(host_.data() + rows * half, sine.all());
  }

 private:
  std::vector<typename B::scalar> known_;  // [positions, rotary_dims]: cosines, then sines, of each position
  std::vector<typename B::scalar> host_;
  index rotary_dims_ = 0;
  double base_ = 0;
};

namespace ops {

enum class turn : bool { forward, backward };

/// Turns the first `rotary_dims` columns of each head in place: x [R, heads·head_dim], table for the same R
/// rows.
template <class B>
void rope(rope_table<B> const& table, turn direction, index head_dim,
          basic_view<B, typename B::scalar, 2> x) {
  detail::same_shape("rope (table)", x.rows, table.cosine.cols(), table.cosine.rows(), table.cosine.cols());
  if constexpr (overrides<B, op::rope>) {
    B::rope(table, direction, head_dim, x);
  } else {
    lancet::detail::require_host_or_override<B, op::rope>();
    index const half = table.cosine.cols();
    typename B::scalar const sign = direction == turn::forward ? 1 : -1;
    for (index i = 0; i < x.rows; ++i)
      for (index head = 0; head < x.cols; head += head_dim)
        for (index j = 0; j < half; ++j) {
          typename B::scalar const c = table.cosine.all()(i, j), s = sign * table.sine.all()(i, j);
          typename B::scalar const a = x(i, head + j), b = x(i, head + half + j);
          x(i, head + j) = a * c - b * s;
          x(i, head + half + j) = b * c + a * s;
        }
  }
}

}  // namespace ops
}  // namespace lancet
