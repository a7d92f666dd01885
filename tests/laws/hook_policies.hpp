// SPDX-License-Identifier: Apache-2.0
// Policies at any site, chosen at run time: one type for all sites keeps laws about every site quick to
// compile.
#pragma once

#include "hooks/spy.hpp"
#include "lancet/model/absent_sites.hpp"
#include "lancet/ops/basic.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

using linear_sites =
    lancet::sites<lancet::site::linear<lancet::proj::q>, lancet::site::linear<lancet::proj::k>,
                  lancet::site::linear<lancet::proj::v>, lancet::site::linear<lancet::proj::o>,
                  lancet::site::linear<lancet::proj::gate>, lancet::site::linear<lancet::proj::up>,
                  lancet::site::linear<lancet::proj::down>>;

/// The sites that a model has.
[[nodiscard]] inline std::vector<lancet::site_id> sites_of(lancet::architecture const& a) {
  std::vector<lancet::site_id> out;
  for (std::size_t i = 0; i < lancet::site_count; ++i)
    if (!lancet::absent_because(a, static_cast<lancet::site_id>(i)))
      out.push_back(static_cast<lancet::site_id>(i));
  return out;
}

/// Where a policy acts: one site of one layer.
struct acting_place {
  lancet::site_id site;
  index layer;

  [[nodiscard]] lancet::layer_span layers() const { return {layer, layer}; }
  [[nodiscard]] bool acts_at(lancet::site_id id, index) const { return id == site; }
};

/// Layer `usual`, or the only one in which the site fires.
[[nodiscard]] inline acting_place at_site(lancet::architecture const& a, lancet::site_id site, index usual) {
  using enum lancet::site_id;
  if (site == embed) return {site, 0};
  return {site, site == final_scale || site == final || site == logits ? a.layers : usual};
}

/// Looks, and changes nothing.
template <class B>
struct reader : acting_place {
  using reads = lancet::all_sites;
  template <class S>
  requires(!lancet::is_linear_site<S>) void on(S, lancet::const_view<B>, lancet::place const&) {}
  template <class S>
  requires(lancet::is_linear_site<S>) void on(S, lancet::const_view<B>, lancet::const_view<B>,
                                              lancet::place const&) {}
};

/// Adds 0.25, 0.375, 0.5, 0.25, … to one row of the batch; at scores and pattern to that row of every head.
template <class B>
struct bump : acting_place {
  using edits = lancet::all_sites;
  index row;
  index fired = 0;

  bump(acting_place where, index batch_row) : acting_place(where), row(batch_row) {}

  template <class S>
  requires(!lancet::is_linear_site<S>) void on(S, lancet::view<B> v, lancet::place const& at) {
    if (S::id == site) change(v, at);
  }
  template <class S>
  requires(lancet::is_linear_site<S>) void on(S, lancet::const_view<B>, lancet::view<B> y,
                                              lancet::place const& at) {
    if (S::id == site) change(y, at);
  }

 private:
  void change(lancet::view<B> v, lancet::place const& at) {
    if (at.segment < 0) return add(v.row_range(row, 1));
    lancet::segment const& s = at.segments[static_cast<std::size_t>(at.segment)];
    if (row < s.row || row >= s.row + s.rows) return;
    for (index h = 0; h < v.rows / s.rows; ++h) add(v.row_range(h * s.rows + row - s.row, 1));
  }
  void add(lancet::view<B> v) {
    std::vector<double> steps;
    for (index j = 0; j < v.cols; ++j) steps.push_back(0.25 + 0.125 * static_cast<double>(j % 3));
    lancet::ops::axpy<B>(1, make_tensor<B>(1, v.cols, steps), v);
    ++fired;
  }
};

/// A change with parameters: value' = factor·value + shift, and at a linear site y += (x·Aᵀ)·Bᵀ of rank two,
/// in the rows of one segment or (−1) of all. `first` and `second` are the factor [1, 1] and the shift [1,
/// columns], or A [2, in] and B [out, 2]. Backward passes add to their gradients.
template <class B>
struct learned_change : acting_place {
  using edits = lancet::all_sites;
  using keeps = without<lancet::all_sites, linear_sites>;
  using view = lancet::view<B>;
  using const_view = lancet::const_view<B>;

  index segment;
  lancet::tensor<B> first, second, first_gradient, second_gradient;

  learned_change(acting_place where, index of_segment, lancet::tensor<B> one, lancet::tensor<B> other)
      : acting_place(where),
        segment(of_segment),
        first(std::move(one)),
        second(std::move(other)),
        first_gradient(first.rows(), first.cols()),
        second_gradient(second.rows(), second.cols()) {}

  template <class S>
  requires(!lancet::is_linear_site<S>) void on(S, view v, lancet::place const& at) {
    if (S::id != site || elsewhere(at)) return;
    view const part = changed(v, at);
    lancet::ops::scale<B>(elements<B>(first)[0], part);
    lancet::ops::add_row_vector<B>(1, second, part);
  }
  template <class S>
  requires(!lancet::is_linear_site<S>) void adjoint(S, const_view before, view g, lancet::place const& at) {
    if (S::id != site || elsewhere(at)) return;
    view const part = changed(g, at);
    const_view const old = changed(before, at);
    lancet::tensor<B> dots(part.rows, 1);
    lancet::ops::row_dot<B>(part, old, dots.all());
    lancet::ops::column_sum<B>(1, dots, first_gradient.all());
    lancet::ops::column_sum<B>(1, part, second_gradient.all());
    lancet::ops::scale<B>(elements<B>(first)[0], part);
  }
  template <class S>
  requires(lancet::is_linear_site<S>) void on(S, const_view x, view y, lancet::place const& at) {
    using enum lancet::ops::transpose;
    if (S::id != site) return;
    const_view const in = rows(x, at);
    lancet::tensor<B> h(in.rows, 2);
    lancet::ops::matmul<B>(in, no, first, yes, h.all());
    lancet::ops::matmul<B>(h, no, second, yes, rows(y, at), true);
  }
  template <class S>
  requires(lancet::is_linear_site<S>) void adjoint(S, const_view x, view gx, const_view gy,
                                                   lancet::place const& at) {
    using enum lancet::ops::transpose;
    if (S::id != site) return;
    const_view const in = rows(x, at), g = rows(gy, at);
    lancet::tensor<B> h(in.rows, 2), gh(in.rows, 2);
    lancet::ops::matmul<B>(in, no, first, yes, h.all());
    lancet::ops::matmul<B>(g, yes, h, no, second_gradient.all(), true);
    lancet::ops::matmul<B>(g, no, second, no, gh.all());
    lancet::ops::matmul<B>(gh, yes, in, no, first_gradient.all(), true);
    lancet::ops::matmul<B>(gh, no, first, no, rows(gx, at), true);
  }

 private:
  [[nodiscard]] bool elsewhere(lancet::place const& at) const {
    return segment >= 0 && at.segment >= 0 && at.segment != segment;
  }
  template <class V>
  [[nodiscard]] V rows(V v, lancet::place const& at) const {
    if (segment < 0 || at.segment >= 0) return v;
    lancet::segment const& s = at.segments[static_cast<std::size_t>(segment)];
    return v.row_range(s.row, s.rows);
  }
  template <class V>
  [[nodiscard]] V changed(V v, lancet::place const& at) const {
    return rows(v, at).col_range(0, second.cols());
  }
};

}  // namespace lancet_test
