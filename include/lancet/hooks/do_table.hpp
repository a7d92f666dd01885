// SPDX-License-Identifier: Apache-2.0
// do_table: any number of interventions of one batch as rows of one table, "cells ← source", under one policy
// type.
//
// Pearl's do(a = ã) on rows × columns of a segment at a site. A sweep over thousands of units is one such
// table.
#pragma once

#include <algorithm>
#include <vector>

#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// Sites where a value can be replaced without a copy being made first, in every architecture.
using patchable_sites =
    sites<site::embed, site::resid_pre, site::attn_norm, site::q, site::k, site::v, site::rot_q, site::rot_k,
          site::z, site::attn_out, site::resid_mid, site::mlp_norm, site::mlp_pre, site::mlp_up,
          site::mlp_post, site::mlp_out, site::resid_post>;

/// Rows [first_row, first_row + rows) of a segment, columns [first_col, first_col + cols), at one site of one
/// layer. `source` is [rows, cols], or one row for all of them [1, cols], or empty for zero.
template <class B>
struct do_cell {
  enum class change { set, add };

  site_id site;
  index layer;
  index segment;
  index first_row, rows;
  index first_col, cols;
  const_view<B> source;
  change how = change::set;
};

template <class B>
class do_table {
 public:
  using edits = patchable_sites;

  void clear() { cells_.clear(); }
  /// Throws usage_error for a site at which no rows can be set (scores, pattern, logits …).
  void add(do_cell<B> cell) {
    if (!edits::contains_id(cell.site))
      fail_expected("do_table", "site " + std::string(name(cell.site)), "one of patchable_sites");
    cells_.push_back(cell);
    sorted_ = false;
  }
  [[nodiscard]] bool empty() const { return cells_.empty(); }

  [[nodiscard]] layer_span layers() const {
    if (cells_.empty()) return {0, 0};
    auto const [low, high] = std::minmax_element(
        cells_.begin(), cells_.end(), [](auto const& a, auto const& b) { return a.layer < b.layer; });
    return {low->layer, high->layer};
  }

  /// A table lists every site at which a value can be set; it acts where it has cells.
  [[nodiscard]] bool acts_at(site_id site, index layer) const {
    return std::any_of(cells_.begin(), cells_.end(),
                       [&](auto const& c) { return c.layer == layer && c.site == site; });
  }

  void bind(pass_shape const& shape) {
    if (!sorted_)
      std::stable_sort(cells_.begin(), cells_.end(), [](auto const& a, auto const& b) {
        return std::tie(a.layer, a.site, a.segment) < std::tie(b.layer, b.site, b.segment);
      });
    sorted_ = true;
    for (do_cell<B> const& c : cells_)
      if (c.layer < 0 || c.layer >= shape.layers)
        fail_expected("do_table", "layer " + std::to_string(c.layer),
                      "0 to " + std::to_string(shape.layers - 1));
  }

  template <class S>
  requires(edits::template contains<S>) void on(S, view<B> value, place const& at) {
    each(S::id, value, at, [](do_cell<B> const& c, view<B> part) {
      if (!c.source.data)
        ops::fill<B>(part, 0);
      else if (c.source.rows == 1 && c.how == do_cell<B>::change::add)
        ops::add_row_vector<B>(1, c.source, part);
      else if (c.how == do_cell<B>::change::add)
        ops::axpy<B>(1, c.source, part);
      else if (c.source.rows == part.rows)
        B::copy(c.source, part);
      else
        for (index i = 0; i < part.rows; ++i) B::copy(c.source, part.row_range(i, 1));
    });
  }
  /// What was set does not depend on what was there.
  template <class S>
  requires(edits::template contains<S>) void adjoint(S, view<B> gradient, place const& at) {
    each(S::id, gradient, at, [](do_cell<B> const& c, view<B> part) {
      if (c.how == do_cell<B>::change::set) ops::fill<B>(part, 0);
    });
  }

 private:
  template <class F>
  void each(site_id site, view<B> value, place const& at, F&& f) const {
    auto const key = std::pair(at.layer, site);
    auto c = std::lower_bound(cells_.begin(), cells_.end(), key, [](auto const& cell, auto const& k) {
      return std::pair(cell.layer, cell.site) < k;
    });
    for (; c != cells_.end() && c->layer == at.layer && c->site == site; ++c) {
      auto const number = static_cast<std::size_t>(c->segment);
      if (number >= at.segments.size())
        fail_expected("do_table", "segment " + std::to_string(c->segment),
                      "one of the batch's " + std::to_string(at.segments.size()));
      segment const& s = at.segments[number];
      if (c->first_row < 0 || c->first_row + c->rows > s.rows)
        fail_expected("do_table at " + std::string(name(site)),
                      "rows up to " + std::to_string(c->first_row + c->rows),
                      "rows of a segment of " + std::to_string(s.rows));
      f(*c, value.row_range(s.row + c->first_row, c->rows).col_range(c->first_col, c->cols));
    }
  }

  std::vector<do_cell<B>> cells_;
  bool sorted_ = true;
};

}  // namespace lancet
