// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: byte-level byte-pair encoding, equal id for id to the reference
// implementations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/added_tokens.hpp"
#include "lancet/io/bpe.hpp"
#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/detail/tokenizer_tables.hpp"
#include "lancet/io/nfc.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

struct encode_options {
  /// Put the start token first.
  bool bos = false;
  /// Special tokens written in the text become their ids, not those of their letters.
  bool parse_special = true;
  /// A byte that the vocabulary lacks is an error; otherwise it is left out, as by the reference
  /// implementations.
  bool strict = false;
};

struct decode_options {
  /// Leave special tokens out.
  bool skip_special = false;
};

/// A byte-level BPE tokenizer. Immutable and cheap to copy (copies share the tables); any number of threads
/// may use one.
///
///     tokenizer const t(read_gguf_tokenizer(file));
///     auto ids = t.encode("The nurse said that");   // {504, 12996, 1137, 338}
class tokenizer {
 public:
  /// Checks the parts. Throws file_error(parts.source, ...) for what no encoding can be built from: tokens
  /// that come twice, ids out of range, merges of or into unknown tokens, missing letters.
  explicit tokenizer(tokenizer_parts parts)
      : tables_(std::make_shared<detail::tokenizer_tables const>(std::move(parts))) {}

  /// The ids of `text`. No token is added unless asked for. `text` may hold any bytes: ill-formed UTF-8 is
  /// encoded byte by byte, so decode_bytes gives it back. Throws usage_error where `options.bos` asks for a
  /// start token that there is not.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, encode_options options = {}) const;

  /// The bytes of the ids, one after the other. Throws usage_error for an id that no token has.
  [[nodiscard]] std::string decode_bytes(std::span<std::int32_t const> ids,
                                         decode_options options = {}) const {
    std::string out;
    for (auto const id : ids) {
      if (!options.skip_special || !is_special(id)) out += bytes(id);
    }
    return out;
  }

  /// The text of the ids: decode_bytes with each ill-formed part replaced by U+FFFD, as Python's
  /// errors="replace" does.
  [[nodiscard]] std::string decode(std::span<std::int32_t const> ids, decode_options options = {}) const {
    return replace_invalid_utf8(decode_bytes(ids, options));
  }

  /// Whether a token has this id. Models often have more rows than their tokenizer has tokens.
  [[nodiscard]] bool contains(std::int32_t id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < size() &&
           !tables_->parts.tokens[static_cast<std::size_t>(id)].empty();
  }

  /// The token as the vocabulary writes it, such as "Ġnurse". Throws usage_error for an id that no token has.
  [[nodiscard]] std::string_view piece(std::int32_t id) const { return tables_->parts.tokens[index_of(id)]; }

  /// The bytes that the token stands for, such as " nurse".
  [[nodiscard]] std::string_view bytes(std::int32_t id) const { return tables_->bytes[index_of(id)]; }

  /// Whether the token is special: a mark such as <|im_end|>, not text.
  [[nodiscard]] bool is_special(std::int32_t id) const { return tables_->special[index_of(id)]; }

  /// The id of a token by its vocabulary string.
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view piece) const {
    auto const found = tables_->ids.find(piece);
    if (found == tables_->ids.end()) return std::nullopt;
    return found->second;
  }

  /// One more than the highest id.
  [[nodiscard]] std::size_t size() const noexcept { return tables_->parts.tokens.size(); }

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

  /// Working memory of one call of encode.
  struct workspace {
    std::vector<std::int32_t> symbols;
    bpe_merges::workspace merges;
  };

  void encode_text(std::string_view text, encode_options options, workspace& work,
                   std::vector<std::int32_t>& ids) const {
    for (auto const word : split_text(tables_->parts.steps, text).list) encode_word(word, options, work, ids);
  }

  void encode_word(std::string_view word, encode_options options, workspace& work,
                   std::vector<std::int32_t>& ids) const;

  std::shared_ptr<detail::tokenizer_tables const> tables_;
};

inline std::vector<std::int32_t> tokenizer::encode(std::string_view text, encode_options options) const {
  if (text.size() >= std::size_t{1} << 31) {
    fail_expected("tokenizer", "a text of " + std::to_string(text.size()) + " bytes", "less than 2 GiB");
  }
  std::vector<std::int32_t> ids;
  if (options.bos) {
    if (!bos_id()) throw usage_error("tokenizer: a start token is asked for, but this tokenizer has none");
    ids.push_back(*bos_id());
  }
  workspace work;
  std::vector<text_segment> segments;
  std::vector<text_segment> parts;
  tables_->added_first.split(text, options.parse_special, segments);
  for (auto const& segment : segments) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    auto const normal = tables_->parts.nfc ? to_nfc(segment.text) : std::string();
    parts.clear();
    tables_->added_later.split(tables_->parts.nfc ? std::string_view(normal) : segment.text,
                               options.parse_special, parts);
    for (auto const& part : parts) {
      if (part.id >= 0)
        ids.push_back(part.id);
      else
        encode_text(part.text, options, work, ids);
    }
  }
  return ids;
}

inline void tokenizer::encode_word(std::string_view word, encode_options options, workspace& work,
                                   std::vector<std::int32_t>& ids) const {
  auto const& parts = tables_->parts;
  if (parts.ignore_merges) {
    if (auto const whole = find(to_byte_alphabet(word)); whole && !is_special(*whole)) {
      ids.push_back(*whole);
      return;
    }
  }
  work.symbols.clear();
  bool unknown_before = false;
  for (unsigned const byte : unsigned_bytes(word)) {
    auto const id = tables_->byte_ids[byte];
    if (id >= 0) {
      work.symbols.push_back(id);
    } else if (options.strict) {
      throw usage_error("tokenizer: the vocabulary has no token for byte " + std::to_string(byte) + " in '" +
                        escape_utf8(word) + "'");
    } else if (parts.unknown && !(unknown_before && parts.fuse_unknown)) {
      work.symbols.push_back(*parts.unknown);
    }
    unknown_before = id < 0;
  }
  auto const n = tables_->merges.apply(work.symbols, work.merges);
  ids.insert(ids.end(), work.symbols.begin(), work.symbols.begin() + static_cast<std::ptrdiff_t>(n));
}

}  // namespace lancet
