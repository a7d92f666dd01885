// SPDX-License-Identifier: Apache-2.0
// What becomes of characters that a SentencePiece vocabulary lacks: their bytes, the unknown token, or nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/decode_steps.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

class character_fallback {
 public:
  /// Throws file_error where bytes are wanted and one has no token.
  character_fallback(tokenizer_parts const& parts, token_index const& index)
      : unknown_(parts.unknown), fuses_(parts.fuse_unknown), bytes_wanted_(parts.byte_fallback) {
    if (!bytes_wanted_) return;
    for (unsigned byte = 0; byte < 256; ++byte) {
      static constexpr char hex[] = "0123456789ABCDEF";
      std::string const name = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
      bytes_[byte] = index.find(name);
      if (bytes_[byte] < 0) fail_parts(parts, "no token " + show_token(name) + ", which byte fallback needs");
    }
  }

  /// Adds the ids for `text`, characters of `word` that no token has. `after_unknown` says whether an unknown
  /// token for the characters right before is there already.
  void put(std::string_view text, std::string_view word, bool strict, bool after_unknown,
           std::vector<std::int32_t>& ids) const {
    if (bytes_wanted_) {
      for (unsigned const byte : unsigned_bytes(text)) ids.push_back(bytes_[byte]);
    } else if (strict) {
      fail_strict(show_token(text), word);
    } else if (unknown_ && !(after_unknown && fuses_)) {
      ids.push_back(*unknown_);
    }
  }

 private:
  std::optional<std::int32_t> unknown_;
  bool fuses_;
  bool bytes_wanted_;
  std::array<std::int32_t, 256> bytes_{};
};

}  // namespace lancet::detail
