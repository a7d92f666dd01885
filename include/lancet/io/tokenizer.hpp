// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, equal id for id to the reference implementations: byte-level BPE,
// SentencePiece's BPE, unigram, WordPiece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/tokenizer_kind.hpp"

namespace lancet {

struct tokenizer_parts;  // tokenizer_parts.hpp
namespace detail {
class tokenizer_tables;
}

struct encode_options {
  /// Put the start token first.
  bool bos = false;
  /// Add all special tokens that the tokenizer's file puts around a text, such as <s> and </s>, or [CLS] and
  /// [SEP]. Not together with `bos`, which may be one of them.
  bool add_special = false;
  /// Special tokens written in the text become their ids, not those of their letters.
  bool parse_special = true;
  /// What the vocabulary lacks is an error; otherwise it becomes the unknown token or, where there is none, is
  /// left out, as by the reference implementations.
  bool strict = false;
};

struct decode_options {
  /// Leave special tokens out.
  bool skip_special = false;
};

/// The ids of a pair of texts, and for each the number of the text that BERT's models are told: usually 0 up
/// to the end of the first, then 1.
struct encoded_pair {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
};

/// A tokenizer of any tokenizer_kind. Immutable and cheap to copy (copies share the tables); any number of
/// threads may use one.
///
///     tokenizer const t = load_gguf_tokenizer(file);
///     auto ids = t.encode("The nurse said that");   // {504, 12996, 1137, 338}
class tokenizer {
 public:
  /// Checks the parts. Throws file_error(parts.source, ...) for what no encoding can be built from: tokens
  /// that come twice, ids out of range, merges of or into unknown tokens, missing letters.
  explicit tokenizer(tokenizer_parts parts);

  /// The ids of `text`. No token is added unless asked for. `text` may hold any bytes: with byte-level BPE
  /// and byte fallback ill-formed UTF-8 is encoded byte by byte, so decode_bytes gives it back. Throws
  /// usage_error where `options.bos` asks for a start token that there is not, and file_error where the file's
  /// steps make more than 64 n + 65536 bytes of a text of n.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, encode_options options = {}) const;

  /// The ids of two texts, as BERT's and T5's models read them: with `options.add_special` the tokens around
  /// and between them. Throws usage_error where the tokenizer's file has no form for a pair.
  [[nodiscard]] encoded_pair encode_pair(std::string_view first, std::string_view second,
                                         encode_options options = {}) const;

  /// The bytes that the ids stand for. Throws usage_error for an id that no token has, and file_error where the
  /// file's steps make more than 64 n + 65536 bytes of tokens of n.
  [[nodiscard]] std::string decode_bytes(std::span<std::int32_t const> ids,
                                         decode_options options = {}) const {
    return join(ids, options, true);
  }

  /// The text of the ids: decode_bytes with what is ill-formed replaced by U+FFFD, as the reference
  /// implementations do: byte-level BPE puts one for each ill-formed part, as Python's errors="replace" does,
  /// byte fallback one for each byte of a run of byte tokens that is ill-formed anywhere.
  [[nodiscard]] std::string decode(std::span<std::int32_t const> ids, decode_options options = {}) const;

  /// Whether a token has this id. Models often have more rows than their tokenizer has tokens.
  [[nodiscard]] bool contains(std::int32_t id) const noexcept;

  /// The token as the vocabulary writes it, such as "Ġnurse". Throws usage_error for an id that no token has.
  [[nodiscard]] std::string_view piece(std::int32_t id) const;

  /// The bytes that the token stands for within a text, such as " nurse".
  [[nodiscard]] std::string_view bytes(std::int32_t id) const;

  /// Whether the token is special: a mark such as <|im_end|>, not text.
  [[nodiscard]] bool is_special(std::int32_t id) const;

  /// The id of a token by its vocabulary string.
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view piece) const;

  /// One more than the highest id.
  [[nodiscard]] std::size_t size() const noexcept;

  [[nodiscard]] tokenizer_kind kind() const noexcept;

  [[nodiscard]] std::optional<std::int32_t> bos_id() const noexcept;
  [[nodiscard]] std::optional<std::int32_t> eos_id() const noexcept;

  /// Names the mapping from text to ids: equal for the same tokenizer from another file format, whatever its
  /// start and end tokens are. 16 hexadecimal digits, the same on every machine; no protection against
  /// forgery.
  [[nodiscard]] std::string const& hash() const noexcept;

 private:
  [[nodiscard]] std::size_t index_of(std::int32_t id) const;

  [[nodiscard]] std::string join(std::span<std::int32_t const> ids, decode_options options, bool raw) const;

  void encode_plain(std::string_view text, encode_options options, std::vector<std::int32_t>& ids) const;

  std::shared_ptr<detail::tokenizer_tables const> tables_;
};

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/detail/tokenizer_bodies.hpp"
#endif
