// SPDX-License-Identifier: Apache-2.0
// WordPiece: from the left, always the longest token that a word goes on with (Song et al. 2021).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/detail/prefix_table.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// The model of tokenizer_kind::wordpiece; refers to the parts that it is made of. A word that cannot be put
/// together from tokens, or is too long, is unknown as a whole.
class wordpiece {
 public:
  wordpiece(tokenizer_parts const& parts, detail::token_index const& names) : parts_(parts) {
    std::vector<detail::prefix_table::entry> begins;
    std::vector<detail::prefix_table::entry> continues;
    for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
      std::string_view const piece = parts.tokens[i];
      if (piece.empty() || names.special[i]) continue;
      auto const id = static_cast<std::int32_t>(i);
      begins.push_back({piece, id});
      auto const skipped = parts.continuing_prefix.size();
      if (piece.size() > skipped && piece.starts_with(parts.continuing_prefix))
        continues.push_back({piece.substr(skipped), id});
    }
    begins_ = detail::prefix_table(std::move(begins));
    continues_ = detail::prefix_table(std::move(continues));
  }

  /// Adds the ids of `word`; O(most_word_chars * length of the longest token). Throws usage_error for an
  /// unknown word if `strict`.
  void encode(std::string_view word, bool strict, detail::encode_workspace&,
              std::vector<std::int32_t>& ids) const {
    if (has_room(word)) {
      auto const before = ids.size();
      std::size_t at = 0;
      while (at < word.size()) {
        std::size_t longest = 0;
        std::int32_t best = -1;
        (at == 0 ? begins_ : continues_).each(word.substr(at), [&](std::size_t size, std::int32_t id) {
          longest = size;
          best = id;
        });
        if (best < 0) break;
        ids.push_back(best);
        at += longest;
      }
      if (at == word.size()) return;
      ids.resize(before);
    }
    if (strict) detail::fail_strict("each part", word);
    if (parts_.unknown) ids.push_back(*parts_.unknown);
  }

 private:
  [[nodiscard]] bool has_room(std::string_view word) const noexcept {
    std::size_t chars = 0;
    for (std::size_t at = 0; at < word.size(); ++chars) {
      if (chars == parts_.most_word_chars) return false;
      at += read_utf8(word, at).size;
    }
    return true;
  }

  tokenizer_parts const& parts_;
  detail::prefix_table begins_;
  detail::prefix_table continues_;
};

}  // namespace lancet
