// SPDX-License-Identifier: Apache-2.0
// What a tokenizer is made of, whichever file it comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lancet/io/added_tokens.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/tokenizer_kind.hpp"

namespace lancet {

/// A merge as files have it: two strings of the vocabulary.
struct merge_strings {
  std::string left;
  std::string right;
};

/// One part of the ids that a model expects: a token, or the place of a text.
struct template_piece {
  static constexpr std::int32_t first_text = -1;
  static constexpr std::int32_t second_text = -2;

  std::int32_t id = first_text;
  std::int32_t type = 0;  ///< the token type id, which BERT's models have an embedding for
};

/// The special tokens that a model expects around one text and around a pair of texts.
struct sequence_template {
  std::vector<template_piece> single = {{template_piece::first_text, 0}};
  std::vector<template_piece> pair = {{template_piece::first_text, 0}, {template_piece::second_text, 1}};
};

/// Everything that decides which ids a text gets, and which text ids get. The readers fill one; `tokenizer`
/// checks it.
struct tokenizer_parts {
  tokenizer_kind kind = tokenizer_kind::byte_bpe;
  /// By id. byte_bpe writes ordinary tokens in the byte alphabet ("Ġnurse"), the others as text, with "▁" for
  /// a space (SentencePiece) or `continuing_prefix` on what continues a word (WordPiece). Added tokens are
  /// plain text; an empty string marks an id that no token has.
  std::vector<std::string> tokens;
  /// In order of rank; byte_bpe and sentencepiece.
  std::vector<merge_strings> merges;
  /// By id; words never become tokens of minus infinity. unigram: logarithms of probabilities; tokens behind
  /// the last score are added ones. sentencepiece without merges: of all adjacent pairs that make a token,
  /// that of the highest score is joined first.
  std::vector<double> scores;
  std::vector<added_token> added;
  /// What is done to text first, in order.
  std::vector<normalize_step> normalize;
  /// How text is cut into words, in order.
  std::vector<split_step> steps;
  /// A word that is a token as a whole becomes that token, whatever the merges say.
  bool ignore_merges = false;
  /// sentencepiece and unigram: a character that the vocabulary lacks becomes the tokens "<0x00>" to "<0xFF>"
  /// of its bytes.
  bool byte_fallback = false;
  /// The token for what the vocabulary lacks; without one it is left out (see encode_options::strict).
  std::optional<std::int32_t> unknown;
  /// Whether neighbouring unknown characters (byte_bpe: bytes) share one unknown token.
  bool fuse_unknown = false;
  /// wordpiece: what marks tokens that continue a word, and the characters from which a word is unknown as a
  /// whole.
  std::string continuing_prefix = "##";
  std::size_t most_word_chars = 100;
  /// byte_bpe: accept a vocabulary without all of printable ASCII and line feed. Off, because to leave out
  /// letters is hardly meant.
  bool partial_alphabet = false;
  /// How tokens are put together to text, in order; byte_bpe needs no step.
  std::vector<decode_step> decode;
  /// For encode_options::add_special.
  sequence_template around;
  /// For encode_options::bos, and for those who generate text.
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  /// The file, for messages.
  std::string source;
};

}  // namespace lancet
