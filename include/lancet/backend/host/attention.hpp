// SPDX-License-Identifier: Apache-2.0
// Fused attention and its adjoint in host memory, on the register tiles of the matrix product.
//
// One task is one key/value head of one segment (and, forward, a block of queries): it packs the keys and
// values that its query heads share, prefix first, and keeps scores of a block only. A row's result is the
// same whether its earlier keys come from a prefix or from the segment itself.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "lancet/backend/gemm/packed.hpp"
#include "lancet/backend/host/vector_math.hpp"
#include "lancet/ops/attention.hpp"

namespace lancet::host {

namespace detail {

/// Scratch memory of one thread: grows, never shrinks, reused by every task.
template <class T>
[[nodiscard]] T* scratch(int slot, index size) {
  thread_local aligned_buffer<T> buffers[9];
  if (buffers[slot].size() < size) buffers[slot] = aligned_buffer<T>(size + size / 2);
  return buffers[slot].data();
}

[[nodiscard]] inline index rounded(index n, index unit) { return (n + unit - 1) / unit * unit; }

/// Packs rows [0, count) of one head as a [count, d] right-hand side (k = row) in panels; returns the panel
/// stride.
template <class T, class Row>
index pack_rows(index count, index d, Row&& row, T* out) {
  index const columns = gemm::kernels<T>().columns, stride = count * columns;
  for (index first = 0; first < d; first += columns, out += stride) {
    index const width = std::min(columns, d - first);
    for (index p = 0; p < count; ++p) {
      T const* source = row(p) + first;
      for (index j = 0; j < columns; ++j) out[p * columns + j] = j < width ? source[j] : T(0);
    }
  }
  return stride;
}

/// Packs rows [0, count) of one head as a [d, count] right-hand side (k = column); returns the panel stride.
template <class T, class Row>
index pack_transposed(index count, index d, Row&& row, T* out) {
  index const columns = gemm::kernels<T>().columns, stride = d * columns;
  for (index first = 0; first < count; first += columns, out += stride)
    for (index j = 0; j < columns; ++j) {
      T const* source = first + j < count ? row(first + j) : nullptr;
      for (index p = 0; p < d; ++p) out[p * columns + j] = source ? source[p] : T(0);
    }
  return stride;
}

/// Softmax of capped(scale·x) over elements [first, last) of `width`, zeros elsewhere, in place. Where there is a
/// cap, `slope` becomes its slope at those elements.
template <class T>
void softmax_row(T* x, key_range const seen, index width, T scale, T cap, T* slope) {
  std::fill(x, x + seen.first, T(0));
  if (cap != 0) {
    for (index j = seen.first; j < seen.last; ++j) {
      auto const c = ops::cap_score(x[j] * scale, cap);
      x[j] = c.value;
      if (slope) slope[j] = c.slope;
    }
    scale = 1;
  }
  T const top = lane_max(seen.last - seen.first, x + seen.first) * scale;  // scale > 0
  for (index j = seen.first; j < seen.last; ++j) x[j] = host::exp(x[j] * scale - top);
  T const inverse = 1 / lane_sum<T>(seen.last, [&](index j) { return x[j]; });
  for (index j = seen.first; j < seen.last; ++j) x[j] *= inverse;
  std::fill(x + seen.last, x + width, T(0));
}

}  // namespace detail

template <class B>
void attention(attention_shape const& s, std::span<ops::attention_part<B> const> parts) {
  using T = typename B::scalar;
  constexpr index block = 64;
  struct task {
    ops::attention_part<B> const* part;
    index kv_head, first, rows;
  };
  thread_local std::vector<task> tasks;
  tasks.clear();
  for (auto const& part : parts)
    for (index g = 0; g < s.kv_heads; ++g)
      for (index i = 0; i < part.q.rows; i += block)
        tasks.push_back({&part, g, i, std::min(block, part.q.rows - i)});

  task const* const list = tasks.data();
  parallel_for(std::ssize(tasks), [&s, list](index number) {
    auto const* const part = list[number].part;
    index const kv_head = list[number].kv_head, first = list[number].first, rows = list[number].rows;
    index const d = s.head_dim, columns = gemm::kernels<T>().columns;
    index const before = part->keys.prefix.rows, all = part->keys.count();
    // No query of the block sees keys before `skipped` or after `skipped + keys`. Whole blocks are skipped, so that
    // sums take the same lanes wherever a segment begins.
    index const skipped = s.mask.seen(before + first, all).first / block * block;
    index const keys = s.mask.seen(before + first + rows - 1, all).last - skipped;
    index const width = detail::rounded(keys, columns);
    T* const packed_keys = detail::scratch<T>(0, width * d);
    T* const packed_values = detail::scratch<T>(1, keys * detail::rounded(d, columns));
    T* const scores = detail::scratch<T>(2, rows * width);  // [rows, width]
    index const offset = kv_head * d;
    index const key_stride = detail::pack_transposed(
        keys, d, [&](index j) { return part->keys.row(skipped + j) + offset; }, packed_keys);
    index const value_stride = detail::pack_rows(
        keys, d, [&](index j) { return part->values.row(skipped + j) + offset; }, packed_values);
    for (index h = kv_head * s.group(); h < (kv_head + 1) * s.group(); ++h) {
      gemm::multiply_panels(rows, d, width, part->q.row(first) + h * d, part->q.stride, packed_keys,
                            key_stride, scores, width, false);
      for (index i = 0; i < rows; ++i) {
        key_range const seen = s.mask.seen(before + first + i, all);
        detail::softmax_row<T>(scores + i * width, {seen.first - skipped, seen.last - skipped}, width,
                               static_cast<T>(s.scale), static_cast<T>(s.cap), nullptr);
      }
      gemm::multiply_panels(rows, keys, d, scores, width, packed_values, value_stride,
                            part->z.row(first) + h * d, part->z.stride, false);
    }
  });
}

template <class B>
void attention_adjoint(attention_shape const& s, std::span<ops::attention_part<B> const> parts,
                       std::span<ops::attention_gradient<B> const> gradients) {
  using T = typename B::scalar;
  constexpr index block = 64;
  parallel_for(std::ssize(parts) * s.kv_heads, [&](index number) {
    auto const& part = parts[static_cast<std::size_t>(number / s.kv_heads)];
    auto const& gradient = gradients[static_cast<std::size_t>(number / s.kv_heads)];
    index const d = s.head_dim, columns = gemm::kernels<T>().columns;
    index const before = part.keys.prefix.rows, n = part.q.rows, keys = before + n;
    index const width = detail::rounded(keys, columns), wide_d = detail::rounded(d, columns);
    index const most = std::min(block, n);
    T* const keys_t = detail::scratch<T>(0, width * d);         // [d, keys]
    T* const keys_p = detail::scratch<T>(1, keys * wide_d);     // [keys, d]
    T* const values_t = detail::scratch<T>(2, width * d);       // [d, keys]
    T* const queries_p = detail::scratch<T>(3, most * wide_d);  // [rows, d]
    T* const gz_p = detail::scratch<T>(4, most * wide_d);       // [rows, d]
    T* const p = detail::scratch<T>(5, most * width);           // [rows, keys]
    T* const ds = detail::scratch<T>(6, most * width);          // [rows, keys]
    T* const turned = detail::scratch<T>(7, most * n);          // [own keys, rows]
    T* const slope = detail::scratch<T>(8, width);              // of the cap, one row
    index const kv = number % s.kv_heads * d;
    T const scale = static_cast<T>(s.scale), cap = static_cast<T>(s.cap);
    index const kt = detail::pack_transposed(
        keys, d, [&](index j) { return part.keys.row(j) + kv; }, keys_t);
    index const kp = detail::pack_rows(
        keys, d, [&](index j) { return part.keys.row(j) + kv; }, keys_p);
    index const vt = detail::pack_transposed(
        keys, d, [&](index j) { return part.values.row(j) + kv; }, values_t);
    for (index h = kv / d * s.group(); h < (kv / d + 1) * s.group(); ++h)
      for (index first = 0; first < n; first += block) {
        index const rows = std::min(block, n - first), head = h * d;
        index const seen =
            s.mask.seen(before + first + rows - 1, keys).last;  // the block sees none after these
        index const own = seen - before;
        T const* const q = part.q.row(first) + head;
        T const* const gz = gradient.gz.row(first) + head;
        gemm::multiply_panels(rows, d, width, q, part.q.stride, keys_t, kt, p, width, false);
        gemm::multiply_panels(rows, d, width, gz, gradient.gz.stride, values_t, vt, ds, width, false);
        for (index i = 0; i < rows; ++i) {
          T* const pi = p + i * width;
          T* const di = ds + i * width;
          key_range const visible = s.mask.seen(before + first + i, keys);
          detail::softmax_row(pi, visible, width, scale, cap, slope);
          T const dot = lane_sum<T>(seen, [&](index j) { return pi[j] * di[j]; });
          for (index j = 0; j < seen; ++j) di[j] = scale * pi[j] * (di[j] - dot);
          if (cap != 0)
            for (index j = visible.first; j < visible.last; ++j) di[j] *= slope[j];
        }
        gemm::multiply_panels(rows, seen, d, ds, width, keys_p, kp, gradient.gq.row(first) + head,
                              gradient.gq.stride, true);
        auto const transpose_own = [&](T const* x) {
          for (index j = 0; j < own; ++j)
            for (index i = 0; i < rows; ++i) turned[j * rows + i] = x[i * width + before + j];
        };
        index const qp = detail::pack_rows(
            rows, d, [&](index i) { return q + i * part.q.stride; }, queries_p);
        transpose_own(ds);
        gemm::multiply_panels(own, rows, d, turned, rows, queries_p, qp, gradient.gk.data + kv,
                              gradient.gk.stride, true);
        index const gp = detail::pack_rows(
            rows, d, [&](index i) { return gz + i * gradient.gz.stride; }, gz_p);
        transpose_own(p);
        gemm::multiply_panels(own, rows, d, turned, rows, gz_p, gp, gradient.gv.data + kv, gradient.gv.stride,
                              true);
      }
  });
}

}  // namespace lancet::host
