// SPDX-License-Identifier: Apache-2.0
// Rows, not rectangles: a batch is a list of segments whose rows lie one after the other in every [R, ·]
// matrix.
//
// A segment is a run of tokens of one sequence with its first position and, where it continues a prefix, a
// reference to the prefix's keys and values. There is no padding anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lancet/core/tensor.hpp"

namespace lancet {

using token = std::int32_t;

/// Rows [row, row + rows) of the batch's matrices; their positions are first_position, first_position + 1, …
struct segment {
  index row = 0;
  index rows = 0;
  index first_position = 0;
  index prefix = -1;  ///< index into batch::prefixes, −1 for none; then first_position keys of it are seen
};

/// Keys (after rotation) and values of positions 0 … length − 1 of one sequence, for every layer.
template <class B>
struct kv_cache {
  struct layer {
    tensor<B> keys;    // [capacity, G·d]
    tensor<B> values;  // [capacity, G·d]
  };
  std::vector<layer> layers;
  index length = 0;
};

/// Tokens of several segments. Prefixes are shared and immutable while a pass runs.
template <class B>
struct batch {
  std::vector<token> tokens;
  std::vector<index> types;  // of each token, where the model has segment embeddings; empty: all 0
  std::vector<segment> segments;
  std::vector<std::shared_ptr<kv_cache<B> const>> prefixes;

  [[nodiscard]] index rows() const { return std::ssize(tokens); }

  /// Appends a whole sequence, from position 0. Returns its segment's number.
  index add(std::span<token const> sequence) { return add(sequence, nullptr, 0); }

  /// Appends a whole sequence with each token's type: for encoders that tell a first text (0) from a second (1).
  index add(std::span<token const> sequence, std::span<index const> token_types) {
    if (token_types.size() != sequence.size())
      fail_expected("batch.add", std::to_string(token_types.size()) + " token types",
                    "one for each of " + std::to_string(sequence.size()) + " tokens");
    index const number = add(sequence);
    types.resize(tokens.size() - sequence.size(), 0);
    types.insert(types.end(), token_types.begin(), token_types.end());
    return number;
  }

  /// Appends a run of tokens that continues the first `length` positions of `prefix`.
  index add(std::span<token const> run, std::shared_ptr<kv_cache<B> const> prefix, index length) {
    if (run.empty()) throw usage_error("batch.add: got an empty run of tokens, expected at least one");
    if (prefix && (length < 0 || length > prefix->length))
      fail_expected("batch.add", "a prefix of " + std::to_string(length) + " positions",
                    "at most the cached " + std::to_string(prefix->length));
    segment s{rows(), std::ssize(run), prefix ? length : 0, -1};
    if (prefix && length > 0) {
      for (std::size_t i = 0; i < prefixes.size(); ++i)
        if (prefixes[i] == prefix) s.prefix = static_cast<index>(i);
      if (s.prefix < 0) {
        s.prefix = std::ssize(prefixes);
        prefixes.push_back(std::move(prefix));
      }
    }
    tokens.insert(tokens.end(), run.begin(), run.end());
    if (!types.empty()) types.resize(tokens.size(), 0);
    segments.push_back(s);
    return std::ssize(segments) - 1;
  }

  void clear() {
    tokens.clear();
    types.clear();
    segments.clear();
    prefixes.clear();
  }
};

}  // namespace lancet
