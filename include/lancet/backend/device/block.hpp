// SPDX-License-Identifier: Apache-2.0
// What a kernel is written against: a block of threads that work together.
//
// A kernel is a struct of its arguments with
//   template <class Block> LANCET_DEVICE void operator()(Block& block) const;
// which every thread of every block runs. A Block has
//   thread(), threads()     this thread's number in its block, and how many there are: a multiple of 32;
//   number(), blocks()      this block's number in the grid, and how many there are;
//   sync()                  waits until every thread of the block is here, and makes their writes seen;
//   shuffle_xor(value, m)   the value of the thread whose number differs by the bits m < 32: all 32 threads
//   of
//                           a warp must take part;
//   shared<S>()             the block's one S, a struct of plain arrays whose elements are undefined at
//   first.
// Under nvcc a Block is the GPU's own (cuda.cuh); `emulator.hpp` runs the same text on the host.
// A kernel whose threads do not talk to each other says `static constexpr bool independent = true`; one that
// is written for a certain number of threads, `static constexpr int threads`.
#pragma once

#include <cstdint>
#include <limits>

#include "lancet/backend/device/matrix.hpp"
#include "lancet/core/device.hpp"

namespace lancet::device {

inline constexpr int warp_size = 32;

/// True of kernels whose threads do not talk to each other.
template <class Kernel>
inline constexpr bool is_independent = requires {
  requires Kernel::independent;
};

/// Below every number.
template <class T>
inline constexpr T lowest = std::numeric_limits<T>::lowest();

/// One value a warp.
template <class T>
struct per_warp {
  T values[32];
};

/// combine(…combine(v₀, v₁)…) of every thread's value, for every thread; in an order that depends on the
/// number of threads alone. `scratch` may be used again after it.
template <class Block, class T, class Combine>
LANCET_DEVICE T reduce(Block& block, T value, per_warp<T>& scratch, Combine combine) {
  for (int d = warp_size / 2; d > 0; d /= 2) value = combine(value, block.shuffle_xor(value, d));
  if (block.thread() % warp_size == 0) scratch.values[block.thread() / warp_size] = value;
  block.sync();
  value = scratch.values[0];
  for (int w = 1; w < block.threads() / warp_size; ++w) value = combine(value, scratch.values[w]);
  block.sync();
  return value;
}

struct plus {
  template <class T>
  LANCET_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
struct larger {
  template <class T>
  LANCET_DEVICE T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};

}  // namespace lancet::device
