// SPDX-License-Identifier: Apache-2.0
// A vocabulary's strings and their ids, as the models of tokenizers look them up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/bpe.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

/// "FILE: what" as a file_error.
[[noreturn]] inline void fail_parts(tokenizer_parts const& parts, std::string const& what) {
  throw file_error(parts.source.empty() ? "tokenizer" : parts.source, what);
}

[[nodiscard]] inline std::string show_token(std::string_view text) { return "'" + escape_utf8(text) + "'"; }

struct token_index {
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<bool> special;  // by id

  /// The id of a token, -1 where there is none.
  [[nodiscard]] std::int32_t find(std::string_view piece) const {
    auto const found = ids.find(piece);
    return found == ids.end() ? -1 : found->second;
  }

  /// The same for tokens that text may become.
  [[nodiscard]] std::int32_t find_plain(std::string_view piece) const {
    auto const id = find(piece);
    return id >= 0 && special[static_cast<std::size_t>(id)] ? -1 : id;
  }
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
