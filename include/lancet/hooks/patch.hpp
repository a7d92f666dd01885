// SPDX-License-Identifier: Apache-2.0
// patch and ablate: one unit of one layer set to a given value, to zero, to a mean, or to noise.
#pragma once

#include <optional>

#include "lancet/core/random.hpp"
#include "lancet/hooks/policy.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// What part of a site a policy acts on. Absent members mean all: segments, positions, columns.
struct target {
  index layer = 0;
  std::optional<index> segment;
  std::optional<index> position;      ///< counted from the start of the sequence
  std::optional<layer_span> columns;  ///< [first, last]
};

/// Columns of one head at sites q, z (query heads) or k, v (key/value heads).
[[nodiscard]] inline layer_span head_columns(index head, index head_dim) {
  return {head * head_dim, (head + 1) * head_dim - 1};
}

namespace detail {
/// Calls f(rows × columns of the view, first row of the view) for each part of a target.
template <class V, class F>
void for_target(target const& t, V value, place const& at, F&& f) {
  layer_span const columns = t.columns.value_or(layer_span{0, value.cols - 1});
  for (std::size_t i = 0; i < at.segments.size(); ++i) {
    if (t.segment && *t.segment != static_cast<index>(i)) continue;
    segment const& s = at.segments[i];
    index first = 0, rows = s.rows;
    if (t.position) {
      first = *t.position - s.first_position;
      if (first < 0 || first >= s.rows) continue;
      rows = 1;
    }
    f(value.row_range(s.row + first, rows).col_range(columns.first, columns.last - columns.first + 1),
      s.row + first);
  }
}
inline void check_target(target const& t, pass_shape const& shape) {
  if (t.segment && *t.segment >= std::ssize(shape.segments))
    fail_expected("hook target", "segment " + std::to_string(*t.segment),
                  "one of the batch's " + std::to_string(shape.segments.size()));
}
}  // namespace detail

/// Sets the target's rows to rows of `source`, a matrix of the whole batch at the same site: [R, columns].
/// Throws after a pass in which the target never fired (a position that no segment holds, say).
template <class B, class S>
class patch {
 public:
  using edits = sites<S>;

  patch(target where, const_view<B> source) : where_(where), source_(source) {}

  [[nodiscard]] layer_span layers() const { return {where_.layer, where_.layer}; }
  void bind(pass_shape const& shape) {
    detail::check_target(where_, shape);
    fired_ = false;
  }
  void on(S, view<B> value, place const& at) {
    detail::for_target(where_, value, at, [&](view<B> part, index row) {
      ops::copy<B>(source_.row_range(row, part.rows), part);
      fired_ = true;
    });
  }
  void adjoint(S, view<B> gradient, place const& at) {
    detail::for_target(where_, gradient, at, [](view<B> part, index) { ops::fill<B>(part, 0); });
  }
  void finish(pass_kind) const {
    if (!fired_) throw usage_error("patch at " + std::string(name(S::id)) + ": its target never fired");
  }

 private:
  target where_;
  const_view<B> source_;
  bool fired_ = false;
};

/// Sets the target to zero, to one row (a mean), or adds Gaussian noise to it.
template <class B, class S>
class ablate {
 public:
  using edits = sites<S>;

  /// Zero.
  explicit ablate(target where) : where_(where) {}
  /// One vector everywhere, such as a data set's mean: [1, columns].
  ablate(target where, const_view<B> row) : where_(where), row_(tensor<B>::clone(row)) {}
  /// The value plus N(0, sigma²), drawn by (seed, layer, row, column): the same numbers on every backend.
  ablate(target where, double sigma, std::uint64_t seed) : where_(where), sigma_(sigma), seed_(seed) {}

  [[nodiscard]] layer_span layers() const { return {where_.layer, where_.layer}; }
  void bind(pass_shape const& shape) {
    detail::check_target(where_, shape);
    fired_ = false;
  }
  void on(S, view<B> value, place const& at) {
    detail::for_target(where_, value, at, [&](view<B> part, index row) {
      fired_ = true;
      if (seed_) {
        add_noise(part, row, at.layer);
      } else {
        ops::fill<B>(part, 0);
        if (!row_.empty()) ops::add_row_vector<B>(1, row_, part);
      }
    });
  }
  void adjoint(S, view<B> gradient, place const& at) {
    if (seed_) return;  // the noise is added: the gradient passes through
    detail::for_target(where_, gradient, at, [](view<B> part, index) { ops::fill<B>(part, 0); });
  }
  void finish(pass_kind) const {
    if (!fired_) throw usage_error("ablate at " + std::string(name(S::id)) + ": its target never fired");
  }

 private:
  void add_noise(view<B> part, index row, index layer) {
    philox_stream const stream(*seed_, "ablate." + std::string(name(S::id)) + "." + std::to_string(layer));
    tensor<B> drawn(part.rows, part.cols);
    std::vector<typename B::scalar> host(static_cast<std::size_t>(part.size()));
    for (index i = 0; i < part.size(); ++i)
      host[static_cast<std::size_t>(i)] = static_cast<typename B::scalar>(
          sigma_ * stream.normal(static_cast<std::uint64_t>(row * part.cols + i)));
    B::upload(host.data(), drawn.all());
    ops::axpy<B>(1, drawn, part);
  }

  target where_;
  tensor<B> row_;
  double sigma_ = 0;
  std::optional<std::uint64_t> seed_;
  bool fired_ = false;
};

}  // namespace lancet
