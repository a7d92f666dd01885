// SPDX-License-Identifier: Apache-2.0
// Fused attention of ragged segments: tiles of queries against tiles of keys, no scores in memory.
//
// Online softmax (Milakov and Gimelshein 2018; Dao et al. 2022). A block is one tile of S queries of one head
// of one segment. Tiles of keys are counted from the prefix' first key, so that a row's result does not
// depend on where the prefix ends. What a row sums in tiles before its window fades to exactly 0 at the first
// key that it sees. Notation as in ops/attention.hpp.
#pragma once

#include <cmath>

#include "lancet/backend/device/block.hpp"
#include "lancet/ops/attention_shape.hpp"

namespace lancet::device::kernel {

/// Keys (or values) of one segment on the device: rows of a prefix, then its own.
template <class T>
struct key_rows {
  matrix<T const> prefix;  // [P, G·d]
  matrix<T const> own;     // [n, G·d]

  LANCET_DEVICE index count() const { return prefix.rows + own.rows; }
  LANCET_DEVICE T const* row(index j) const {
    return j < prefix.rows ? prefix.row(j) : own.row(j - prefix.rows);
  }
};

template <class T>
struct attention_part {
  matrix<T const> q;  // [n, H·d]
  key_rows<T> keys, values;
  matrix<T> z;           // [n, H·d]
  matrix<T const> gz;    // [n, H·d]; this and what follows: of the adjoint
  matrix<T> gq, gk, gv;  // [n, H·d], [n, G·d], [n, G·d]
  index first_tile;      ///< tiles of the parts before this one
  index first_row;       ///< rows of the parts before this one
};

/// What the kernels of attention have in common.
template <class T>
struct attention_arguments {
  attention_part<T> const* parts;
  int count;
  int heads, group, head_dim;
  T scale, cap;
  attention_mask mask;

  /// Keys that rows [first, first + rows) of a part see, from a whole tile of S keys on.
  template <int S>
  LANCET_DEVICE key_range seen(attention_part<T> const& part, index first, index rows) const {
    index const before = part.keys.prefix.rows, all = part.keys.count();
    return {mask.seen(before + first, all).first / S * S, mask.seen(before + first + rows - 1, all).last};
  }
  /// The part to which a tile belongs.
  LANCET_DEVICE attention_part<T> const& part_of(index tile) const {
    int low = 0, high = count;
    while (high - low > 1) {
      int const middle = (low + high) / 2;
      if (parts[middle].first_tile <= tile)
        low = middle;
      else
        high = middle;
    }
    return parts[low];
  }
};

/// How a block shares a tile of head sizes up to D: rows of S, lanes of a row.
template <class T, int D>
struct attention_tile {
  static constexpr int S = (D < 64 ? 32 : 2048 / D) * 4 / static_cast<int>(sizeof(T));
  static constexpr int threads = S * S < 128 ? S * S : 128;
  static constexpr int lanes = threads / S;  ///< threads that share a row: a power of two, of one warp
  static constexpr int columns = D / lanes;  ///< of D, a thread
  static constexpr int keys = S / lanes;     ///< of a tile, a thread
  static_assert(threads % warp_size == 0 && lanes <= warp_size && D % lanes == 0 && S % lanes == 0);

  using rows = T[S][D + 1];  // one more: threads that read one column of several rows meet no bank twice

  /// to[r][c] = factor·row(r)[c], 0 past `count` rows or `d` columns, by all threads.
  template <class Block, class Row>
  LANCET_DEVICE static void load(Block& block, rows& to, index count, int d, T factor, Row row) {
    for (int e = block.thread(); e < S * D; e += threads) {
      int const r = e / D, c = e % D;
      to[r][c] = r < count && c < d ? factor * row(r)[c] : T(0);
    }
  }
  LANCET_DEVICE static T dot(T const* a, T const* b) {
    T sum = 0;
    for (int c = 0; c < D; ++c) sum += a[c] * b[c];
    return sum;
  }
  /// combine over the lanes of this thread's row.
  template <class Block, class Combine>
  LANCET_DEVICE static T over_lanes(Block& block, T value, Combine combine) {
    for (int m = lanes / 2; m > 0; m /= 2) value = combine(value, block.shuffle_xor(value, m));
    return value;
  }
};

/// z = softmax(scale·Q·Kᵀ)·V: blocks = tiles·H.
template <class T, int D>
struct attention : attention_arguments<T> {
  using tile = attention_tile<T, D>;
  static constexpr int threads = tile::threads, S = tile::S, lanes = tile::lanes;

  struct memory {
    typename tile::rows q, k, v;
    T p[S][S + 1];
  };

  template <class Block>
  LANCET_DEVICE void operator()(Block& block) const {
    auto& m = block.template shared<memory>();
    int const head = static_cast<int>(block.number() % this->heads), d = this->head_dim;
    index const number = block.number() / this->heads, kv = head / this->group * d;
    attention_part<T> const& part = this->part_of(number);
    index const first = (number - part.first_tile) * S, left = part.q.rows - first;
    index const before = part.keys.prefix.rows + first;  // the sequence's position of the tile's first row
    tile::load(block, m.q, left, d, this->scale, [&](int r) { return part.q.row(first + r) + head * d; });

    int const r = block.thread() / lanes, lane = block.thread() % lanes;
    T top = lowest<T>, sum = 0, z[tile::columns] = {};
    auto const [from, seen] = this->template seen<S>(part, first, left < S ? left : S);
    for (index base = from; base < seen; base += S) {
      block.sync();
      tile::load(block, m.k, seen - base, d, T(1), [&](int j) { return part.keys.row(base + j) + kv; });
      tile::load(block, m.v, seen - base, d, T(1), [&](int j) { return part.values.row(base + j) + kv; });
      block.sync();

      T s[tile::keys], highest = top;
      for (int x = 0; x < tile::keys; ++x) {
        int const j = lane + x * lanes;
        s[x] = base + j < seen && this->mask.sees(before + r, base + j)
                   ? ops::cap_score(tile::dot(m.q[r], m.k[j]), this->cap).value
                   : lowest<T>;
        highest = larger{}(highest, s[x]);
      }
      highest = tile::over_lanes(block, highest, larger{});
      T const fading = std::exp(top - highest);
      T part_sum = 0;
      for (int x = 0; x < tile::keys; ++x) part_sum += s[x] = std::exp(s[x] - highest);
      sum = sum * fading + tile::over_lanes(block, part_sum, plus{});
      top = highest;

      for (int x = 0; x < tile::keys; ++x) m.p[r][lane + x * lanes] = s[x];
      block.sync();
      for (int c = 0; c < tile::columns; ++c) z[c] *= fading;
      for (int j = 0; j < S; ++j)
        for (int c = 0; c < tile::columns; ++c) z[c] += m.p[r][j] * m.v[j][lane + c * lanes];
    }
    for (int c = 0; c < tile::columns; ++c)
      if (int const column = lane + c * lanes; r < left && column < d)
        part.z(first + r, head * d + column) = z[c] / sum;
  }
};

}  // namespace lancet::device::kernel
