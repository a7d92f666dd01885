// SPDX-License-Identifier: Apache-2.0
// The lookup tables of a tokenizer, built from its parts; all checks of the parts are here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/added_tokens.hpp"
#include "lancet/io/bpe.hpp"
#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/nfc.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

/// FNV-1a, 64 bits, over values that each carry their length.
class content_hash {
 public:
  void add(std::uint64_t value) noexcept {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<unsigned char>(value >> shift));
  }
  void add(std::string_view text) noexcept {
    add(static_cast<std::uint64_t>(text.size()));
    for (unsigned char const c : unsigned_bytes(text)) byte(c);
  }
  [[nodiscard]] std::string hex() const {
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out.push_back("0123456789abcdef"[state_ >> shift & 15]);
    return out;
  }

 private:
  void byte(unsigned char c) noexcept { state_ = (state_ ^ c) * 0x100000001b3u; }

  std::uint64_t state_ = 0xcbf29ce484222325u;
};

class tokenizer_tables {
 public:
  explicit tokenizer_tables(tokenizer_parts p) : parts(std::move(p)) {
    index_tokens();
    index_bytes();
    index_merges();
    index_added();
    check_id(parts.bos, "the start token");
    check_id(parts.eos, "the end token");
    check_id(parts.unknown, "the unknown token");
    hash = content();
  }
  tokenizer_tables(tokenizer_tables const&) = delete;  // `ids` refers to `parts`
  tokenizer_tables& operator=(tokenizer_tables const&) = delete;
  ~tokenizer_tables() = default;

  tokenizer_parts parts;  // less the merges' strings
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<std::string> bytes;            // by id
  std::vector<bool> special;                 // by id
  std::array<std::int32_t, 256> byte_ids{};  // -1: the vocabulary lacks the byte
  bpe_merges merges;
  added_token_finder added_first;  // the added tokens by when they are looked for: before normalisation
  added_token_finder added_later;  // or after it
  std::string hash;

 private:
  [[noreturn]] void fail(std::string const& what) const {
    throw file_error(parts.source.empty() ? "tokenizer" : parts.source, what);
  }

  [[nodiscard]] static std::string show(std::string_view text) { return "'" + escape_utf8(text) + "'"; }

  void check_id(std::optional<std::int32_t> id, std::string const& name) const {
    if (!id) return;
    if (*id < 0 || static_cast<std::size_t>(*id) >= parts.tokens.size()) {
      fail(name + " is id " + std::to_string(*id) + ", expected 0 to " +
           std::to_string(parts.tokens.size() - 1));
    }
    if (parts.tokens[static_cast<std::size_t>(*id)].empty())
      fail(name + " is id " + std::to_string(*id) + ", which no token has");
  }

