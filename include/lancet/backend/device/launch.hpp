// SPDX-License-Identifier: Apache-2.0
// The operations of device backends: which kernel, how many blocks, how many threads.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "lancet/backend/device/bf16_weight.hpp"
#include "lancet/backend/device/kernel/attention_adjoint.hpp"
#include "lancet/backend/device/kernel/attention_steps.hpp"
#include "lancet/backend/device/kernel/elementwise.hpp"
#include "lancet/backend/device/kernel/rows.hpp"
#include "lancet/backend/device/operations.hpp"

namespace lancet::device {

namespace detail {

/// f(i, j) for every element of [rows, cols].
template <class Runtime, class F>
void for_elements(char const* name, index rows, index cols, F const& f) {
  constexpr index threads = 256, most_blocks = index{1} << 20;
  if (rows * cols == 0) return;
  Runtime::launch(name, std::min(most_blocks, (rows * cols + threads - 1) / threads),
                  static_cast<int>(threads), kernel::for_elements<F>{rows, cols, f});
}

/// A block a row, of a thread for every four columns.
template <class Runtime, class Kernel>
void for_rows(char const* name, index rows, index cols, Kernel const& kernel) {
  if (rows == 0) return;
  index const warps = std::clamp<index>(cols / (4 * warp_size), 1, 16);
  Runtime::launch(name, rows, static_cast<int>(warps * warp_size), kernel);
}

/// c = op(a)·op(b), or +=. A sum over nothing is zero, and no library is asked for it: cuBLASLt refuses
/// matrices without rows.
template <class Runtime, class In, class Out>
void product(matrix<In const> a, bool turned_a, matrix<In const> b, bool turned_b, matrix<Out> c,
             bool accumulate) {
  if (c.rows * c.cols == 0) return;
  if ((turned_a ? a.rows : a.cols) > 0)
    Runtime::gemm(a, turned_a, b, turned_b, c, accumulate);
  else if (!accumulate)
    for_elements<Runtime>("fill", c.rows, c.cols, kernel::fill<Out>{c, Out(0)});
}

template <class B>
[[nodiscard]] kernel::key_rows<typename B::scalar> on_device(lancet::key_rows<B> const& rows) {
  return {rows.prefix, rows.own};
}

/// Attention's arguments on the device, its tiles counted.
template <class B, int S>
class attention_plan {
  using T = typename B::scalar;
  using part = kernel::attention_part<T>;

 public:
  attention_plan(std::span<ops::attention_part<B> const> parts,
                 std::span<ops::attention_gradient<B> const> gradients)
      : parts_(describe(parts, gradients, *this)) {}

  [[nodiscard]] kernel::attention_arguments<T> arguments(attention_shape const& s) const {
    return {parts_.data(),
            count_,
            static_cast<int>(s.heads),
            static_cast<int>(s.group()),
            static_cast<int>(s.head_dim),
            static_cast<T>(s.scale),
            static_cast<T>(s.cap),
            s.mask};
  }
  index tiles = 0, rows = 0;

 private:
  static std::span<part const> describe(std::span<ops::attention_part<B> const> parts,
                                        std::span<ops::attention_gradient<B> const> gradients,
                                        attention_plan& plan) {
    thread_local std::vector<part> list;
    list.clear();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      ops::attention_part<B> const& p = parts[i];
      part to{p.q, on_device(p.keys), on_device(p.values), p.z, {}, {}, {}, {}, plan.tiles, plan.rows};
      if (!gradients.empty()) {
        ops::attention_gradient<B> const& g = gradients[i];
        to.gz = g.gz, to.gq = g.gq, to.gk = g.gk, to.gv = g.gv;
      }
      list.push_back(to);
      plan.tiles += (p.q.rows + S - 1) / S;
      plan.rows += p.q.rows;
    }
    plan.count_ = static_cast<int>(list.size());
    return list;
  }

  int count_ = 0;
  scratch<part, typename B::runtime> parts_;
};

/// Calls f with the smallest of the head sizes that kernels are compiled for: shared memory holds tiles of up
/// to 256 floats, or 128 doubles, a head.
template <class T, class F>
void with_head_size(index head_dim, F&& f) {
  constexpr index most = 1024 / sizeof(T);
  if (head_dim <= 32) return f(std::integral_constant<int, 32>{});
  if (head_dim <= 64) return f(std::integral_constant<int, 64>{});
  if (head_dim <= 128) return f(std::integral_constant<int, 128>{});
  if constexpr (most > 128)
    if (head_dim <= most) return f(std::integral_constant<int, most>{});
  fail_expected("attention on a device", "heads of " + std::to_string(head_dim) + " columns",
                "at most " + std::to_string(most));
}

}  // namespace detail

