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
#include <utility>
#include <variant>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/added_tokens.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/detail/tokenizer_tables.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

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
///     tokenizer const t(read_gguf_tokenizer(file));
///     auto ids = t.encode("The nurse said that");   // {504, 12996, 1137, 338}
class tokenizer {
 public:
  /// Checks the parts. Throws file_error(parts.source, ...) for what no encoding can be built from: tokens
  /// that come twice, ids out of range, merges of or into unknown tokens, missing letters.
  explicit tokenizer(tokenizer_parts parts)
      : tables_(std::make_shared<detail::tokenizer_tables const>(std::move(parts))) {}

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
  [[nodiscard]] std::string decode(std::span<std::int32_t const> ids, decode_options options = {}) const {
    return replace_invalid_utf8(join(ids, options, false));
  }

  /// Whether a token has this id. Models often have more rows than their tokenizer has tokens.
  [[nodiscard]] bool contains(std::int32_t id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < size() &&
           !tables_->parts.tokens[static_cast<std::size_t>(id)].empty();
  }

  /// The token as the vocabulary writes it, such as "Ġnurse". Throws usage_error for an id that no token has.
  [[nodiscard]] std::string_view piece(std::int32_t id) const { return tables_->parts.tokens[index_of(id)]; }

  /// The bytes that the token stands for within a text, such as " nurse".
  [[nodiscard]] std::string_view bytes(std::int32_t id) const { return tables_->bytes[index_of(id)]; }

  /// Whether the token is special: a mark such as <|im_end|>, not text.
  [[nodiscard]] bool is_special(std::int32_t id) const { return tables_->index.special[index_of(id)]; }

  /// The id of a token by its vocabulary string.
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view piece) const {
    auto const id = tables_->index.find(piece);
    return id < 0 ? std::nullopt : std::optional(id);
  }

  /// One more than the highest id.
  [[nodiscard]] std::size_t size() const noexcept { return tables_->parts.tokens.size(); }

  [[nodiscard]] tokenizer_kind kind() const noexcept { return tables_->parts.kind; }

  [[nodiscard]] std::optional<std::int32_t> bos_id() const noexcept { return tables_->parts.bos; }
  [[nodiscard]] std::optional<std::int32_t> eos_id() const noexcept { return tables_->parts.eos; }

  /// Names the mapping from text to ids: equal for the same tokenizer from another file format, whatever its
  /// start and end tokens are. 16 hexadecimal digits, the same on every machine; no protection against
  /// forgery.
  [[nodiscard]] std::string const& hash() const noexcept { return tables_->hash; }

 private:
  [[nodiscard]] std::size_t index_of(std::int32_t id) const {
    if (!contains(id)) {
      fail_expected("tokenizer", "id " + std::to_string(id),
                    "the id of a token, 0 to " + std::to_string(size() - 1));
    }
    return static_cast<std::size_t>(id);
  }

  [[nodiscard]] std::string join(std::span<std::int32_t const> ids, decode_options options, bool raw) const;

  void encode_plain(std::string_view text, encode_options options, std::vector<std::int32_t>& ids) const;

  std::shared_ptr<detail::tokenizer_tables const> tables_;
};

inline std::string tokenizer::join(std::span<std::int32_t const> ids, decode_options options,
                                   bool raw) const {
  std::string out;
  std::vector<std::string> pieces;
  bool const by_bytes = kind() == tokenizer_kind::byte_bpe;
  for (auto const id : ids) {
    if (options.skip_special && is_special(id)) continue;
    if (by_bytes) {
      out += bytes(id);
    } else {
      auto const written = tables_->written.find(id);
      pieces.emplace_back(written == tables_->written.end() ? piece(id) : std::string_view(written->second));
    }
  }
  return by_bytes ? out
                  : decode_tokens(tables_->parts.decode, std::move(pieces), raw,
                                  detail::source_of(tables_->parts));
}

inline std::vector<std::int32_t> tokenizer::encode(std::string_view text, encode_options options) const {
  std::vector<std::int32_t> ids;
  if (options.bos) {
    if (options.add_special)
      throw usage_error("tokenizer: ask for the start token or for all special tokens, not for both");
    if (!bos_id()) throw usage_error("tokenizer: a start token is asked for, but this tokenizer has none");
    ids.push_back(*bos_id());
  }
  if (!options.add_special) {
    encode_plain(text, options, ids);
    return ids;
  }
  for (auto const& piece : tables_->parts.around.single) {
    if (piece.id == template_piece::first_text)
      encode_plain(text, options, ids);
    else
      ids.push_back(piece.id);
  }
  return ids;
}

inline encoded_pair tokenizer::encode_pair(std::string_view first, std::string_view second,
                                           encode_options options) const {
  if (options.bos) throw usage_error("tokenizer: a pair has no start token of its own; use add_special");
  auto const& pieces = tables_->parts.around.pair;
  if (pieces.empty()) throw usage_error("tokenizer: this tokenizer's file has no form for a pair of texts");
  encoded_pair out;
  for (auto const& piece : pieces) {
    if (piece.id == template_piece::first_text)
      encode_plain(first, options, out.ids);
    else if (piece.id == template_piece::second_text)
      encode_plain(second, options, out.ids);
    else if (options.add_special)
      out.ids.push_back(piece.id);
    out.type_ids.resize(out.ids.size(), piece.type);
  }
  return out;
}

inline void tokenizer::encode_plain(std::string_view text, encode_options options,
                                    std::vector<std::int32_t>& ids) const {
  if (text.size() >= std::size_t{1} << 31) {
    fail_expected("tokenizer", "a text of " + std::to_string(text.size()) + " bytes", "less than 2 GiB");
  }
  auto const& parts = tables_->parts;
  auto const where = detail::source_of(parts);
  auto most_normal = detail::most_grown(text.size());  // of all segments together
  auto most_made = most_normal;
  detail::encode_workspace work;
  std::vector<text_segment> segments;
  std::vector<text_segment> rest;
  tables_->added_first.split(text, options.parse_special, segments);
  for (auto const& segment : segments) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    auto const changed = parts.normalize.empty()
                             ? std::string()
                             : detail::normalize_within(parts.normalize, segment.text, most_normal, where);
    most_normal -= changed.size();
    auto const normal = parts.normalize.empty() ? segment.text : std::string_view(changed);
    rest.clear();
    tables_->added_later.split(normal, options.parse_special, rest);
    for (auto const& part : rest) {
      if (part.id >= 0) {
        ids.push_back(part.id);
        continue;
      }
      bool const begins = segment.text.data() == text.data() && part.text.data() == normal.data();
      auto const words = detail::split_within(parts.steps, part.text, begins, most_made, where);
      most_made -= words.written;
      std::visit(
          [&](auto const& model) {
            for (auto const word : words.list) model.encode(word, options.strict, work, ids);
          },
          tables_->model);
    }
  }
}

}  // namespace lancet
