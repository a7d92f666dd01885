// SPDX-License-Identifier: Apache-2.0
// Every operation of a backend on the same seeded, strided inputs: what two backends must agree on.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lancet/ops/activation.hpp"
#include "lancet/ops/adam.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/elements.hpp"
#include "lancet/ops/linear.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"
#include "support/random_tensor.hpp"
#include "support/segments.hpp"

namespace lancet_test {

using operation_results = std::map<std::string, std::vector<double>>;

template <class B>
void run_elementwise(operation_results& out) {
  using namespace lancet;
  {
    window<B> x(5, 37, 1), y(5, 37, 2);
    ops::copy<B>(x, y.all());
    out["copy"] = y.values();
    std::vector<typename B::scalar> host(5 * 37);
    B::download(x, host.data());
    window<B> z(5, 37, 3);
    B::upload(host.data(), z);
    out["upload of download"] = z.values();
  }
  {
    window<B> y(5, 37, 2);
    ops::fill<B>(y.all(), typename B::scalar(2.5));
    out["fill"] = y.values();
  }
  {
    window<B> y(5, 37, 2);
    ops::scale<B>(typename B::scalar(-1.5), y.all());
    out["scale"] = y.values();
  }
  {
    window<B> x(5, 37, 1), y(5, 37, 2);
    ops::axpy<B>(typename B::scalar(0.75), x, y.all());
    out["axpy"] = y.values();
  }
  {
    window<B> x(5, 37, 1), y(8, 37, 2), z(8, 37, 3);
    std::vector<index> const rows{4, 0, 0, 2, 1, 4, 4, 3}, to{7, 1, 1, 0, 7};
    ops::gather_rows<B>(x, rows, y.all());
    out["gather_rows"] = y.values();
    ops::scatter_add_rows<B>(x, to, z.all());
    out["scatter_add_rows"] = z.values();
  }
  {
    window<B> x(5, 37, 1), y(5, 37, 2), dots(5, 1, 3), s(1, 37, 4), v(1, 37, 5), sums(1, 37, 6);
    ops::row_dot<B>(x, y, dots.all());
    out["row_dot"] = dots.values();
    ops::scale_columns<B>(s, y.all());
    out["scale_columns"] = y.values();
    ops::add_row_vector<B>(typename B::scalar(-0.5), v, y.all());
    out["add_row_vector"] = y.values();
    ops::column_sum<B>(typename B::scalar(2), x, sums.all());
    out["column_sum"] = sums.values();
  }
}

template <class B>
void run_products(operation_results& out) {
  using namespace lancet;
  using enum ops::transpose;
  struct shape {
    index m, n, k;
  };
  for (auto const [m, n, k] :
       {shape{1, 1, 1}, {1, 6, 9}, {1, 4, 0}, {3, 5, 0}, {3, 5, 7}, {65, 9, 20}, {2, 513, 4}, {130, 40, 33}})
    for (ops::transpose const ta : {no, yes})
      for (ops::transpose const tb : {no, yes})
        for (bool const accumulate : {false, true}) {
          window<B> a(ta == no ? m : k, ta == no ? k : m, 1), b(tb == no ? k : n, tb == no ? n : k, 2),
              c(m, n, 3);
          ops::matmul<B>(a, ta, b, tb, c.all(), accumulate);
          out["matmul " + std::to_string(m) + " " + std::to_string(n) + " " + std::to_string(k) +
              (ta == yes ? " ta" : "") + (tb == yes ? " tb" : "") + (accumulate ? " +=" : "")] = c.values();
        }
  for (bool const accumulate : {false, true})
    for (bool const biased : {false, true}) {
      window<B> source(21, 34, 4), x(7, 34, 5), y(7, 21, 6), bias(1, 21, 7), gy(7, 21, 8), gx(7, 34, 9);
      typename B::weight const w{const_view<B>(source)};
      ops::linear<B>(x, w, biased ? const_view<B>(bias) : const_view<B>{}, y.all(), accumulate);
      out[std::string("linear") + (accumulate ? " +=" : "") + (biased ? " biased" : "")] = y.values();
      ops::linear_adjoint<B>(gy, w, gx.all(), accumulate);
      out[std::string("linear_adjoint") + (accumulate ? " +=" : "")] = gx.values();
      window<B> rows(3, 34, 10);
      w.gather(std::vector<index>{20, 0, 5}, rows);
      out["weight.gather"] = rows.values();
    }
}

template <class B>
void run_norms(operation_results& out) {
  using namespace lancet;
  for (norm_kind const kind : {norm_kind::rms, norm_kind::layer})
    for (bool const biased : {false, true}) {
      std::string const name =
          std::string(kind == norm_kind::rms ? "rms" : "layer") + (biased ? " biased " : " ");
      window<B> x(6, 45, 1, 2, 0.5), mean(6, 1, 2), s(6, 1, 3), w(1, 45, 4, 0.3, 1), b(1, 45, 5), y(6, 45, 6),
          gy(6, 45, 7), gc(6, 45, 8), gs(6, 1, 9), gx(6, 45, 10);
      ops::norm_scale<B>(kind, x, 1e-5, mean.all(), s.all());
      ops::norm_apply<B>(x, mean, s, w, biased ? const_view<B>(b) : const_view<B>{}, y.all());
      ops::norm_apply_adjoint<B>(gy, x, mean, s, w, gc.all(), gs.all());
      ops::norm_scale_adjoint<B>(kind, gc, gs, x, mean, s, gx.all());
      out[name + "mean"] = mean.values();
      out[name + "scale"] = s.values();
      out[name + "apply"] = y.values();
      out[name + "apply_adjoint"] = gc.values();
      out[name + "scale gradient"] = gs.values();
      out[name + "scale_adjoint"] = gx.values();
    }
}

template <class B>
void run_rows(operation_results& out) {
  using namespace lancet;
  for (index const rotary : {4, 10}) {
    rope_table<B> table;
    table.build(single_rows({0, 1, 2, 30, 4, 5}), {.dims = rotary});
    window<B> x(6, 3 * 10, 1);
    ops::rope<B>(table, ops::turn::forward, 10, x.all());
    out["rope " + std::to_string(rotary)] = x.values();
    ops::rope<B>(table, ops::turn::backward, 10, x.all());
    out["rope back " + std::to_string(rotary)] = x.values();
  }
  using enum activation_kind;
  for (activation_kind const kind : {silu, gelu_tanh, gelu, relu, activation_kind::tanh})
    for (bool const gated : {false, true}) {
      std::string const name =
          "activation " + std::to_string(static_cast<int>(kind)) + (gated ? " gated" : "");
      window<B> x(6, 45, 1, 8), up(6, 45, 2), y(6, 45, 3), gy(6, 45, 4), gx(6, 45, 5), gup(6, 45, 6);
      const_view<B> const u = gated ? const_view<B>(up) : const_view<B>{};
      ops::activation<B>(kind, x, u, y.all());
      ops::activation_adjoint<B>(kind, gy, x, u, gx.all(), gated ? gup.all() : view<B>{});
      out[name] = y.values();
      out[name + " adjoint"] = gx.values();
      out[name + " adjoint up"] = gup.values();
      if (!gated) continue;
      ops::activation_adjoint<B>(kind, gy, x, u, gx.all(), gy.all());  // gup may be gy
      out[name + " adjoint in place"] = gy.values();
    }
  for (bool const amsgrad : {false, true}) {
    adam_factors<typename B::scalar> const f{.kept = 0.99F,
                                             .decay = 0.1F,
                                             .new_first = 0.1F,
                                             .beta2 = 0.99F,
                                             .new_second = 0.01F,
                                             .rate = 0.2F,
                                             .root = 0.3F,
                                             .epsilon = 1e-3F};
    window<B> g(6, 45, 1), x(6, 45, 2), first(6, 45, 3), second(6, 45, 4, 0.4, 0.5),
        largest(6, 45, 5, 0.4, 0.5);
    ops::adam_step<B>(f, g, x.all(), first.all(), second.all(), amsgrad ? largest.all() : view<B>{});
    std::string const name = amsgrad ? "amsgrad " : "adam ";
    out[name + "x"] = x.values();
    out[name + "first"] = first.values();
    out[name + "second"] = second.values();
    out[name + "largest"] = largest.values();
  }
  {
    std::vector<ops::element> const places{{3, 44}, {0, 0}, {3, 44}, {5, 7}, {0, 0}, {0, 1}};
    window<B> x(6, 45, 1), y(6, 45, 2), read(6, 1, 3);
    ops::gather_elements<B>(x, places, read.all());
    ops::scatter_add_elements<B>(read, places, y.all());
    out["gather_elements"] = read.values();
    out["scatter_add_elements"] = y.values();
  }
  window<B> x(5, 700, 7, 6), y(5, 700, 8);
  std::vector<double> lse(5);
  std::vector<double> const a{1, -2, 0, 0.5, 3};
  ops::log_sum_exp<B>(x, lse);
  out["log_sum_exp"] = lse;
  ops::scaled_softmax<B>(x, lse, a, y.all());
  out["scaled_softmax"] = y.values();
  ops::scaled_softmax<B>(x, lse, a, x.all());  // y may be x
  out["scaled_softmax in place"] = x.values();
}

struct attention_kind {
  std::string what;
  double cap;
  lancet::attention_mask mask;
};

/// Plain attention, and for one shape windows shorter and longer than a tile, caps, and no mask.
[[nodiscard]] inline std::vector<attention_kind> attention_kinds(bool all) {
  std::vector<attention_kind> out{{"", 0, {}}};
  if (all)
    out.insert(out.end(), {{" window 5", 0, {5, true}},
                           {" window 40", 0, {40, true}},
                           {" cap", 0.7, {}},
                           {" window 9 and cap", 1.2, {9, true}},
                           {" full", 0, {0, false}},
                           {" full and cap", 0.9, {0, false}}});
  return out;
}

/// Segments of several lengths, with and without a prefix, in one call.
template <class B>
void run_attention(operation_results& out) {
  using namespace lancet;
  for (index const d : {6, 16, 40})
    for (index const kv_heads : {1, 2, 4})
      for (auto const& [what, cap, mask] : attention_kinds(d == 16 && kv_heads == 2)) {
        attention_shape const s{4, kv_heads, d, 0.4, cap, mask};
        std::string const name = "attention " + std::to_string(d) + " " + std::to_string(kv_heads) + what;
        struct rows {
          index n, prefix;
        };
        std::vector<rows> const lengths{{1, 0}, {7, 0}, {70, 0}, {3, 5}, {66, 20}};
        std::vector<window<B>> own, before, results;
        std::vector<ops::attention_part<B>> parts;
        std::vector<ops::attention_gradient<B>> gradients;
        std::uint64_t seed = 1;
        for (auto const [n, p] : lengths) {
          own.emplace_back(n, (4 + 2 * kv_heads) * d, seed++);  // q, k, v side by side
          before.emplace_back(p, 2 * kv_heads * d, seed++);
          results.emplace_back(n, 4 * d, seed++);                   // z
          results.emplace_back(n, 4 * d, seed++);                   // gz
          results.emplace_back(n, (4 + 2 * kv_heads) * d, seed++);  // gq, gk, gv
        }
        for (std::size_t i = 0; i < lengths.size(); ++i) {
          view<B> const qkv = own[i].all(), cached = before[i].all(), g = results[3 * i + 2].all();
          index const q = 4 * d, kv = kv_heads * d;
          parts.push_back({qkv.col_range(0, q),
                           {cached.col_range(0, kv), qkv.col_range(q, kv)},
                           {cached.col_range(kv, kv), qkv.col_range(q + kv, kv)},
                           results[3 * i].all()});
          gradients.push_back(
              {results[3 * i + 1].all(), g.col_range(0, q), g.col_range(q, kv), g.col_range(q + kv, kv)});
        }
        ops::attention<B>(s, parts);
        ops::attention_adjoint<B>(s, parts, gradients);
        for (std::size_t i = 0; i < lengths.size(); ++i) {
          out[name + " z " + std::to_string(i)] = results[3 * i].values();
          out[name + " adjoint " + std::to_string(i)] = results[3 * i + 2].values();
          // The same in steps.
          auto const [n, p] = lengths[i];
          window<B> scores(4 * n, p + n, 50), z(n, 4 * d, 51), gp(4 * n, p + n, 52),
              g(n, (4 + 2 * kv_heads) * d, 53);
          ops::attention_scores<B>(s, parts[i].q, parts[i].keys, scores.all());
          out[name + " scores " + std::to_string(i)] = scores.values();
          ops::masked_softmax<B>(s.mask, n, scores, scores.all());
          out[name + " pattern " + std::to_string(i)] = scores.values();
          ops::attention_mix<B>(s, scores, parts[i].values, z.all());
          out[name + " mix " + std::to_string(i)] = z.values();
          index const q = 4 * d, kv = kv_heads * d;
          ops::attention_mix_adjoint<B>(s, gradients[i].gz, scores, parts[i].values, gp.all(),
                                        g.all().col_range(q + kv, kv));
          ops::softmax_adjoint<B>(scores, gp.all());
          ops::attention_scores_adjoint<B>(s, gp, parts[i].q, parts[i].keys, g.all().col_range(0, q),
                                           g.all().col_range(q, kv));
          out[name + " steps adjoint " + std::to_string(i)] = g.values();
        }
      }
}

/// One head of `d` columns: a few rows behind a prefix.
template <class B>
[[nodiscard]] operation_results run_wide_head(lancet::index d) {
  using namespace lancet;
  attention_shape const s{1, 1, d, 0.1};
  window<B> own(3, 3 * d, 1), before(2, 2 * d, 2), z(3, d, 3), gz(3, d, 4), g(3, 3 * d, 5);
  std::vector<ops::attention_part<B>> const parts{
      {own.all().col_range(0, d),
       {before.all().col_range(0, d), own.all().col_range(d, d)},
       {before.all().col_range(d, d), own.all().col_range(2 * d, d)},
       z.all()}};
  std::vector<ops::attention_gradient<B>> const gradients{
      {gz.all(), g.all().col_range(0, d), g.all().col_range(d, d), g.all().col_range(2 * d, d)}};
  ops::attention<B>(s, parts);
  ops::attention_adjoint<B>(s, parts, gradients);
  std::string const name = "a head of " + std::to_string(d);
  return {{name, z.values()}, {name + " adjoint", g.values()}};
}

template <class B>
[[nodiscard]] operation_results run_every_operation() {
  operation_results out;
  run_elementwise<B>(out);
  run_products<B>(out);
  run_norms<B>(out);
  run_rows<B>(out);
  run_attention<B>(out);
  return out;
}

}  // namespace lancet_test
