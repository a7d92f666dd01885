// SPDX-License-Identifier: Apache-2.0
// Where and when a hook fires, and what a policy may check before a pass.
#pragma once

#include <span>

#include "lancet/model/batch.hpp"

namespace lancet {

/// forward: values only. record: a forward pass that will be differentiated. backward: adjoints.
enum class pass_kind { forward, record, backward };

/// Handlers run on the calling thread, ordered by layer, site and segment.
struct place {
  index layer = 0;  ///< 0 for embed; the number of layers for final_scale, final and logits
  std::span<lancet::segment const> segments;  ///< of the batch; rows of the view belong to them in order
  index segment = -1;  ///< the segment that scores and pattern belong to; −1: the view holds all rows
  pass_kind pass = pass_kind::forward;
  std::span<index const> rows;  ///< final_scale, final, logits: the batch's row of each row of the view
};

/// Layers [first, last].
struct layer_span {
  index first = 0;
  index last = 0;
  [[nodiscard]] bool contains(index layer) const { return first <= layer && layer <= last; }
};

/// The sizes a policy can check its targets against in `bind`.
struct pass_shape {
  index layers, heads, kv_heads, head_dim, width, mlp_width, vocabulary;
  bool gated;
  std::span<lancet::segment const> segments;
};

}  // namespace lancet
