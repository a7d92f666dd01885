// SPDX-License-Identifier: Apache-2.0
// The adjoint of fused attention in two kernels, each writing its own rows alone: queries, then keys and
// values.
//
// With P = softmax(S): dS = P ∘ (gz·Vᵀ − ⟨z, gz⟩), times the slope of the scores' cap; gq = scale·dS·K,
// gk = scale·dSᵀ·Q, gv = Pᵀ·gz. The first kernel leaves each row's log-sum-exp and ⟨z, gz⟩ for the second.
#pragma once

#include "lancet/backend/device/kernel/attention.hpp"

namespace lancet::device::kernel {

/// Of one query and head: log-sum-exp of its scores, and Σ_j P_j·(gz·v_j).
template <class T>
struct query_statistics {
  T log_sum, slope;
};

/// gq +=, and statistics [R, H]: blocks = tiles·H.
template <class T, int D>
struct attention_adjoint_queries : attention_arguments<T> {
  query_statistics<T>* statistics;

  using tile = attention_tile<T, D>;
  static constexpr int threads = tile::threads, S = tile::S, lanes = tile::lanes;

  struct memory {
    typename tile::rows q, gz, k, v;
    T ds[S][S + 1];
  };

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    auto& m = block.template shared<memory>();
    int const head = static_cast<int>(block.number() % this->heads), d = this->head_dim;
    index const number = block.number() / this->heads, kv = head / this->group * d;
    attention_part<T> const& part = this->part_of(number);
    index const first = (number - part.first_tile) * S, left = part.q.rows - first;
    index const before = part.keys.prefix.rows + first;
    key_range const seen = this->template seen<S>(part, first, left < S ? left : S);
    tile::load(block, m.q, left, d, this->scale, [&](int r) { return part.q.row(first + r) + head * d; });
    tile::load(block, m.gz, left, d, T(1), [&](int r) { return part.gz.row(first + r) + head * d; });
    int const r = block.thread() / lanes, lane = block.thread() % lanes;

    /// f(x, capped score, gz·v) of this thread's keys in every tile; `after` when a whole tile is done.
    auto const each_key = [&](auto f, auto after) {
      for (index base = seen.first; base < seen.last; base += S) {
        block.sync();
        tile::load(block, m.k, seen.last - base, d, T(1),
                   [&](int j) { return part.keys.row(base + j) + kv; });
        tile::load(block, m.v, seen.last - base, d, T(1),
                   [&](int j) { return part.values.row(base + j) + kv; });
        block.sync();
        for (int x = 0; x < tile::keys; ++x) {
          int const j = lane + x * lanes;
          bool const visible = base + j < seen.last && this->mask.sees(before + r, base + j);
          f(x,
            visible ? ops::cap_score(tile::dot(m.q[r], m.k[j]), this->cap)
                    : ops::capped_score<T>{lowest<T>, 0},
            visible ? tile::dot(m.gz[r], m.v[j]) : T(0));
        }
        after();
      }
    };

    T top = lowest<T>, sum = 0, slope = 0, s[tile::keys], g[tile::keys];
    each_key([&](int x, ops::capped_score<T> score, T gp) { s[x] = score.value, g[x] = gp; },
             [&] {
               T highest = top, part_sum = 0, part_slope = 0;
               for (int x = 0; x < tile::keys; ++x) highest = larger{}(highest, s[x]);
               highest = tile::over_lanes(block, highest, larger{});
               for (int x = 0; x < tile::keys; ++x) {
                 T const p = std::exp(s[x] - highest);
                 part_sum += p, part_slope += p * g[x];
               }
               T const fading = std::exp(top - highest);
               sum = sum * fading + tile::over_lanes(block, part_sum, plus{});
               slope = slope * fading + tile::over_lanes(block, part_slope, plus{});
               top = highest;
             });
    T const log_sum = top + std::log(sum);
    slope /= sum;

