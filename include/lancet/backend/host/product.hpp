// SPDX-License-Identifier: Apache-2.0
// How host backends multiply prepared weights: the policies that need no library. `product::cblas` is in
// backend/cblas.hpp. Measured figures: docs/benchmarks.md.
#pragma once

#include "lancet/backend/host/packed_weight.hpp"
#include "lancet/core/bfloat16.hpp"
#include "lancet/ops/linear.hpp"

namespace lancet::backend::product {

/// lancet's register-tiled kernel on packed weights: fastest at every number of rows, and bit-equal for any
/// of them.
struct packed {
  template <class B>
  using weight = host::packed_weight<B>;
};

/// The same kernel on weights kept in bfloat16: half the memory; products and sums are those of float with the rounded
/// weights, bit for bit.
struct packed_bf16 {
  template <class B>
  using weight = host::packed_weight<B, bfloat16>;
};

/// The backend's own product of two matrices, in tiles of rows and columns that the executor runs.
struct plain {
  template <class B>
  using weight = plain_weight<B>;
};

}  // namespace lancet::backend::product
