// SPDX-License-Identifier: Apache-2.0
// The operations of a backend whose memory is a device's: declarations. `B` derives from
// `operations<B, Scalar, Runtime>`; launch.hpp has the definitions, for those who can compile the Runtime.
#pragma once

#include <span>

#include "lancet/backend/concept.hpp"
#include "lancet/backend/device/memory.hpp"
#include "lancet/core/bfloat16.hpp"
#include "lancet/ops/activation.hpp"
#include "lancet/ops/adam.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/elements.hpp"
#include "lancet/ops/linear.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"

namespace lancet::device {

template <class B, class Scalar, class Runtime>
struct operations {
  using scalar = Scalar;
  using storage = device::storage<Scalar, Runtime>;
  using runtime = Runtime;
  using in = basic_view<B, Scalar const, 2>;  // B is incomplete here: its views are spelled out
  using out = basic_view<B, Scalar, 2>;
  static constexpr bool host = false;
  using overrides =
      op_list<op::fill, op::scale, op::axpy, op::matmul, op::gather_rows, op::scatter_add_rows, op::row_dot,
              op::scale_columns, op::add_row_vector, op::column_sum, op::norm, op::rope, op::attention,
              op::attention_steps, op::activation, op::log_sum_exp, op::transform, op::elements, op::adam>;

  static void copy(in x, out y);
  static void upload(Scalar const* from, out y);
  static void download(in x, Scalar* to);
  static void fill(out y, Scalar value);
  static void scale(Scalar s, out y);
  static void axpy(Scalar a, in x, out y);
  static void matmul(in a, ops::transpose ta, in b, ops::transpose tb, out c, bool accumulate);
  static void gather_rows(in x, std::span<index const> rows, out y);
  static void scatter_add_rows(in x, std::span<index const> rows, out y);
  static void row_dot(in x, in y, out dots);
  static void scale_columns(in s, out y);
  static void add_row_vector(Scalar a, in v, out y);
  static void column_sum(Scalar a, in x, out sums);
  static void norm_scale(norm_kind kind, in x, double epsilon, out mean, out s);
  static void norm_apply(in x, in mean, in s, in w, in b, out y);
  static void norm_apply_adjoint(in gy, in x, in mean, in s, in w, out gc, out gs);
  static void norm_scale_adjoint(norm_kind kind, in gc, in gs, in x, in mean, in s, out gx);
  static void rope(rope_table<B> const& table, ops::turn direction, index head_dim, out x);
  static void attention(attention_shape const& s, std::span<ops::attention_part<B> const> parts);
  static void attention_adjoint(attention_shape const& s, std::span<ops::attention_part<B> const> parts,
                                std::span<ops::attention_gradient<B> const> gradients);
  static void attention_scores(attention_shape const& s, in q, lancet::key_rows<B> const& keys, out scores);
  static void attention_scores_adjoint(attention_shape const& s, in gs, in q, lancet::key_rows<B> const& keys,
                                       out gq, out gk);
  static void masked_softmax(attention_mask mask, index n, in scores, out pattern);
  static void softmax_adjoint(in pattern, out g);
  static void attention_mix(attention_shape const& s, in pattern, lancet::key_rows<B> const& values, out z);
  static void attention_mix_adjoint(attention_shape const& s, in gz, in pattern,
                                    lancet::key_rows<B> const& values, out gp, out gv);
  static void activation(activation_kind kind, in x, in up, out y);
  static void activation_adjoint(activation_kind kind, in gy, in x, in up, out gx, out gup);
  static void log_sum_exp(in x, std::span<double> sums);
  static void scaled_softmax(in x, std::span<double const> lse, std::span<double const> a, out y);
  static void gather_elements(in x, std::span<ops::element const> at, out y);
  static void scatter_add_elements(in x, std::span<ops::element const> at, out y);
  static void adam_step(adam_factors<Scalar> const& f, in gradient, out x, out first, out second,
                        out largest);
  /// `f` is compiled into the kernel.
  template <class F>
  static void transform(in x, out y, F const& f);

  // For bf16_weight, W [rows, cols]: rounded = x; y = x·Wᵀ, or x·W `backwards`; y[i] = W[rows[i]].
  static void round_to_bf16(in x, bfloat16* rounded);
  static void bf16_product(in x, bfloat16 const* w, index rows, index cols, bool backwards, out y,
                           bool accumulate);
  static void bf16_gather(bfloat16 const* w, index cols, std::span<index const> rows, out y);
};

}  // namespace lancet::device
