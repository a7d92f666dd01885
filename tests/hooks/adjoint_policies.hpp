// SPDX-License-Identifier: Apache-2.0
// Policies with parameters and gradients, as small as they can be: what gradient tests are composed of.
#pragma once

#include <cmath>
#include <string>

#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

/// A parameter matrix and its gradient, which a backward pass adds to.
template <class B>
struct parameter {
  lancet::tensor<B> value, gradient;
  parameter(index rows, index cols, std::uint64_t seed, double spread = 0.3, double offset = 0)
      : value(random_tensor<B>(rows, cols, seed, spread, offset)), gradient(rows, cols) {}
};

/// The rows of segment `segment` in a view of all rows; the view itself where it belongs to one segment
/// already, and nothing where that is another one.
template <class V>
[[nodiscard]] V part_of(V view, lancet::place const& at, index segment) {
  if (segment < 0) return view;
  if (at.segment >= 0) return at.segment == segment ? view : view.row_range(0, 0);
  lancet::segment const& s = at.segments[static_cast<std::size_t>(segment)];
  return view.row_range(s.row, s.rows);
}

/// value' = factor·value + shift in one layer, in all rows or those of one segment; keeps the value for the
/// factor's gradient. `columns` is the width of what it acts on: [first, first + columns).
template <class B, class S>
struct affine {
  using edits = lancet::sites<S>;
  using keeps = lancet::sites<S>;
  using view = lancet::view<B>;
  using const_view = lancet::const_view<B>;

  index layer, segment, first;
  parameter<B> factor, shift;

  affine(index at_layer, index of_segment, index columns, std::uint64_t seed, index first_column = 0)
      : layer(at_layer),
        segment(of_segment),
        first(first_column),
        factor(1, 1, seed, 0.2, 1),
        shift(1, columns, seed + 1) {}

  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  [[nodiscard]] bool elsewhere(lancet::place const& at) const {
    return segment >= 0 && at.segment >= 0 && at.segment != segment;
  }
  void on(S, view v, lancet::place const& at) {
    if (elsewhere(at)) return;
    view const part = part_of(v, at, segment).col_range(first, shift.value.cols());
    lancet::ops::scale<B>(factor.value.all()(0, 0), part);
    lancet::ops::add_row_vector<B>(1, shift.value, part);
  }
  void adjoint(S, const_view before, view g, lancet::place const& at) {
    if (elsewhere(at)) return;
    view const part = part_of(g, at, segment).col_range(first, shift.value.cols());
    const_view const old = part_of(before, at, segment).col_range(first, shift.value.cols());
    for (index i = 0; i < part.rows; ++i)
      for (index j = 0; j < part.cols; ++j) factor.gradient.all()(0, 0) += part(i, j) * old(i, j);
    lancet::ops::column_sum<B>(1, part, shift.gradient.all());
    lancet::ops::scale<B>(factor.value.all()(0, 0), part);
  }
};

/// One row of the batch replaced by a parameter.
template <class B, class S>
struct replaced_row {
  using edits = lancet::sites<S>;
  index layer, row;
  parameter<B> value;

  replaced_row(index at_layer, index batch_row, index columns, std::uint64_t seed)
      : layer(at_layer), row(batch_row), value(1, columns, seed, 1) {}
  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  void on(S, lancet::view<B> v, lancet::place const&) { B::copy(value.value, v.row_range(row, 1)); }
  void adjoint(S, lancet::view<B> g, lancet::place const&) {
    lancet::ops::axpy<B>(1, g.row_range(row, 1), value.gradient.all());
    lancet::ops::fill<B>(g.row_range(row, 1), 0);
  }
};

/// Adds a parameter to every row: gradients need nothing kept.
template <class B, class S>
struct shifted_rows {
  using edits = lancet::sites<S>;
  index layer;
  parameter<B> by;  // [R, columns]

  shifted_rows(index at_layer, index rows, index columns, std::uint64_t seed)
      : layer(at_layer), by(rows, columns, seed) {}
  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  void on(S, lancet::view<B> v, lancet::place const&) { lancet::ops::axpy<B>(1, by.value, v); }
  void adjoint(S, lancet::view<B> g, lancet::place const&) { lancet::ops::axpy<B>(1, g, by.gradient.all()); }
};

/// Values held at what they were once: no gradient flows through.
template <class B, class S>
struct frozen {
  using edits = lancet::sites<S>;
  index layer;
  lancet::tensor<B> held;

  explicit frozen(index at_layer) : layer(at_layer) {}
  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  void on(S, lancet::view<B> v, lancet::place const&) {
    if (held.empty())
      held = lancet::tensor<B>::clone(v);
    else
      B::copy(held, v);
  }
  void adjoint(S, lancet::view<B> g, lancet::place const&) { lancet::ops::fill<B>(g, 0); }
};

/// A rank-two adapter: y += (x·Aᵀ)·Bᵀ on the rows of one segment.
template <class B, lancet::proj P>
struct adapter {
  using S = lancet::site::linear<P>;
  using edits = lancet::sites<S>;
  using const_view = lancet::const_view<B>;
  index layer, segment;
  parameter<B> a, b;  // [2, in], [out, 2]

  adapter(index at_layer, index of_segment, index in, index out, std::uint64_t seed)
      : layer(at_layer), segment(of_segment), a(2, in, seed), b(out, 2, seed + 1) {}
  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  void on(S, const_view x, lancet::view<B> y, lancet::place const& at) {
    using enum lancet::ops::transpose;
    const_view const in = part_of(x, at, segment);
    lancet::tensor<B> h(in.rows, 2);
    lancet::ops::matmul<B>(in, no, a.value, yes, h.all());
    lancet::ops::matmul<B>(h, no, b.value, yes, part_of(y, at, segment), true);
  }
  void adjoint(S, const_view x, lancet::view<B> gx, const_view gy, lancet::place const& at) {
    using enum lancet::ops::transpose;
    const_view const in = part_of(x, at, segment), g = part_of(gy, at, segment);
    lancet::tensor<B> h(in.rows, 2), gh(in.rows, 2);
    lancet::ops::matmul<B>(in, no, a.value, yes, h.all());
    lancet::ops::matmul<B>(g, yes, h, no, b.gradient.all(), true);
    lancet::ops::matmul<B>(g, no, b.value, no, gh.all());
    lancet::ops::matmul<B>(gh, yes, in, no, a.gradient.all(), true);
    lancet::ops::matmul<B>(gh, no, a.value, no, part_of(gx, at, segment), true);
  }
};

}  // namespace lancet_test
