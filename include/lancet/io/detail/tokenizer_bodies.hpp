// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding: the bodies of what io/tokenizer.hpp declares.
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
#include "lancet/core/inline.hpp"
#include "lancet/io/added_tokens.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/detail/tokenizer_tables.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

LANCET_INLINE tokenizer::tokenizer(tokenizer_parts parts)
    : tables_(std::make_shared<detail::tokenizer_tables const>(std::move(parts))) {}

LANCET_INLINE std::string tokenizer::join(std::span<std::int32_t const> ids, decode_options options,
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

LANCET_INLINE std::vector<std::int32_t> tokenizer::encode(std::string_view text,
                                                          encode_options options) const {
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

LANCET_INLINE encoded_pair tokenizer::encode_pair(std::string_view first, std::string_view second,
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

LANCET_INLINE void tokenizer::encode_plain(std::string_view text, encode_options options,
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

LANCET_INLINE std::string tokenizer::decode(std::span<std::int32_t const> ids, decode_options options) const {
  return replace_invalid_utf8(join(ids, options, false));
}

LANCET_INLINE bool tokenizer::contains(std::int32_t id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < size() &&
         !tables_->parts.tokens[static_cast<std::size_t>(id)].empty();
}

LANCET_INLINE std::string_view tokenizer::piece(std::int32_t id) const {
  return tables_->parts.tokens[index_of(id)];
}

LANCET_INLINE std::string_view tokenizer::bytes(std::int32_t id) const {
  return tables_->bytes[index_of(id)];
}

LANCET_INLINE bool tokenizer::is_special(std::int32_t id) const {
  return tables_->index.special[index_of(id)];
}

LANCET_INLINE std::size_t tokenizer::size() const noexcept { return tables_->parts.tokens.size(); }

LANCET_INLINE tokenizer_kind tokenizer::kind() const noexcept { return tables_->parts.kind; }

LANCET_INLINE std::optional<std::int32_t> tokenizer::bos_id() const noexcept { return tables_->parts.bos; }

LANCET_INLINE std::optional<std::int32_t> tokenizer::eos_id() const noexcept { return tables_->parts.eos; }

LANCET_INLINE std::string const& tokenizer::hash() const noexcept { return tables_->hash; }

LANCET_INLINE std::optional<std::int32_t> tokenizer::find(std::string_view piece) const {
  auto const id = tables_->index.find(piece);
  return id < 0 ? std::nullopt : std::optional(id);
}

LANCET_INLINE std::size_t tokenizer::index_of(std::int32_t id) const {
  if (!contains(id)) {
    fail_expected("tokenizer", "id " + std::to_string(id),
                  "the id of a token, 0 to " + std::to_string(size() - 1));
  }
  return static_cast<std::size_t>(id);
}

}  // namespace lancet
