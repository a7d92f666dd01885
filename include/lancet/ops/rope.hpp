// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: each pair (x_i, x_{i + r/2}) of a head is turned by the angle position·θ_i.
//
// Su et al. 2021, in the half-split order of the Hugging Face models. The adjoint is the rotation by the
// negative angle.
#pragma once

#include <cmath>
#include <map>
#include <vector>

#include "lancet/model/batch.hpp"
#include "lancet/ops/basic.hpp"
#include "lancet/ops/rope_settings.hpp"

namespace lancet {

/// Cosines and sines of one batch: pair i of a row is turned by position(row)·frequency_i.
template <class B>
struct rope_table {
  tensor<B> cosine;  // [R, dims / 2]
  tensor<B> sine;    // [R, dims / 2]

  /// Angles are computed in double and rounded once; a position met before is not computed again.
  void build(std::span<segment const> segments, rope_settings const& settings) {
    if (!(settings == settings_)) known_.clear();
    settings_ = settings;
    index rows = 0;
    for (segment const& s : segments) rows += s.rows;
    index const half = settings.dims / 2;
    cosine.resize(rows, half);
    sine.resize(rows, half);
    host_.resize(static_cast<std::size_t>(2 * rows * half));
    index row = 0;
    for (segment const& s : segments) {
      index const last = s.first_position + s.rows;
      angles const& known = up_to(last);
      for (index p = s.first_position; p < last; ++p, ++row) {
        std::copy_n(known.turned.begin() + p * settings.dims, half, host_.begin() + row * half);
        std::copy_n(known.turned.begin() + p * settings.dims + half, half,
                    host_.begin() + (rows + row) * half);
      }
    }
    B::upload(host_.data(), cosine.all());
    B::upload(host_.data() + rows * half, sine.all());
  }

 private:
  struct angles {
    std::vector<double> frequencies;         // [dims / 2]
    std::vector<typename B::scalar> turned;  // [positions, dims]: cosines, then sines, of each position
  };

  /// Positions 0 … length − 1 of a sequence of `length` tokens, at least.
  [[nodiscard]] angles const& up_to(index length) {
    if (known_.size() > 16) known_.clear();  // dynamic scaling: each length has its own
    angles& a = known_[settings_.regime(length)];
    if (a.frequencies.empty()) a.frequencies = settings_.frequencies(length);
    index const half = settings_.dims / 2;
    for (index p = std::ssize(a.turned) / settings_.dims; p < length; ++p)
      for (index j = 0; j < settings_.dims; ++j) {
        double const angle = static_cast<double>(p) * a.frequencies[static_cast<std::size_t>(j % half)];
        a.turned.push_back(static_cast<typename B::scalar>(settings_.magnitude *
                                                           (j < half ? std::cos(angle) : std::sin(angle))));
      }
    return a;
  }

  std::map<index, angles> known_;  // by regime
  std::vector<typename B::scalar> host_;
  rope_settings settings_;
};

namespace ops {

enum class turn : bool { forward, backward };

/// Turns the first `dims` columns of each head in place: x [R, heads·head_dim], table for the same R
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