#define LANCET_DEVICE_OPERATION              \
  template <class B, class S, class Runtime> \
  void operations<B, S, Runtime>

LANCET_DEVICE_OPERATION::copy(in x, out y) {
  detail::for_elements<Runtime>("copy", y.rows, y.cols, kernel::copy<S>{x, y});
}
LANCET_DEVICE_OPERATION::upload(S const* from, out y) {
  Runtime::upload_rows(from, static_cast<std::size_t>(y.cols) * sizeof(S), y.data,
                       static_cast<std::size_t>(y.stride) * sizeof(S), y.rows);
}
LANCET_DEVICE_OPERATION::download(in x, S* to) {
  Runtime::download_rows(x.data, static_cast<std::size_t>(x.stride) * sizeof(S), to,
                         static_cast<std::size_t>(x.cols) * sizeof(S), x.rows);
}
LANCET_DEVICE_OPERATION::fill(out y, S value) {
  detail::for_elements<Runtime>("fill", y.rows, y.cols, kernel::fill<S>{y, value});
}
LANCET_DEVICE_OPERATION::scale(S s, out y) {
  detail::for_elements<Runtime>("scale", y.rows, y.cols, kernel::scale<S>{s, y});
}
LANCET_DEVICE_OPERATION::axpy(S a, in x, out y) {
  detail::for_elements<Runtime>("axpy", y.rows, y.cols, kernel::axpy<S>{a, x, y});
}
LANCET_DEVICE_OPERATION::matmul(in a, ops::transpose ta, in b, ops::transpose tb, out c, bool accumulate) {
  detail::product<Runtime>(matrix<S const>(a), ta == ops::transpose::yes, matrix<S const>(b),
                           tb == ops::transpose::yes, matrix<S>(c), accumulate);
}
LANCET_DEVICE_OPERATION::gather_rows(in x, std::span<index const> rows, out y) {
  scratch<index, Runtime> const list(rows);
  detail::for_elements<Runtime>("gather_rows", y.rows, y.cols, kernel::gather_rows<S>{x, list.data(), y});
}
LANCET_DEVICE_OPERATION::scatter_add_rows(in x, std::span<index const> rows, out y) {
  scratch<index, Runtime> const list(rows);
  detail::for_elements<Runtime>("scatter_add_rows", 1, y.cols,
                                kernel::scatter_add_rows<S>{x, list.data(), y});
}
LANCET_DEVICE_OPERATION::row_dot(in x, in y, out dots) {
  detail::for_rows<Runtime>("row_dot", x.rows, x.cols, kernel::row_dot<S>{x, y, dots});
}
LANCET_DEVICE_OPERATION::scale_columns(in s, out y) {
  detail::for_elements<Runtime>("scale_columns", y.rows, y.cols, kernel::scale_columns<S>{s, y});
}
LANCET_DEVICE_OPERATION::add_row_vector(S a, in v, out y) {
  detail::for_elements<Runtime>("add_row_vector", y.rows, y.cols, kernel::add_row_vector<S>{a, v, y});
}
LANCET_DEVICE_OPERATION::column_sum(S a, in x, out sums) {
  detail::for_elements<Runtime>("column_sum", 1, x.cols, kernel::column_sum<S>{a, x, sums});
}
LANCET_DEVICE_OPERATION::norm_scale(norm_kind kind, in x, double epsilon, out mean, out s) {
  detail::for_rows<Runtime>(
      "norm_scale", x.rows, x.cols,
      kernel::norm_scale<S>{kind == norm_kind::layer, x, static_cast<S>(epsilon), mean, s});
}
LANCET_DEVICE_OPERATION::norm_apply(in x, in mean, in s, in w, in b, out y) {
  detail::for_elements<Runtime>("norm_apply", y.rows, y.cols, kernel::norm_apply<S>{x, mean, s, w, b, y});
}
LANCET_DEVICE_OPERATION::norm_apply_adjoint(in gy, in x, in mean, in s, in w, out gc, out gs) {
  detail::for_rows<Runtime>("norm_apply_adjoint", x.rows, x.cols,
                            kernel::norm_apply_adjoint<S>{gy, x, mean, s, w, gc, gs});
}
LANCET_DEVICE_OPERATION::norm_scale_adjoint(norm_kind kind, in gc, in gs, in x, in mean, in s, out gx) {
  detail::for_rows<Runtime>("norm_scale_adjoint", x.rows, x.cols,
                            kernel::norm_scale_adjoint<S>{kind == norm_kind::layer, gc, gs, x, mean, s, gx});
}
LANCET_DEVICE_OPERATION::rope(rope_table<B> const& table, ops::turn direction, index head_dim, out x) {
  in const cosine = table.cosine, sine = table.sine;
  detail::for_elements<Runtime>(
      "rope", x.rows, x.cols / head_dim * cosine.cols,
      kernel::rope<S>{cosine, sine, direction == ops::turn::forward ? S(1) : S(-1), head_dim, x});
}
LANCET_DEVICE_OPERATION::activation(activation_kind kind, in x, in up, out y) {
  detail::for_elements<Runtime>("activation", y.rows, y.cols, kernel::activation<S>{kind, x, up, y});
}
LANCET_DEVICE_OPERATION::activation_adjoint(activation_kind kind, in gy, in x, in up, out gx, out gup) {
  detail::for_elements<Runtime>("activation_adjoint", gx.rows, gx.cols,
                                kernel::activation_adjoint<S>{kind, gy, x, up, gx, gup});
}
LANCET_DEVICE_OPERATION::log_sum_exp(in x, std::span<double> sums) {
  if (sums.empty()) return;
  scratch<double, Runtime> const out(sums.size());
  detail::for_rows<Runtime>("log_sum_exp", x.rows, x.cols, kernel::log_sum_exp<S>{x, out.data()});
  Runtime::download(out.data(), sums.data(), sums.size_bytes());
}
LANCET_DEVICE_OPERATION::scaled_softmax(in x, std::span<double const> lse, std::span<double const> a, out y) {
  scratch<double, Runtime> const sums(lse), factors(a);
  detail::for_elements<Runtime>("scaled_softmax", y.rows, y.cols,
                                kernel::scaled_softmax<S>{x, sums.data(), factors.data(), y});
}

