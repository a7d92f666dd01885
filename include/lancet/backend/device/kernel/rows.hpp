// SPDX-License-Identifier: Apache-2.0
// Kernels of one block a row: sums along the row by all threads together.
#pragma once

#include <cmath>

#include "lancet/backend/device/block.hpp"
#include "lancet/ops/attention_shape.hpp"

namespace lancet::device::kernel {

/// This thread's share of Σ_j f(j), j < cols; then the whole sum, for every thread.
template <class Block, class T, class F>
LANCET_DEVICE T row_sum(Block& block, per_warp<T>& scratch, index cols, F f) {
  T sum = 0;
  for (index j = block.thread(); j < cols; j += block.threads()) sum += f(j);
  return reduce(block, sum, scratch, plus{});
}

/// mean and s = √(mean((x − mean)²) + ε) of each row; mean = 0 unless `centred`.
template <class T>
struct norm_scale {
  bool centred;
  matrix<T const> x;
  T epsilon;
  matrix<T> mean, s;  // [R, 1]

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const i = block.number();
    T const n = static_cast<T>(x.cols);
    auto& scratch = block.template shared<per_warp<T>>();
    T mu = 0;
    if (centred) mu = row_sum<Block, T>(block, scratch, x.cols, [&](index j) { return x(i, j); }) / n;
    T const squares =
        row_sum<Block, T>(block, scratch, x.cols, [&](index j) { return (x(i, j) - mu) * (x(i, j) - mu); });
    if (block.thread() == 0) {
      mean(i, 0) = mu;
      s(i, 0) = std::sqrt(squares / n + epsilon);
    }
  }
};

/// gc = gy ∘ w / s and gs = −Σ_j gc·(x − mean) / s.
template <class T>
struct norm_apply_adjoint {
  matrix<T const> gy, x, mean, s, w;
  matrix<T> gc, gs;  // gc may be gy

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const i = block.number();
    T const sum = row_sum<Block, T>(block, block.template shared<per_warp<T>>(), x.cols, [&](index j) {
      T const g = gy(i, j) * w(0, j) / s(i, 0);
      gc(i, j) = g;
      return g * (x(i, j) - mean(i, 0));
    });
    if (block.thread() == 0) gs(i, 0) = -sum / s(i, 0);
  }
};

/// gx += gc + gs·(x − mean)/(D·s), minus its row mean where `centred`.
template <class T>
struct norm_scale_adjoint {
  bool centred;
  matrix<T const> gc, gs, x, mean, s;
  matrix<T> gx;

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const i = block.number();
    T const n = static_cast<T>(x.cols), f = gs(i, 0) / (n * s(i, 0));
    auto const term = [&](index j) { return gc(i, j) + f * (x(i, j) - mean(i, 0)); };
    T shift = 0;
    if (centred) shift = row_sum<Block, T>(block, block.template shared<per_warp<T>>(), x.cols, term) / n;
    for (index j = block.thread(); j < x.cols; j += block.threads()) gx(i, j) += term(j) - shift;
  }
};

/// out[i] = Σ_j x[i, j]·y[i, j].
template <class T>
struct row_dot {
  matrix<T const> x, y;
  matrix<T> out;  // [R, 1]

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const i = block.number();
    T const sum = row_sum<Block, T>(block, block.template shared<per_warp<T>>(), x.cols,
                                    [&](index j) { return x(i, j) * y(i, j); });
    if (block.thread() == 0) out(i, 0) = sum;
  }
};

/// out[i] = log Σ_j exp(x[i, j]); exponentials in T, sums in double.
template <class T>
struct log_sum_exp {
  matrix<T const> x;
  double* out;

  struct scratch {
    per_warp<T> top;
    per_warp<double> sum;
  };
  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const i = block.number();
    auto& memory = block.template shared<scratch>();
    T top = lowest<T>;
    for (index j = block.thread(); j < x.cols; j += block.threads()) top = larger{}(top, x(i, j));
    top = reduce(block, top, memory.top, larger{});
    double const sum = row_sum<Block, double>(
        block, memory.sum, x.cols, [&](index j) { return static_cast<double>(std::exp(x(i, j) - top)); });
    if (block.thread() == 0) out[i] = static_cast<double>(top) + std::log(sum);
  }
};

/// Softmax of each row over what query r % n of the segment sees; 0 elsewhere: scores, pattern [H·n, K], may be
/// one matrix.
template <class T>
struct masked_softmax {
  attention_mask mask;
  index n;
  matrix<T const> scores;
  matrix<T> pattern;

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const r = block.number();
    auto const [first, last] = mask.seen(scores.cols - n + r % n, scores.cols);
    auto& scratch = block.template shared<per_warp<T>>();
    T top = lowest<T>;
    for (index j = first + block.thread(); j < last; j += block.threads()) top = larger{}(top, scores(r, j));
    top = reduce(block, top, scratch, larger{});
    index const from = first;  // a structured binding is not for a lambda
    T const sum = row_sum<Block, T>(block, scratch, last - first,
                                    [&](index j) { return std::exp(scores(r, from + j) - top); });
    for (index j = block.thread(); j < scores.cols; j += block.threads())
      pattern(r, j) = j >= first && j < last ? std::exp(scores(r, j) - top) / sum : T(0);
  }
};

/// g = pattern ∘ (g − ⟨g, pattern⟩), row by row.
template <class T>
struct softmax_adjoint {
  matrix<T const> pattern;
  matrix<T> g;

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    index const r = block.number();
    T const dot = row_sum<Block, T>(block, block.template shared<per_warp<T>>(), g.cols,
                                    [&](index j) { return g(r, j) * pattern(r, j); });
    for (index j = block.thread(); j < g.cols; j += block.threads())
      g(r, j) = pattern(r, j) * (g(r, j) - dot);
  }
};

}  // namespace lancet::device::kernel
