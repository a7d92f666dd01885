// SPDX-License-Identifier: Apache-2.0
// Every operation by backend, on 128 rows of SmolLM2-135M's sizes: products and attention as a share of the
// peak, the others of the bandwidth of memory as large as their operands.
#include <functional>
#include <memory>
#include <numeric>

#include "lancet/ops/activation.hpp"
#include "lancet/ops/attention.hpp"
#include "lancet/ops/norm.hpp"
#include "lancet/ops/rope.hpp"
#include "lancet/ops/softmax.hpp"
#include "support/figures.hpp"
#include "support/numbers.hpp"

namespace lancet_bench {
namespace {

using namespace lancet;
using lancet::index;

constexpr index rows = 128, width = 576, mlp_width = 1536, vocabulary = 49152, heads = 9, kv_heads = 3,
                head_dim = 64;
constexpr index query = heads * head_dim, key = kv_heads * head_dim;

/// Registers `make()`, which prepares its operands when the benchmark runs and returns what is timed.
/// `elements` are read and written by one call, which does `operations` on them if those are what limits it.
template <class B, class Make>
void add_op(std::string const& name, index elements, Make make, index operations = 0) {
  auto const run = [make, elements, operations](benchmark::State& state) {
    auto once = make();
    measure<B>(state, once);
    if (operations > 0)
      count_operations<B>(state, static_cast<double>(operations));
    else
      count_bytes<B>(state, elements * static_cast<index>(sizeof(typename B::scalar)));
  };
  add<B>("ops/" + name, run)->Unit(benchmark::kMicrosecond);
}

template <class B>
[[nodiscard]] tensor<B> numbers(index r, index c) {
  return random_tensor<B>(r, c, "numbers " + std::to_string(r) + " " + std::to_string(c));
}

template <class B>
void add_basic() {
  index const size = rows * width;
  add_op<B>("copy", 2 * size, [] {
    return [x = numbers<B>(rows, width), y = numbers<B>(rows, width)]() mutable { ops::copy<B>(x, y.all()); };
  });
  add_op<B>("fill", size,
            [] { return [y = numbers<B>(rows, width)]() mutable { ops::fill<B>(y.all(), 1); }; });
  add_op<B>("scale", 2 * size,
            [] { return [y = numbers<B>(rows, width)]() mutable { ops::scale<B>(1, y.all()); }; });
  add_op<B>("axpy", 3 * size, [] {
    return
        [x = numbers<B>(rows, width), y = numbers<B>(rows, width)]() mutable { ops::axpy<B>(0, x, y.all()); };
  });
  add_op<B>("row_dot", 2 * size, [] {
    return [x = numbers<B>(rows, width), y = numbers<B>(rows, width), d = numbers<B>(rows, 1)]() mutable {
      ops::row_dot<B>(x, y, d.all());
    };
  });
  add_op<B>("scale_columns", 2 * size, [] {
    return [s = random_tensor<B>(1, width, "ones", 0, 1), y = numbers<B>(rows, width)]() mutable {
      ops::scale_columns<B>(s, y.all());
    };
  });
  add_op<B>("add_row_vector", 2 * size, [] {
    return [v = numbers<B>(1, width), y = numbers<B>(rows, width)]() mutable {
      ops::add_row_vector<B>(0, v, y.all());
    };
  });
  add_op<B>("column_sum", size, [] {
    return [x = numbers<B>(rows, width), s = numbers<B>(1, width)]() mutable {
      ops::column_sum<B>(0, x, s.all());
    };
  });
  auto const reversed = [] {
    std::vector<index> out(rows);
    std::iota(out.rbegin(), out.rend(), index{0});
    return out;
  };
  add_op<B>("gather_rows", 2 * size, [reversed] {
    return [x = numbers<B>(rows, width), y = numbers<B>(rows, width), r = reversed()]() mutable {
      ops::gather_rows<B>(x, r, y.all());
    };
  });
  add_op<B>("scatter_add_rows", 3 * size, [reversed] {
    return [x = random_tensor<B>(rows, width, "zeros", 0), y = numbers<B>(rows, width),
            r = reversed()]() mutable { ops::scatter_add_rows<B>(x, r, y.all()); };
  });
  using enum ops::transpose;
  auto const add_product = [](char const* name, ops::transpose ta, ops::transpose tb) {
    add_op<B>(
        name, 3 * rows * rows,
        [ta, tb] {
          return [ta, tb, a = numbers<B>(rows, rows), b = numbers<B>(rows, rows),
                  c = numbers<B>(rows, rows)]() mutable { ops::matmul<B>(a, ta, b, tb, c.all()); };
        },
        2 * rows * rows * rows);
  };
  add_product("matmul", no, no);
  add_product("matmul_bt", no, yes);
  add_product("matmul_at", yes, no);
}

template <class B>
void add_rows() {
  index const size = rows * width;
  add_op<B>("norm_scale", size, [] {
    return [x = numbers<B>(rows, width), mean = numbers<B>(rows, 1), s = numbers<B>(rows, 1)]() mutable {
      ops::norm_scale<B>(norm_kind::rms, x, 1e-5, mean.all(), s.all());
    };
  });
  add_op<B>("norm_apply", 2 * size, [] {
    return [x = numbers<B>(rows, width), mean = numbers<B>(rows, 1),
            s = random_tensor<B>(rows, 1, "ones", 0, 1), w = numbers<B>(1, width),
            y = numbers<B>(rows, width)]() mutable { ops::norm_apply<B>(x, mean, s, w, {}, y.all()); };
  });
  add_op<B>("norm_apply_adjoint", 3 * size, [] {
    return [gy = numbers<B>(rows, width), x = numbers<B>(rows, width), mean = numbers<B>(rows, 1),
            s = random_tensor<B>(rows, 1, "ones", 0, 1), w = numbers<B>(1, width),
            gc = numbers<B>(rows, width), gs = numbers<B>(rows, 1)]() mutable {
      ops::norm_apply_adjoint<B>(gy, x, mean, s, w, gc.all(), gs.all());
    };
  });
  add_op<B>("norm_scale_adjoint", 4 * size, [] {
    return [gc = random_tensor<B>(rows, width, "zeros", 0), gs = random_tensor<B>(rows, 1, "zeros", 0),
            x = numbers<B>(rows, width), mean = numbers<B>(rows, 1),
            s = random_tensor<B>(rows, 1, "ones", 0, 1), gx = numbers<B>(rows, width)]() mutable {
      ops::norm_scale_adjoint<B>(norm_kind::rms, gc, gs, x, mean, s, gx.all());
    };
  });
  add_op<B>("rope", 2 * rows * (query + key), [] {
    rope_table<B> table;
    segment const all{0, rows, 0, -1};
    table.build(std::span(&all, 1), {.dims = head_dim});
    return [table = std::make_shared<rope_table<B>>(std::move(table)),
            x = numbers<B>(rows, query + key)]() mutable {
      ops::rope<B>(*table, ops::turn::forward, head_dim, x.all());
    };
  });
  add_op<B>("activation", 3 * rows * mlp_width, [] {
    return [x = numbers<B>(rows, mlp_width), up = numbers<B>(rows, mlp_width),
            y = numbers<B>(rows, mlp_width)]() mutable {
      ops::activation<B>(activation_kind::silu, x, up, y.all());
    };
  });
  add_op<B>("activation_adjoint", 5 * rows * mlp_width, [] {
    return
        [gy = numbers<B>(rows, mlp_width), x = numbers<B>(rows, mlp_width), up = numbers<B>(rows, mlp_width),
         gx = numbers<B>(rows, mlp_width), gup = numbers<B>(rows, mlp_width)]() mutable {
          ops::activation_adjoint<B>(activation_kind::silu, gy, x, up, gx.all(), gup.all());
        };
  });
  add_op<B>("log_sum_exp", rows * vocabulary, [] {
    return [x = numbers<B>(rows, vocabulary), out = std::vector<double>(rows)]() mutable {
      ops::log_sum_exp<B>(x, out);
    };
  });
  add_op<B>("scaled_softmax", 2 * rows * vocabulary, [] {
    return [x = numbers<B>(rows, vocabulary), y = numbers<B>(rows, vocabulary),
            lse = std::vector<double>(rows, 11.0),
            a = std::vector<double>(rows, 1.0)]() mutable { ops::scaled_softmax<B>(x, lse, a, y.all()); };
  });
}

/// Operands of attention over one segment of 128 rows.
template <class B>
struct attention_operands {
  attention_shape shape{heads, kv_heads, head_dim, 0.125};
  tensor<B> qkv = numbers<B>(rows, query + 2 * key), z = numbers<B>(rows, query),
            gz = numbers<B>(rows, query), g = random_tensor<B>(rows, query + 2 * key, "zeros", 0),
            pattern = numbers<B>(heads * rows, rows), gp = numbers<B>(heads * rows, rows);
  key_rows<B> keys{{}, qkv.all().col_range(query, key)}, values{{}, qkv.all().col_range(query + key, key)};
  const_view<B> q = qkv.all().col_range(0, query);
  view<B> gq = g.all().col_range(0, query), gk = g.all().col_range(query, key),
          gv = g.all().col_range(query + key, key);
};

template <class B>
void add_attention() {
  using operands = attention_operands<B>;
  auto const add_one = [](char const* name, index elements, auto call, index operations = 0) {
    add_op<B>(
        name, elements, [call] { return [call, o = std::make_shared<operands>()] { call(*o); }; },
        operations);
  };
  index const inputs = rows * (query + 2 * key), scores = heads * rows * rows;
  index const product =
      2 * scores * head_dim;  // of all queries with all keys; fused, half of them are masked
  add_one(
      "attention", inputs + rows * query,
      [](operands& o) {
        ops::attention_part<B> const part{o.q, o.keys, o.values, o.z};
        ops::attention<B>(o.shape, std::span(&part, 1));
      },
      2 * product / 2);
  add_one(
      "attention_adjoint", 2 * (inputs + rows * query),
      [](operands& o) {
        ops::attention_part<B> const part{o.q, o.keys, o.values, o.z};
        ops::attention_gradient<B> const gradient{o.gz, o.gq, o.gk, o.gv};
        ops::attention_adjoint<B>(o.shape, std::span(&part, 1), std::span(&gradient, 1));
      },
      5 * product / 2);
  add_one(
      "attention_scores", inputs + scores,
      [](operands& o) { ops::attention_scores<B>(o.shape, o.q, o.keys, o.pattern.all()); }, product);
  add_one("masked_softmax", 2 * scores,
          [](operands& o) { ops::masked_softmax<B>({}, rows, o.gp, o.pattern.all()); });
  add_one(
      "attention_mix", inputs + scores,
      [](operands& o) { ops::attention_mix<B>(o.shape, o.pattern, o.values, o.z.all()); }, product);
  add_one(
      "attention_mix_adjoint", inputs + 2 * scores,
      [](operands& o) {
        ops::attention_mix_adjoint<B>(o.shape, o.gz, o.pattern, o.values, o.gp.all(), o.gv);
      },
      2 * product);
  add_one(
      "attention_scores_adjoint", 2 * inputs + scores,
      [](operands& o) { ops::attention_scores_adjoint<B>(o.shape, o.gp, o.q, o.keys, o.gq, o.gk); },
      2 * product);
}

template <class B>
void add_all() {
  add_basic<B>();
  add_rows<B>();
  add_attention<B>();
}

bool const registered = [] {
  with_specification([]<class B>() { add_all<B>(); });
  for_each_backend([]<class B>() { add_all<B>(); });
  return true;
}();

}  // namespace
}  // namespace lancet_bench