LANCET_DEVICE_OPERATION::attention(attention_shape const& s, std::span<ops::attention_part<B> const> parts) {
  detail::with_head_size<S>(s.head_dim, [&](auto d) {
    using kernel_type = kernel::attention<S, d.value>;
    detail::attention_plan<B, kernel_type::S> const plan(parts, {});
    if (plan.tiles > 0)
      Runtime::launch("attention", plan.tiles * s.heads, kernel_type::threads,
                      kernel_type{plan.arguments(s)});
  });
}
LANCET_DEVICE_OPERATION::attention_adjoint(attention_shape const& s,
                                           std::span<ops::attention_part<B> const> parts,
                                           std::span<ops::attention_gradient<B> const> gradients) {
  detail::with_head_size<S>(s.head_dim, [&](auto d) {
    using queries = kernel::attention_adjoint_queries<S, d.value>;
    using keys = kernel::attention_adjoint_keys<S, d.value>;
    detail::attention_plan<B, queries::S> const plan(parts, gradients);
    if (plan.tiles == 0) return;
    scratch<kernel::query_statistics<S>, Runtime> const statistics(
        static_cast<std::size_t>(plan.rows * s.heads));
    Runtime::launch("attention_adjoint (queries)", plan.tiles * s.heads, queries::threads,
                    queries{plan.arguments(s), statistics.data()});
    Runtime::launch("attention_adjoint (keys)", plan.tiles * s.kv_heads, keys::threads,
                    keys{plan.arguments(s), statistics.data()});
  });
}
LANCET_DEVICE_OPERATION::attention_scores(attention_shape const& s, in q, lancet::key_rows<B> const& keys,
                                          out scores) {
  detail::for_elements<Runtime>(
      "attention_scores", scores.rows, scores.cols,
      kernel::head_products<S>{q.rows, s.group(), s.head_dim, static_cast<S>(s.scale), static_cast<S>(s.cap),
                               q, detail::on_device(keys), scores});
}
LANCET_DEVICE_OPERATION::attention_scores_adjoint(attention_shape const& s, in gs, in q,
                                                  lancet::key_rows<B> const& keys, out gq, out gk) {
  S const factor = static_cast<S>(s.scale);
  scratch<S, Runtime> const uncapped(static_cast<std::size_t>(s.cap != 0 ? gs.size() : 0));
  if (s.cap != 0) {
    view<B> const to{uncapped.data(), gs.rows, gs.cols, gs.cols};
    detail::for_elements<Runtime>(
        "attention_scores_adjoint (cap)", gs.rows, gs.cols,
        kernel::uncapped_gradient<S>{
            {q.rows, s.group(), s.head_dim, factor, static_cast<S>(s.cap), q, detail::on_device(keys), to},
            gs});
    gs = to;
  }
  detail::for_elements<Runtime>(
      "attention_scores_adjoint (queries)", gq.rows, gq.cols,
      kernel::weighted_keys<S>{q.rows, s.group(), s.head_dim, factor, true, gs, detail::on_device(keys), gq});
  detail::for_elements<Runtime>(
      "attention_scores_adjoint (keys)", gk.rows, gk.cols,
      kernel::weighted_queries<S>{q.rows, s.group(), s.head_dim, factor, gs, q, gk});
}
LANCET_DEVICE_OPERATION::masked_softmax(attention_mask mask, index n, in scores, out pattern) {
  detail::for_rows<Runtime>("masked_softmax", scores.rows, scores.cols,
                            kernel::masked_softmax<S>{mask, n, scores, pattern});
}
LANCET_DEVICE_OPERATION::softmax_adjoint(in pattern, out g) {
  detail::for_rows<Runtime>("softmax_adjoint", g.rows, g.cols, kernel::softmax_adjoint<S>{pattern, g});
}
LANCET_DEVICE_OPERATION::attention_mix(attention_shape const& s, in pattern,
                                       lancet::key_rows<B> const& values, out z) {
  detail::for_elements<Runtime>("attention_mix", z.rows, z.cols,
                                kernel::weighted_keys<S>{z.rows, s.group(), s.head_dim, S(1), false, pattern,
                                                         detail::on_device(values), z});
}
LANCET_DEVICE_OPERATION::attention_mix_adjoint(attention_shape const& s, in gz, in pattern,
                                               lancet::key_rows<B> const& values, out gp, out gv) {
  detail::for_elements<Runtime>("attention_mix_adjoint (pattern)", gp.rows, gp.cols,
                                kernel::head_products<S>{gz.rows, s.group(), s.head_dim, S(1), S(0), gz,
                                                         detail::on_device(values), gp});
  detail::for_elements<Runtime>(
      "attention_mix_adjoint (values)", gv.rows, gv.cols,
      kernel::weighted_queries<S>{gz.rows, s.group(), s.head_dim, S(1), pattern, gz, gv});
}

