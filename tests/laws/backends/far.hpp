// SPDX-License-Identifier: Apache-2.0
// Memory that is not the host's, on any machine: every operation is an override, and addresses are such that
// an element touched directly is a crash. The arithmetic is the reference backend's.
#pragma once

#include <boost/mpl/list.hpp>
#include <cstdint>
#include <vector>

#include "lancet/backend/reference.hpp"
#include "lancet/ops/activation.hpp"
#include "lancet/ops/adam.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/elements.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"

namespace lancet_test {

template <class Scalar>
struct far {
  using scalar = Scalar;
  using in = lancet::const_view<far>;
  using out = lancet::view<far>;
  static constexpr bool host = false;

  class storage {
   public:
    storage() = default;
    explicit storage(lancet::index count) : memory_(count) {}
    [[nodiscard]] Scalar* data() const { return turned(memory_.data()); }
    [[nodiscard]] lancet::index size() const { return memory_.size(); }

   private:
    lancet::aligned_buffer<Scalar> memory_;
  };

  static void copy(in x, out y) { twin::copy(near(x), near(y)); }
  static void upload(Scalar const* from, out y) { twin::upload(from, near(y)); }
  static void download(in x, Scalar* to) { twin::download(near(x), to); }
  static in native(in x) { return x; }
  static out native(out x) { return x; }

  using weight = lancet::plain_weight<far>;
  using overrides =
      lancet::op_list<lancet::op::fill, lancet::op::scale, lancet::op::axpy, lancet::op::matmul,
                      lancet::op::gather_rows, lancet::op::scatter_add_rows, lancet::op::row_dot,
                      lancet::op::scale_columns, lancet::op::add_row_vector, lancet::op::column_sum,
                      lancet::op::norm, lancet::op::rope, lancet::op::attention, lancet::op::attention_steps,
                      lancet::op::activation, lancet::op::log_sum_exp, lancet::op::elements,
                      lancet::op::adam>;

  static void fill(out y, Scalar value) { lancet::ops::fill(near(y), value); }
  static void scale(Scalar s, out y) { lancet::ops::scale(s, near(y)); }
  static void axpy(Scalar a, in x, out y) { lancet::ops::axpy(a, near(x), near(y)); }
  static void matmul(in a, lancet::ops::transpose ta, in b, lancet::ops::transpose tb, out c,
                     bool accumulate) {
    lancet::ops::matmul(near(a), ta, near(b), tb, near(c), accumulate);
  }
  static void gather_rows(in x, std::span<lancet::index const> rows, out y) {
    lancet::ops::gather_rows(near(x), rows, near(y));
  }
  static void scatter_add_rows(in x, std::span<lancet::index const> rows, out y) {
    lancet::ops::scatter_add_rows(near(x), rows, near(y));
  }
  static void row_dot(in x, in y, out dots) { lancet::ops::row_dot(near(x), near(y), near(dots)); }
  static void scale_columns(in s, out y) { lancet::ops::scale_columns(near(s), near(y)); }
  static void add_row_vector(Scalar a, in v, out y) { lancet::ops::add_row_vector(a, near(v), near(y)); }
  static void column_sum(Scalar a, in x, out y) { lancet::ops::column_sum(a, near(x), near(y)); }

  static void gather_elements(in x, std::span<lancet::ops::element const> at, out y) {
    lancet::ops::gather_elements(near(x), at, near(y));
  }
  static void scatter_add_elements(in x, std::span<lancet::ops::element const> at, out y) {
    lancet::ops::scatter_add_elements(near(x), at, near(y));
  }

  static void adam_step(lancet::adam_factors<Scalar> const& f, in gradient, out x, out first, out second,
                        out largest) {
    lancet::ops::adam_step(f, near(gradient), near(x), near(first), near(second), near(largest));
  }

  static void norm_scale(lancet::norm_kind kind, in x, double epsilon, out mean, out s) {
    lancet::ops::norm_scale(kind, near(x), epsilon, near(mean), near(s));
  }
  static void norm_apply(in x, in mean, in s, in w, in b, out y) {
    lancet::ops::norm_apply(near(x), near(mean), near(s), near(w), near(b), near(y));
  }
  static void norm_apply_adjoint(in gy, in x, in mean, in s, in w, out gc, out gs) {
    lancet::ops::norm_apply_adjoint(near(gy), near(x), near(mean), near(s), near(w), near(gc), near(gs));
  }
  static void norm_scale_adjoint(lancet::norm_kind kind, in gc, in gs, in x, in mean, in s, out gx) {
    lancet::ops::norm_scale_adjoint(kind, near(gc), near(gs), near(x), near(mean), near(s), near(gx));
  }

