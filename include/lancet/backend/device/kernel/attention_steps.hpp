// SPDX-License-Identifier: Apache-2.0
// Attention step by step, where a hook looks at scores or patterns: functors of kernel::for_elements.
//
// Row (h, i) of scores and pattern is row h·n + i; notation as in ops/attention.hpp.
#pragma once

#include "lancet/backend/device/kernel/attention.hpp"

namespace lancet::device::kernel {

/// out[h·n + i, j] = capped(factor·⟨x[i, head h], key j⟩): over [H·n, K]. Scores, and the pattern's gradient.
template <class T>
struct head_products {
  index n, group, d;
  T factor, cap;
  matrix<T const> x;  // [n, H·d]
  key_rows<T> keys;
  matrix<T> out;
  LANCET_DEVICE void operator()(index r, index j) const {
    index const h = r / n;
    T const *a = x.row(r % n) + h * d, *b = keys.row(j) + h / group * d;
    T sum = 0;
    for (index c = 0; c < d; ++c) sum += a[c] * b[c];
    out(r, j) = ops::cap_score(factor * sum, cap).value;
  }
};

/// gs[h·n + i, j] times the slope of the cap at factor·⟨x[i, head h], key j⟩: over [H·n, K].
template <class T>
struct uncapped_gradient {
  head_products<T> products;  // out: the result
  matrix<T const> gs;
  LANCET_DEVICE void operator()(index r, index j) const {
    products(r, j);
    T const t = products.out(r, j) / products.cap;
    products.out(r, j) = gs(r, j) * (1 - t * t);
  }
};

/// out[i, head h] = or += factor·Σ_j weights[h·n + i, j]·key j: over [n, H·d]. z, and the queries' gradient.
template <class T>
struct weighted_keys {
  index n, group, d;
  T factor;
  bool accumulate;
  matrix<T const> weights;  // [H·n, K]
  key_rows<T> keys;
  matrix<T> out;
  LANCET_DEVICE void operator()(index i, index column) const {
    index const h = column / d, in_row = h / group * d + column % d;
    T const* const w = weights.row(h * n + i);
    T sum = 0;
    for (index j = 0; j < keys.count(); ++j) sum += w[j] * keys.row(j)[in_row];
    out(i, column) = (accumulate ? out(i, column) : T(0)) + factor * sum;
  }
};

/// out[j] += factor·Σ over the group's heads and queries of weights[h·n + i, P + j]·x[i, head h]: over [n,
/// G·d]. The gradients of the segment's own keys and values.
template <class T>
struct weighted_queries {
  index n, group, d;
  T factor;
  matrix<T const> weights;  // [H·n, K]
  matrix<T const> x;        // [n, H·d]
  matrix<T> out;
  LANCET_DEVICE void operator()(index j, index column) const {
    index const before = weights.cols - n;
    T sum = 0;
    for (index h = column / d * group; h < (column / d + 1) * group; ++h)
      for (index i = 0; i < n; ++i) sum += weights(h * n + i, before + j) * x(i, h * d + column % d);
    out(j, column) += factor * sum;
  }
};

}  // namespace lancet::device::kernel
