// SPDX-License-Identifier: Apache-2.0
// A vocabulary's strings and their ids, as the models of tokenizers look them up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/bpe.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

/// The file, for messages.
[[nodiscard]] inline std::string_view source_of(tokenizer_parts const& parts) noexcept {
  return parts.source.empty() ? std::string_view("tokenizer") : parts.source;
}

/// "FILE: what" as a file_error.
[[noreturn]] inline void fail_parts(tokenizer_parts const& parts, std::string const& what) {
  throw file_error(source_of(parts), what);
}

[[nodiscard]] inline std::string show_token(std::string_view text) { return "'" + escape_utf8(text) + "'"; }

/// A sorted list: no hash, so no file can make it collide. A search takes O(log(number of tokens)) steps, most
/// of which compare eight bytes as one number.
class token_index {
 public:
  token_index() = default;

  /// Empty tokens are left out. Precondition: `tokens` outlives the index, and has fewer than 2^31.
  explicit token_index(std::span<std::string const> tokens) : special(tokens.size(), false), tokens_(tokens) {
    std::vector<std::pair<std::uint64_t, std::int32_t>> order;
    order.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (!tokens[i].empty()) order.emplace_back(begin_of(tokens[i]), static_cast<std::int32_t>(i));
    std::sort(order.begin(), order.end(), [&](auto const& a, auto const& b) {
      if (a.first != b.first) return a.first < b.first;
      auto const by_text = text_of(a.second).compare(text_of(b.second));
      return by_text != 0 ? by_text < 0 : a.second < b.second;
    });
    begins_.reserve(order.size());
    ids_.reserve(order.size());
    for (auto const& [begin, id] : order) {
      begins_.push_back(begin);
      ids_.push_back(id);
    }
  }

  /// The ids of a token that comes twice, if there is one: of several, the one that comes again first.
  [[nodiscard]] std::optional<std::pair<std::int32_t, std::int32_t>> repeated() const {
    std::optional<std::pair<std::int32_t, std::int32_t>> out;
    for (std::size_t i = 1; i < ids_.size(); ++i) {
      bool const same = begins_[i - 1] == begins_[i] && text_of(ids_[i - 1]) == text_of(ids_[i]);
      if (same && (!out || ids_[i] < out->second)) out = {ids_[i - 1], ids_[i]};
    }
    return out;
  }

  /// The id of a token, -1 where there is none.
  [[nodiscard]] std::int32_t find(std::string_view piece) const {
    auto const begin = begin_of(piece);
    auto const first = std::lower_bound(begins_.begin(), begins_.end(), begin);
    if (first == begins_.end() || *first != begin) return -1;
    auto id = ids_.begin() + (first - begins_.begin());
    auto const next = first + 1;
    if (next != begins_.end() && *next == begin) {
      auto const last = ids_.begin() + (std::upper_bound(next, begins_.end(), begin) - begins_.begin());
      id = std::lower_bound(id, last, piece,
                            [&](std::int32_t i, std::string_view text) { return text_of(i) < text; });
      if (id == last) return -1;
    }
    return text_of(*id) == piece ? *id : -1;
  }

  /// The same for tokens that text may become.
  [[nodiscard]] std::int32_t find_plain(std::string_view piece) const {
    auto const id = find(piece);
    return id >= 0 && special[static_cast<std::size_t>(id)] ? -1 : id;
  }

  std::vector<bool> special;  // by id

 private:
  [[nodiscard]] std::string_view text_of(std::int32_t id) const {
    return tokens_[static_cast<std::size_t>(id)];
  }

  /// The first eight bytes, zeros behind a shorter text: sorts as the text does, or equal.
  [[nodiscard]] static std::uint64_t begin_of(std::string_view text) noexcept {
    std::uint64_t out = 0;
    for (unsigned char const c : unsigned_bytes(text.substr(0, 8))) out = out << 8 | c;
    return text.empty() ? 0 : out << (8 - std::min<std::size_t>(text.size(), 8)) * 8;
  }

  std::span<std::string const> tokens_;
  std::vector<std::uint64_t> begins_;  // sorted, as `ids_` is by the tokens
  std::vector<std::int32_t> ids_;
};

/// Working memory of one call of encode.
struct encode_workspace {
  std::vector<std::int32_t> symbols;
  bpe_merges::workspace merges;
};

/// The merges by ids. Throws file_error where a string is no token, or a pair comes twice.
[[nodiscard]] inline bpe_merges index_merges(tokenizer_parts const& parts, token_index const& index) {
  std::vector<bpe_merge> list;
  list.reserve(parts.merges.size());
  for (std::size_t rank = 0; rank < parts.merges.size(); ++rank) {
    auto const& left = parts.merges[rank].left;
    auto const& right = parts.merges[rank].right;
    auto const id = [&](std::string const& text) {
      auto const found = index.find(text);
      if (found >= 0) return found;
      fail_parts(parts, "merge " + std::to_string(rank) + ", " + show_token(left) + " + " +
                            show_token(right) + ": " + show_token(text) + " is not a token");
    };
    list.push_back({id(left), id(right), id(left + right)});
  }
  bpe_merges merges(std::move(list), parts.tokens.size());
  if (auto const rank = merges.repeated()) {
    auto const& [left, right] = parts.merges[*rank];
    fail_parts(parts, "merge " + std::to_string(*rank) + ", " + show_token(left) + " + " + show_token(right) +
                          ", comes twice");
  }
  return merges;
}

/// Throws usage_error for what encode_options::strict forbids.
[[noreturn]] inline void fail_strict(std::string_view what, std::string_view word) {
  throw usage_error("tokenizer: the vocabulary has no token for " + std::string(what) + " in '" +
                    escape_utf8(word) + "'");
}

}  // namespace lancet::detail