  static void rope(lancet::rope_table<far> const& table, lancet::ops::turn direction, lancet::index head_dim,
                   out x) {
    lancet::rope_table<twin> copy;
    copy.cosine = lancet::tensor<twin>::clone(near(table.cosine.all()));
    copy.sine = lancet::tensor<twin>::clone(near(table.sine.all()));
    lancet::ops::rope<twin>(copy, direction, head_dim, near(x));
  }

  using shape = lancet::attention_shape;
  using keys = lancet::key_rows<far>;
  static void attention_scores(shape const& s, in q, keys const& k, out scores) {
    lancet::ops::attention_scores<twin>(s, near(q), near(k), near(scores));
  }
  static void attention_scores_adjoint(shape const& s, in gs, in q, keys const& k, out gq, out gk) {
    lancet::ops::attention_scores_adjoint<twin>(s, near(gs), near(q), near(k), near(gq), near(gk));
  }
  static void masked_softmax(lancet::attention_mask mask, lancet::index n, in scores, out pattern) {
    lancet::ops::masked_softmax<twin>(mask, n, near(scores), near(pattern));
  }
  static void softmax_adjoint(in pattern, out g) {
    lancet::ops::softmax_adjoint<twin>(near(pattern), near(g));
  }
  static void attention_mix(shape const& s, in pattern, keys const& v, out z) {
    lancet::ops::attention_mix<twin>(s, near(pattern), near(v), near(z));
  }
  static void attention_mix_adjoint(shape const& s, in gz, in pattern, keys const& v, out gp, out gv) {
    lancet::ops::attention_mix_adjoint<twin>(s, near(gz), near(pattern), near(v), near(gp), near(gv));
  }
  static void attention(shape const& s, std::span<lancet::ops::attention_part<far> const> parts) {
    lancet::ops::attention<twin>(s, near(parts));
  }
  static void attention_adjoint(shape const& s, std::span<lancet::ops::attention_part<far> const> parts,
                                std::span<lancet::ops::attention_gradient<far> const> gradients) {
    std::vector<lancet::ops::attention_gradient<twin>> g;
    for (auto const& one : gradients) g.push_back({near(one.gz), near(one.gq), near(one.gk), near(one.gv)});
    lancet::ops::attention_adjoint<twin>(s, near(parts), g);
  }

  static void activation(lancet::activation_kind kind, in x, in up, out y) {
    lancet::ops::activation(kind, near(x), near(up), near(y));
  }
  static void activation_adjoint(lancet::activation_kind kind, in gy, in x, in up, out gx, out gup) {
    lancet::ops::activation_adjoint(kind, near(gy), near(x), near(up), near(gx), near(gup));
  }
  static void log_sum_exp(in x, std::span<double> sums) { lancet::ops::log_sum_exp<twin>(near(x), sums); }
  static void scaled_softmax(in x, std::span<double const> lse, std::span<double const> a, out y) {
    lancet::ops::scaled_softmax(near(x), lse, a, near(y));
  }

 private:
  using twin = lancet::backend::reference<Scalar>;

  /// To an address that no program has, and back; null stays null. Not inline: g++ would see through it and warn.
  template <class T>
  [[gnu::noinline]] static T* turned(T* p) {
    return p ? reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(p) ^ (std::uintptr_t{1} << 62)) : p;
  }
  template <class T>
  static lancet::basic_view<twin, T, 2> near(lancet::basic_view<far, T, 2> v) {
    return {turned(v.data), v.rows, v.cols, v.stride};
  }
  static lancet::key_rows<twin> near(keys const& k) { return {near(k.prefix), near(k.own)}; }
  static std::vector<lancet::ops::attention_part<twin>> near(
      std::span<lancet::ops::attention_part<far> const> parts) {
    std::vector<lancet::ops::attention_part<twin>> out_parts;
    for (auto const& p : parts) out_parts.push_back({near(p.q), near(p.keys), near(p.values), near(p.z)});
    return out_parts;
  }
};

// One scalar: what is asked here is whose memory is touched, not which digits come out.
using backends = boost::mpl::list<far<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 120;

}  // namespace lancet_test
