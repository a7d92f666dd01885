// SPDX-License-Identifier: Apache-2.0
// What a byte-level BPE tokenizer is made of, whichever file it comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lancet/io/added_tokens.hpp"
#include "lancet/io/split.hpp"

namespace lancet {

/// A merge as files have it: two strings of the vocabulary.
struct merge_strings {
  std::string left;
  std::string right;
};

/// Everything that decides which ids a text gets. The readers fill one; `tokenizer` checks it.
struct tokenizer_parts {
  /// By id. Ordinary tokens are written in the byte alphabet ("Ġnurse"), added tokens as plain text; an empty
  /// string marks an id that no token has.
  std::vector<std::string> tokens;
  /// In order of rank.
  std::vector<merge_strings> merges;
  std::vector<added_token> added;
  /// Whether text is brought into Unicode's normalisation form C first.
  bool nfc = false;
  /// How text is cut into words, in order.
  std::vector<split_step> steps;
  /// A word that is a token as a whole becomes that token, whatever the merges say.
  bool ignore_merges = false;
  /// The token for bytes that the vocabulary lacks; without one such bytes are left out (see
  /// encode_options::strict).
  std::optional<std::int32_t> unknown;
  /// Whether neighbouring unknown bytes share one unknown token.
  bool fuse_unknown = false;
  /// Accept a vocabulary without all of printable ASCII and line feed. Off, because to leave out letters is
  /// hardly meant.
  bool partial_alphabet = false;
  /// For encode_options::bos, and for those who generate text.
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  /// The file, for messages.
  std::string source;
};

}  // namespace lancet
