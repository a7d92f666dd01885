// SPDX-License-Identifier: Apache-2.0
// What attention computes besides products: heads, the scale and cap of scores, and which keys a query sees.
#pragma once

#include <cmath>

#include "lancet/core/device.hpp"
#include "lancet/core/view.hpp"

namespace lancet {

/// Keys [first, last) of a sequence.
struct key_range {
  index first;
  index last;
};

/// Which keys a query sees, both counted from the sequence's first token.
struct attention_mask {
  index window = 0;    ///< a causal query i sees keys j with i − window < j ≤ i; 0: all j ≤ i
  bool causal = true;  ///< false: every key (encoders)

  [[nodiscard]] LANCET_HOST_DEVICE constexpr key_range seen(index query, index keys) const {
    if (!causal) return {0, keys};
    return {window > 0 && query >= window ? query - window + 1 : 0, query + 1};
  }
  [[nodiscard]] LANCET_HOST_DEVICE constexpr bool sees(index query, index key) const {
    return !causal || (key <= query && (window == 0 || query - key < window));
  }
  friend constexpr bool operator==(attention_mask const&, attention_mask const&) = default;
};

/// Query head h reads key/value head h / group().
struct attention_shape {
  index heads;
  index kv_heads;
  index head_dim;
  double scale;              ///< scores = scale·⟨q, k⟩
  double cap = 0;            ///< then cap·tanh(scores / cap), as in Gemma 2; 0: as they are
  attention_mask mask = {};  ///< the last key of a segment belongs to its last query

  [[nodiscard]] index group() const { return heads / kv_heads; }
};

namespace ops {

/// A score after its cap, and the slope of the cap there.
template <class T>
struct capped_score {
  T value;
  T slope;
};
template <class T>
[[nodiscard]] LANCET_HOST_DEVICE capped_score<T> cap_score(T score, T cap) {
  if (cap == 0) return {score, 1};
  T const t = std::tanh(score / cap);
  return {cap * t, 1 - t * t};
}

}  // namespace ops
}  // namespace lancet
