// SPDX-License-Identifier: Apache-2.0
// Matrix product with a right-hand side packed once: C[m, n] (+)= A[m, k] · B[k, n].
//
// Weights do not change during analysis, so they are laid out once in panels of the register tile's width and
// every later product streams them. Loops around the tile follow Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication" (2008). A is packed only where its rows would push each other out of the
// cache: elsewhere they are short and stay.
#pragma once

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <vector>

#include "lancet/backend/gemm/microkernel.hpp"
#include "lancet/core/aligned.hpp"
#include "lancet/core/executor.hpp"

namespace lancet::gemm {

/// Where element (p, j) of a logical [k, n] matrix lies: data[p * k_stride + j * n_stride].
template <class T>
struct strided {
  T const* data;
  index k_stride;
  index n_stride;
};

/// A [k, n] matrix of T in panels of `columns` columns, each panel [k, columns] row-major and padded with zeros; kept as
/// `Stored`, which rounds from T and converts to it (bfloat16: half the memory).
template <class T, class Stored = T>
class packed_matrix {
 public:
  packed_matrix() = default;
  packed_matrix(index k, index n, strided<T> source) : packed_matrix(k, n) {
    parallel_for(panels(), [&](index panel) {
      index const first = panel * columns_;
      index const count = std::min(columns_, n_ - first);
      Stored* out = data_.data() + panel * k_ * columns_;
      if (count < columns_) std::fill_n(out, k_ * columns_, Stored{});
      if (source.n_stride == 1) {
        for (index p = 0; p < k_; ++p)
          for (index j = 0; j < count; ++j)
            out[p * columns_ + j] = stored(source.data[p * source.k_stride + first + j]);
      } else {
        for (index j = 0; j < count; ++j)
          for (index p = 0; p < k_; ++p)
            out[p * columns_ + j] = stored(source.data[p * source.k_stride + (first + j) * source.n_stride]);
      }
    });
  }

  /// From rows of Bᵀ [n, k], a panel at a time: rows(first, count, to) writes [count, k].
  template <class Rows>
  requires std::invocable<Rows const&, index, index, T*> packed_matrix(index k, index n, Rows const& rows)
      : packed_matrix(k, n) {
    parallel_for(panels(), [&](index panel) {
      index const first = panel * columns_, count = std::min(columns_, n_ - first);
      thread_local std::vector<T> buffer;
      buffer.assign(static_cast<std::size_t>(columns_ * k_), T(0));
      rows(first, count, buffer.data());
      Stored* out = data_.data() + panel * k_ * columns_;
      for (index p = 0; p < k_; ++p)
        for (index j = 0; j < columns_; ++j) *out++ = stored(buffer[static_cast<std::size_t>(j * k_ + p)]);
    });
  }

  [[nodiscard]] index k() const { return k_; }
  [[nodiscard]] index n() const { return n_; }
  [[nodiscard]] index columns() const { return columns_; }
  [[nodiscard]] index panels() const { return (n_ + columns_ - 1) / columns_; }
  [[nodiscard]] Stored const* panel(index i) const { return data_.data() + i * k_ * columns_; }
  [[nodiscard]] index bytes() const { return data_.size() * static_cast<index>(sizeof(Stored)); }
  [[nodiscard]] T operator()(index p, index j) const {
    return T(data_.data()[(j / columns_) * k_ * columns_ + p * columns_ + j % columns_]);
  }

 private:
  [[nodiscard]] static Stored stored(T x) {
    if constexpr (std::is_same_v<T, Stored>)
      return x;
    else
      return Stored::round(x);
  }
  packed_matrix(index k, index n)
      : k_(k),
        n_(n),
        columns_(kernels<T>().columns),
        data_(panels() * k * columns_, typename aligned_buffer<Stored>::uninitialized{}) {}