  void index_tokens() {
    if (parts.tokens.empty()) fail("the vocabulary is empty");
    if (parts.tokens.size() > most_tokens) {
      fail("got " + std::to_string(parts.tokens.size()) + " tokens, expected at most " +
           std::to_string(most_tokens));
    }
    ids.reserve(parts.tokens.size());
    bytes.reserve(parts.tokens.size());
    for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
      auto const& token = parts.tokens[i];
      if (!is_valid_utf8(token))
        fail("token " + std::to_string(i) + ", " + show(token) + ", is not valid UTF-8");
      auto plain = from_byte_alphabet(token);
      bytes.push_back(plain ? std::move(*plain) : token);
      if (token.empty()) continue;
      auto const [other, is_new] = ids.emplace(token, static_cast<std::int32_t>(i));
      if (!is_new) {
        fail("token " + show(token) + " comes twice, as ids " + std::to_string(other->second) + " and " +
             std::to_string(i));
      }
    }
  }

  void index_added() {
    special.assign(parts.tokens.size(), false);
    // A byte or a merged token that is an added token as well keeps its bytes.
    std::vector<bool> made(parts.tokens.size(), false);
    for (auto const id : byte_ids) {
      if (id >= 0) made[static_cast<std::size_t>(id)] = true;
    }
    for (auto const& merge : merges.merges()) made[static_cast<std::size_t>(merge.joined)] = true;
    std::vector<bool> seen(parts.tokens.size(), false);
    std::vector<added_token_finder::entry> first;
    std::vector<added_token_finder::entry> later;
    for (auto const& token : parts.added) {
      check_id(token.id, "an added token");
      auto const id = static_cast<std::size_t>(token.id);
      auto const& text = parts.tokens[id];
      if (text.size() > most_added_bytes) {
        fail("added token " + show(text) + " has " + std::to_string(text.size()) +
             " bytes, expected at most " + std::to_string(most_added_bytes));
      }
      if (seen[id]) fail("added token " + show(text) + " comes twice");
      seen[id] = true;
      special[id] = token.special;
      auto const& stands_for = token.normalized && parts.nfc ? to_nfc(text) : text;
      if (!made[id]) bytes[id] = stands_for;
      (token.normalized ? later : first).push_back({stands_for, token});
    }
    std::unordered_map<std::string_view, std::int32_t> normal;
    for (auto const& entry : later) {
      auto const [other, is_new] = normal.emplace(entry.text, entry.token.id);
      if (!is_new) {
        fail("added tokens " + std::to_string(other->second) + " and " + std::to_string(entry.token.id) +
             " are both " + show(entry.text) + " in normalisation form C");
      }
    }
    added_first = added_token_finder(std::move(first));
    added_later = added_token_finder(std::move(later));
  }

  void index_bytes() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      auto const name = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
      auto const found = ids.find(name);
      byte_ids[byte] = found == ids.end() ? -1 : found->second;
      bool const needed = (byte >= 0x20 && byte < 0x7f) || byte == 0x0a;
      if (byte_ids[byte] < 0 && needed && !parts.partial_alphabet) {
        fail("no token for byte " + std::to_string(byte) + ", " + show(name) +
             ": a byte-level vocabulary has all printable ASCII characters and the line feed");
      }
    }
  }

  void index_merges() {
    std::vector<bpe_merge> list;
    list.reserve(parts.merges.size());
    for (std::size_t rank = 0; rank < parts.merges.size(); ++rank) {
      auto const& left = parts.merges[rank].left;
      auto const& right = parts.merges[rank].right;
      auto const id = [&](std::string const& text) {
        auto const found = ids.find(text);
        if (found != ids.end()) return found->second;
        fail("merge " + std::to_string(rank) + ", " + show(left) + " + " + show(right) + ": " + show(text) +
             " is not a token");
      };
      list.push_back({id(left), id(right), id(left + right)});
    }
    merges = bpe_merges(std::move(list), parts.tokens.size());
    if (auto const rank = merges.repeated()) {
      auto const& [left, right] = parts.merges[*rank];
      fail("merge " + std::to_string(*rank) + ", " + show(left) + " + " + show(right) + ", comes twice");
    }
    parts.merges = {};
  }

  [[nodiscard]] std::string content() const {
    content_hash h;
    h.add(parts.tokens.size());
    for (auto const& token : parts.tokens) h.add(token);
    h.add(merges.merges().size());
    for (auto const& m : merges.merges()) {
      h.add(static_cast<std::uint64_t>(m.left) << 32 | static_cast<std::uint32_t>(m.right));
    }
    auto added = parts.added;
    std::sort(added.begin(), added.end(), [](auto const& a, auto const& b) { return a.id < b.id; });
    h.add(added.size());
    for (auto const& t : added) {
      h.add(static_cast<std::uint64_t>(t.id));
      h.add((t.special ? 1u : 0u) | (t.lstrip ? 2u : 0u) | (t.rstrip ? 4u : 0u) | (t.normalized ? 8u : 0u));
    }
    h.add(parts.nfc ? 1u : 0u);
    h.add(parts.steps.size());
    for (auto const& step : parts.steps) h.add(describe(step));
    h.add(parts.ignore_merges ? 1u : 0u);
    h.add(parts.unknown ? static_cast<std::uint64_t>(*parts.unknown) + 1 : 0u);
    h.add(parts.fuse_unknown ? 1u : 0u);
    return h.hex();
  }

  static constexpr std::size_t most_tokens = std::size_t{1} << 22;
  // The finder may read as far ahead at every place of a text.
  static constexpr std::size_t most_added_bytes = 1024;
};

}  // namespace lancet::detail
