// SPDX-License-Identifier: Apache-2.0
// Byte-level BPE: a word's bytes are its symbols, merges join them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/bpe.hpp"
#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// The model of tokenizer_kind::byte_bpe; refers to the parts and the index that it is made of.
class byte_bpe {
 public:
  /// Throws file_error for missing letters, and merges of or into what is no token.
  byte_bpe(tokenizer_parts const& parts, detail::token_index const& names) : parts_(parts), index_(names) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      auto const name = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
      byte_ids_[byte] = names.find(name);
      bool const needed = (byte >= 0x20 && byte < 0x7f) || byte == 0x0a;
      if (byte_ids_[byte] < 0 && needed && !parts.partial_alphabet) {
        detail::fail_parts(parts, "no token for byte " + std::to_string(byte) + ", " +
                                      detail::show_token(name) +
                                      ": a byte-level vocabulary has all printable ASCII characters and the "
                                      "line feed");
      }
    }
    merges_ = detail::index_merges(parts, names);
  }

  /// Adds the ids of `word`. Throws usage_error for a byte without a token if `strict`.
  void encode(std::string_view word, bool strict, detail::encode_workspace& work,
              std::vector<std::int32_t>& ids) const {
    if (parts_.ignore_merges) {
      if (auto const whole = index_.find_plain(to_byte_alphabet(word)); whole >= 0) {
        ids.push_back(whole);
        return;
      }
    }
    work.symbols.clear();
    bool unknown_before = false;
    for (unsigned const byte : unsigned_bytes(word)) {
      auto const id = byte_ids_[byte];
      if (id >= 0) {
        work.symbols.push_back(id);
      } else if (strict) {
        detail::fail_strict("byte " + std::to_string(byte), word);
      } else if (parts_.unknown && !(unknown_before && parts_.fuse_unknown)) {
        work.symbols.push_back(*parts_.unknown);
      }
      unknown_before = id < 0;
    }
    auto const n = merges_.apply(work.symbols, work.merges);
    ids.insert(ids.end(), work.symbols.begin(), work.symbols.begin() + static_cast<std::ptrdiff_t>(n));
  }

  [[nodiscard]] bpe_merges const& merges() const noexcept { return merges_; }

  /// Whether a byte or a merge makes each token.
  [[nodiscard]] std::vector<bool> made() const {
    std::vector<bool> out(parts_.tokens.size(), false);
    for (auto const id : byte_ids_) {
      if (id >= 0) out[static_cast<std::size_t>(id)] = true;
    }
    for (auto const& merge : merges_.merges()) out[static_cast<std::size_t>(merge.joined)] = true;
    return out;
  }

 private:
  tokenizer_parts const& parts_;
  detail::token_index const& index_;
  std::array<std::int32_t, 256> byte_ids_{};  // -1: the vocabulary lacks the byte
  bpe_merges merges_;
};

}  // namespace lancet
