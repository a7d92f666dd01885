// SPDX-License-Identifier: Apache-2.0
// Grouped-query attention of one segment over its own keys and those of a prefix, in three steps and fused.
//
//   scores = capped(scale·Q·Kᵀ),  pattern = softmax(scores where the mask lets a query see the key),
//   z = pattern·V.
// Axis letters: n rows of the segment, P keys of the prefix, K = P + n keys in all, H query heads, G
// key/value heads, d = head_dim. Query head h reads key/value head h / (H / G). Row (h, i) of scores and
// pattern is row h·n + i. The prefix is constant: no gradient flows into it.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "lancet/model/batch.hpp"
#include "lancet/ops/attention_shape.hpp"
#include "lancet/ops/basic.hpp"

namespace lancet {

/// Keys (or values) of one segment: P rows of an immutable prefix, then its own n rows; each row [G·d].
template <class B>
struct key_rows {
  const_view<B> prefix;  // [P, G·d], may be empty
  const_view<B> own;     // [n, G·d]

  [[nodiscard]] index count() const { return prefix.rows + own.rows; }
  [[nodiscard]] typename B::scalar const* row(index j) const {
    return j < prefix.rows ? prefix.row(j) : own.row(j - prefix.rows);
  }
};

namespace ops {

/// scores[h·n + i, j] = capped(scale·⟨q[i, head h], key j⟩), for every key (the mask comes later): q [n, H·d],
/// scores [H·n, K].
template <class B>
void attention_scores(attention_shape const& s, in<B> q, key_rows<B> const& keys,
                      basic_view<B, typename B::scalar, 2> scores) {
  detail::same_shape("attention_scores", s.heads * q.rows, keys.count(), scores.rows, scores.cols);
  if constexpr (overrides<B, op::attention_steps>) {
    B::attention_scores(s, q, keys, scores);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    for (index h = 0; h < s.heads; ++h)
      for (index i = 0; i < q.rows; ++i)
        for (index j = 0; j < keys.count(); ++j) {
          typename B::scalar sum = 0;
          auto const* key = keys.row(j) + h / s.group() * s.head_dim;
          for (index c = 0; c < s.head_dim; ++c) sum += q(i, h * s.head_dim + c) * key[c];
          scores(h * q.rows + i, j) = cap_score(static_cast<typename B::scalar>(s.scale) * sum,
                                                static_cast<typename B::scalar>(s.cap))
                                          .value;
        }
  }
}

/// gq += and gk += for the segment's own keys, from the gradient of the scores: gs [H·n, K], gq [n, H·d], gk
/// [n, G·d].
template <class B>
void attention_scores_adjoint(attention_shape const& s, in<B> gs, in<B> q, key_rows<B> const& keys,
                              basic_view<B, typename B::scalar, 2> gq,
                              basic_view<B, typename B::scalar, 2> gk) {
  if constexpr (overrides<B, op::attention_steps>) {
    B::attention_scores_adjoint(s, gs, q, keys, gq, gk);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    index const before = keys.prefix.rows;
    for (index h = 0; h < s.heads; ++h)
      for (index i = 0; i < q.rows; ++i)
        for (index j = 0; j < keys.count(); ++j) {
          index const kv = h / s.group() * s.head_dim;
          typename B::scalar const scale = static_cast<typename B::scalar>(s.scale);
          typename B::scalar g = scale * gs(h * q.rows + i, j);
          if (s.cap != 0) {  // the score itself may have been changed by a hook since
            typename B::scalar sum = 0;
            for (index c = 0; c < s.head_dim; ++c) sum += q(i, h * s.head_dim + c) * keys.row(j)[kv + c];
            g *= cap_score(scale * sum, static_cast<typename B::scalar>(s.cap)).slope;
          }
          for (index c = 0; c < s.head_dim; ++c) {
            gq(i, h * s.head_dim + c) += g * keys.row(j)[kv + c];
            if (j >= before) gk(j - before, kv + c) += g * q(i, h * s.head_dim + c);
          }
        }
  }
}

/// pattern = softmax over the keys that query P + i of the sequence sees; 0 elsewhere: scores, pattern [H·n,
/// K]; may alias.
template <class B>
void masked_softmax(attention_mask mask, index n, in<B> scores,
                    basic_view<B, typename B::scalar, 2> pattern) {
  detail::same_shape("masked_softmax", scores.rows, scores.cols, pattern.rows, pattern.cols);
  if constexpr (overrides<B, op::attention_steps>) {
    B::masked_softmax(mask, n, scores, pattern);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    using T = typename B::scalar;
    for (index r = 0; r < scores.rows; ++r) {
      auto const [first, last] = mask.seen(scores.cols - n + r % n, scores.cols);
      T top = -std::numeric_limits<T>::infinity(), sum = 0;
      for (index j = first; j < last; ++j) top = std::max(top, scores(r, j));
      for (index j = first; j < last; ++j) sum += pattern(r, j) = std::exp(scores(r, j) - top);
      for (index j = first; j < last; ++j) pattern(r, j) /= sum;
      for (index j = 0; j < first; ++j) pattern(r, j) = 0;
      for (index j = last; j < scores.cols; ++j) pattern(r, j) = 0;
    }
  }
}

/// g = pattern ∘ (g − ⟨g, pattern⟩), row by row, in place: the pattern is the softmax's own output, before
/// any hook.
template <class B>
void softmax_adjoint(in<B> pattern, basic_view<B, typename B::scalar, 2> g) {
  detail::same_shape("softmax_adjoint", pattern.rows, pattern.cols, g.rows, g.cols);
  if constexpr (overrides<B, op::attention_steps>) {
    B::softmax_adjoint(pattern, g);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    for (index r = 0; r < g.rows; ++r) {
      typename B::scalar dot = 0;
      for (index j = 0; j < g.cols; ++j) dot += g(r, j) * pattern(r, j);
      for (index j = 0; j < g.cols; ++j) g(r, j) = pattern(r, j) * (g(r, j) - dot);
    }
  }
}

/// z[i, head h] = Σ_j pattern[h·n + i, j]·value j: pattern [H·n, K], z [n, H·d].
template <class B>
void attention_mix(attention_shape const& s, in<B> pattern, key_rows<B> const& values,
                   basic_view<B, typename B::scalar, 2> z) {
  detail::same_shape("attention_mix", s.heads * z.rows, values.count(), pattern.rows, pattern.cols);
  if constexpr (overrides<B, op::attention_steps>) {
    B::attention_mix(s, pattern, values, z);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    for (index h = 0; h < s.heads; ++h)
      for (index i = 0; i < z.rows; ++i)
        for (index c = 0; c < s.head_dim; ++c) {
          typename B::scalar sum = 0;
          for (index j = 0; j < values.count(); ++j)
            sum += pattern(h * z.rows + i, j) * values.row(j)[h / s.group() * s.head_dim + c];
          z(i, h * s.head_dim + c) = sum;
        }
  }
}

/// gp = the pattern's gradient, and gv += for the segment's own values: gz [n, H·d], gp [H·n, K], gv [n,
/// G·d].
template <class B>
void attention_mix_adjoint(attention_shape const& s, in<B> gz, in<B> pattern, key_rows<B> const& values,
                           basic_view<B, typename B::scalar, 2> gp, basic_view<B, typename B::scalar, 2> gv) {
  if constexpr (overrides<B, op::attention_steps>) {
    B::attention_mix_adjoint(s, gz, pattern, values, gp, gv);
  } else {
    lancet::detail::require_host_or_override<B, op::attention_steps>();
    index const before = values.prefix.rows;
    for (index h = 0; h < s.heads; ++h)
      for (index i = 0; i < gz.rows; ++i)
        for (index j = 0; j < values.count(); ++j) {
          index const kv = h / s.group() * s.head_dim;
          typename B::scalar sum = 0;
          for (index c = 0; c < s.head_dim; ++c) {
            sum += gz(i, h * s.head_dim + c) * values.row(j)[kv + c];
            if (j >= before)
              gv(j - before, kv + c) += pattern(h * gz.rows + i, j) * gz(i, h * s.head_dim + c);
          }
          gp(h * gz.rows + i, j) = sum;
        }
  }
}

/// One segment's part in a fused attention: its queries, keys, values and result.
template <class B>
struct attention_part {
  const_view<B> q;     // [n, H·d]
  key_rows<B> keys;    // own [n, G·d]
  key_rows<B> values;  // own [n, G·d]
  view<B> z;           // [n, H·d]
};

/// z = softmax(capped(scale·Q·Kᵀ))·V for every part, without keeping scores.
template <class B>
void attention(attention_shape const& s, std::span<attention_part<B> const> parts) {
  if constexpr (overrides<B, op::attention>) {
    B::attention(s, parts);
  } else {
    for (attention_part<B> const& p : parts) {
      tensor<B> pattern(s.heads * p.q.rows, p.keys.count());  // [H·n, K]
      attention_scores<B>(s, p.q, p.keys, pattern);
      masked_softmax<B>(s.mask, p.q.rows, pattern, pattern);
      attention_mix<B>(s, pattern, p.values, p.z);
    }
  }
}

/// Gradients of one segment: gq, gk, gv are added to.
template <class B>
struct attention_gradient {
  const_view<B> gz;  // [n, H·d]
  view<B> gq;        // [n, H·d]
  view<B> gk;        // [n, G·d]
  view<B> gv;        // [n, G·d]
};

/// gq, gk, gv += from gz, recomputing the patterns: parts and gradients belong together one by one.
template <class B>
void attention_adjoint(attention_shape const& s, std::span<attention_part<B> const> parts,
                       std::span<attention_gradient<B> const> gradients) {
  if constexpr (overrides<B, op::attention>) {
    B::attention_adjoint(s, parts, gradients);
  } else {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      attention_part<B> const& p = parts[i];
      attention_gradient<B> const& g = gradients[i];
      tensor<B> pattern(s.heads * p.q.rows, p.keys.count());  // [H·n, K]
      tensor<B> gp(s.heads * p.q.rows, p.keys.count());       // [H·n, K]
      attention_scores<B>(s, p.q, p.keys, pattern);
      masked_softmax<B>(s.mask, p.q.rows, pattern, pattern);
      attention_mix_adjoint<B>(s, g.gz, pattern, p.values, gp, g.gv);
      softmax_adjoint<B>(pattern, gp);
      attention_scores_adjoint<B>(s, gp, p.q, p.keys, g.gq, g.gk);
    }
  }
}

}  // namespace ops
}  // namespace lancet