    T gq[tile::columns] = {};
    each_key([&](int x, ops::capped_score<T> score,
                 T gp) { s[x] = std::exp(score.value - log_sum) * (gp - slope) * score.slope; },
             [&] {
               for (int x = 0; x < tile::keys; ++x) m.ds[r][lane + x * lanes] = s[x];
               block.sync();
               for (int j = 0; j < S; ++j)
                 for (int c = 0; c < tile::columns; ++c) gq[c] += m.ds[r][j] * m.k[j][lane + c * lanes];
             });
    if (r >= left) return;
    if (lane == 0) statistics[(part.first_row + first + r) * this->heads + head] = {log_sum, slope};
    for (int c = 0; c < tile::columns; ++c)
      if (int const column = lane + c * lanes; column < d)
        part.gq(first + r, head * d + column) += this->scale * gq[c];
  }
};

/// gk += and gv += for the segments' own keys and values: blocks = tiles·G.
template <class T, int D>
struct attention_adjoint_keys : attention_arguments<T> {
  query_statistics<T> const* statistics;

  using tile = attention_tile<T, D>;
  static constexpr int threads = tile::threads, S = tile::S, lanes = tile::lanes;

  struct memory {
    typename tile::rows k, v, q, gz;
    T p[S][S + 1], ds[S][S + 1];
  };

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    auto& m = block.template shared<memory>();
    int const kv_heads = this->heads / this->group, kv_head = static_cast<int>(block.number() % kv_heads),
              d = this->head_dim;
    index const number = block.number() / kv_heads, kv = kv_head * d;
    attention_part<T> const& part = this->part_of(number);
    index const n = part.q.rows, base = (number - part.first_tile) * S;  // own keys base, base + 1, …
    tile::load(block, m.k, n - base, d, T(1), [&](int j) { return part.keys.own.row(base + j) + kv; });
    tile::load(block, m.v, n - base, d, T(1), [&](int j) { return part.values.own.row(base + j) + kv; });

    // Queries that see these keys: under a causal mask none before them, and none a window after the last.
    index const past = base + S - 1 + this->mask.window;
    key_range const queries{this->mask.causal ? base : 0, this->mask.window > 0 && past < n ? past : n};
    int const r = block.thread() / lanes, lane = block.thread() % lanes;  // r: the key
    T gk[tile::columns] = {}, gv[tile::columns] = {};
    for (int head = kv_head * this->group; head < (kv_head + 1) * this->group; ++head)
      for (index first = queries.first; first < queries.last; first += S) {
        block.sync();
        tile::load(block, m.q, n - first, d, this->scale,
                   [&](int i) { return part.q.row(first + i) + head * d; });
        tile::load(block, m.gz, n - first, d, T(1), [&](int i) { return part.gz.row(first + i) + head * d; });
        block.sync();
        T p[tile::keys], ds[tile::keys];
        for (int x = 0; x < tile::keys; ++x) {
          index const i = first + lane + x * lanes;
          p[x] = ds[x] = 0;
          if (i >= n || !this->mask.sees(i, base + r)) continue;
          query_statistics<T> const of = statistics[(part.first_row + i) * this->heads + head];
          auto const score = ops::cap_score(tile::dot(m.q[i - first], m.k[r]), this->cap);
          p[x] = std::exp(score.value - of.log_sum);
          ds[x] = p[x] * (tile::dot(m.gz[i - first], m.v[r]) - of.slope) * score.slope;
        }
        for (int x = 0; x < tile::keys; ++x)
          m.p[r][lane + x * lanes] = p[x], m.ds[r][lane + x * lanes] = ds[x];
        block.sync();
        for (int i = 0; i < S; ++i)
          for (int c = 0; c < tile::columns; ++c) {
            gv[c] += m.p[r][i] * m.gz[i][lane + c * lanes];
            gk[c] += m.ds[r][i] * m.q[i][lane + c * lanes];  // q is scaled already
          }
      }
    for (int c = 0; c < tile::columns; ++c)
      if (int const column = lane + c * lanes; base + r < n && column < d) {
        part.gk(base + r, kv + column) += gk[c];
        part.gv(base + r, kv + column) += gv[c];
      }
  }
};

}  // namespace lancet::device::kernel