  index k_ = 0;
  index n_ = 0;
  index columns_ = 1;
  aligned_buffer<Stored> data_;
};

/// c[m, n] (+)= a[m, k] · panels, on the calling thread: `panels` holds ⌈n / columns⌉ panels `panel_stride`
/// apart. Rows go through the register tile in even strips, so that no strip is much shorter than the others.
template <class T>
void multiply_panels(index m, index k, index n, T const* a, index lda, T const* panels, index panel_stride,
                     T* c, index ldc, bool accumulate) {
  kernel_set<T> const& set = kernels<T>();
  index const columns = set.columns;
  index const strips = (m + set.rows - 1) / set.rows;
  alignas(64) T edge[kernel_set<T>::most_rows * kernel_set<T>::most_columns];
  for (index column = 0; column < n; column += columns, panels += panel_stride) {
    index const width = std::min(columns, n - column);
    for (index strip = 0, row = 0; strip < strips; ++strip) {
      index const rows = (m - row + strips - strip - 1) / (strips - strip);
      T* out = c + row * ldc + column;
      if (width == columns) {
        set.tiles[rows](k, a + row * lda, lda, panels, out, ldc, accumulate);
      } else {
        set.tiles[rows](k, a + row * lda, lda, panels, edge, columns, false);
        for (index i = 0; i < rows; ++i)
          for (index j = 0; j < width; ++j)
            out[i * ldc + j] = accumulate ? out[i * ldc + j] + edge[i * columns + j] : edge[i * columns + j];
      }
      row += rows;
    }
  }
}

/// Whether rows `lda` elements apart share the sets of a cache of the usual 4 KiB a way: more of them than it has
/// ways (8 or 12) evict each other while a tile reads them side by side.
template <class T>
[[nodiscard]] constexpr bool rows_collide(index rows, index lda) {
  return rows > 8 && lda * static_cast<index>(sizeof(T)) % 4096 == 0;
}

/// c[m, n] = (accumulate ? c : bias or 0) + a[m, k] · b. `bias` [n] may be null and is ignored with
/// `accumulate`. Every element is summed over k in order, in blocks of `k_block`: bit-equal for any m, tiling
/// and thread count.
template <class T, class Stored>
void multiply(index m, T const* a, index lda, packed_matrix<T, Stored> const& b, T* c, index ldc,
              bool accumulate, T const* bias = nullptr) {
  constexpr index k_block = 512;
  constexpr index tile_rows = 112;
  constexpr index copy_stride =
      k_block + 64 / static_cast<index>(sizeof(T));  // a line more: rows in different sets
  index const k = b.k(), n = b.n(), columns = b.columns(), panels = b.panels();
  if (m == 0 || n == 0) return;

  // Enough tiles for several threads to end together, all of one size, and few enough to reuse A.
  index const row_tiles = (m + tile_rows - 1) / tile_rows;
  index const wanted = std::max((15 + row_tiles) / row_tiles, (panels + 15) / 16);
  index const column_tiles = std::min(panels, wanted);

  parallel_for(row_tiles * column_tiles, [&](index tile) {
    index const row = (tile / column_tiles) * m / row_tiles;
    index const rows = (tile / column_tiles + 1) * m / row_tiles - row;
    index const panel = (tile % column_tiles) * panels / column_tiles;
    index const first = panel * columns;
    index const width = std::min(n, (tile % column_tiles + 1) * panels / column_tiles * columns) - first;
    T* out = c + row * ldc + first;
    thread_local std::vector<T> copy;
    bool const copied = rows_collide<T>(rows, lda);
    if (copied) copy.resize(static_cast<std::size_t>(tile_rows * copy_stride));
    bool add = accumulate;
    if (!add && bias) {
      for (index i = 0; i < rows; ++i) std::copy_n(bias + first, width, out + i * ldc);
      add = true;
    }
    for (index p = 0; p < std::max<index>(1, k); p += k_block) {  // once for k = 0, too
      index const depth = std::min(k_block, k - p);
      T const* block = a + row * lda + p;
      index block_stride = lda;
      if (copied) {
        for (index i = 0; i < rows; ++i) std::copy_n(block + i * lda, depth, copy.data() + i * copy_stride);
        block = copy.data();
        block_stride = copy_stride;
      }
      if constexpr (std::is_same_v<T, Stored>) {
        multiply_panels(rows, depth, width, block, block_stride, b.panel(panel) + p * columns, k * columns,
                        out, ldc, add);
      } else {
        alignas(64)
            T wide[k_block * kernel_set<T>::most_columns];  // a panel of the block at a time, in the cache
        for (index column = 0; column < width; column += columns) {
          Stored const* const from = b.panel(panel + column / columns) + p * columns;
          for (index e = 0; e < depth * columns; ++e) wide[e] = T(from[e]);
          multiply_panels(rows, depth, std::min(columns, width - column), block, block_stride, wide, index{0},
                          out + column, ldc, add);
        }
      }
      add = true;
    }
  });
}

}  // namespace lancet::gemm