LANCET_DEVICE_OPERATION::gather_elements(in x, std::span<ops::element const> at, out y) {
  scratch<ops::element, Runtime> const list(at);
  detail::for_elements<Runtime>("gather_elements", y.rows, 1, kernel::gather_elements<S>{x, list.data(), y});
}
LANCET_DEVICE_OPERATION::scatter_add_elements(in x, std::span<ops::element const> at, out y) {
  scratch<ops::element, Runtime> const list(at);
  detail::for_elements<Runtime>("scatter_add_elements", x.rows, 1,
                                kernel::scatter_add_elements<S>{x, list.data(), y});
}
LANCET_DEVICE_OPERATION::adam_step(adam_factors<S> const& f, in gradient, out x, out first, out second,
                                   out largest) {
  detail::for_elements<Runtime>("adam_step", x.rows, x.cols,
                                kernel::adam_step<S>{f, gradient, x, first, second, largest});
}
template <class B, class S, class Runtime>
template <class F>
void operations<B, S, Runtime>::transform(in x, out y, F const& f) {
  detail::for_elements<Runtime>("transform", y.rows, y.cols, kernel::transform<S, F>{x, y, f});
}
LANCET_DEVICE_OPERATION::round_to_bf16(in x, bfloat16* rounded) {
  detail::for_elements<Runtime>("round_to_bf16", x.rows, x.cols, kernel::round_to_bf16<S>{x, rounded});
}
LANCET_DEVICE_OPERATION::bf16_product(in x, bfloat16 const* w, index rows, index cols, bool backwards, out y,
                                      bool accumulate) {
  if (y.size() == 0) return;
  scratch<bfloat16, Runtime> const rounded(static_cast<std::size_t>(x.size()));
  round_to_bf16(x, rounded.data());
  detail::product<Runtime>(matrix<bfloat16 const>(rounded.data(), x.rows, x.cols, x.cols), false,
                           matrix<bfloat16 const>(w, rows, cols, cols), !backwards, matrix<S>(y), accumulate);
}
LANCET_DEVICE_OPERATION::bf16_gather(bfloat16 const* w, index cols, std::span<index const> rows, out y) {
  scratch<index, Runtime> const list(rows);
  detail::for_elements<Runtime>("bf16_gather", y.rows, y.cols,
                                kernel::bf16_gather<S>{w, cols, list.data(), y});
}

#undef LANCET_DEVICE_OPERATION

}  // namespace lancet::device
