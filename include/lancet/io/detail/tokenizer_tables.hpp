// SPDX-License-Identifier: Apache-2.0
// The lookup tables of a tokenizer, built from its parts; all checks of the parts are here.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lancet/io/added_tokens.hpp"
#include "lancet/io/bpe.hpp"
#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/byte_bpe.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/sentencepiece.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"
#include "lancet/io/unigram.hpp"
#include "lancet/io/wordpiece.hpp"

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

/// How words become tokens: one of the models.
using tokenizer_model = std::variant<byte_bpe, sentencepiece_bpe, unigram, wordpiece>;

[[nodiscard]] inline tokenizer_model make_model(tokenizer_parts const& parts, token_index const& index) {
  switch (parts.kind) {
    case tokenizer_kind::byte_bpe:
      return tokenizer_model(std::in_place_type<byte_bpe>, parts, index);
    case tokenizer_kind::sentencepiece:
      return tokenizer_model(std::in_place_type<sentencepiece_bpe>, parts, index);
    case tokenizer_kind::unigram:
      return tokenizer_model(std::in_place_type<unigram>, parts, index);
    case tokenizer_kind::wordpiece:
      return tokenizer_model(std::in_place_type<wordpiece>, parts, index);
  }
  fail_parts(parts, "unknown tokenizer_kind");
}

class tokenizer_tables {
 public:
  explicit tokenizer_tables(tokenizer_parts p)
      : parts(std::move(p)), index(index_tokens()), model(make_model(parts, index)) {
    parts.merges = {};
    check_steps(parts.normalize.size(), "normalizer");
    check_steps(parts.steps.size(), "pre_tokenizer");
    check_steps(parts.decode.size(), "decoder");
    index_bytes();
    index_added();
    check_id(parts.bos, "the start token");
    check_id(parts.eos, "the end token");
    check_id(parts.unknown, "the unknown token");
    check_template(parts.around.single, false);
    check_template(parts.around.pair, true);
    hash = content();
  }
  tokenizer_tables(tokenizer_tables const&) = delete;  // `index` and `model` refer to `parts`
  tokenizer_tables& operator=(tokenizer_tables const&) = delete;
  ~tokenizer_tables() = default;

  tokenizer_parts parts;  // less the merges' strings
  token_index index;
  tokenizer_model model;
  std::vector<std::string> bytes;               // by id
  std::map<std::int32_t, std::string> written;  // added tokens that decoding writes as normalised
  added_token_finder added_first;  // the added tokens by when they are looked for: before normalisation
  added_token_finder added_later;  // or after it
  std::string hash;

 private:
  [[noreturn]] void fail(std::string const& what) const { fail_parts(parts, what); }

  [[nodiscard]] static std::string show(std::string_view text) { return show_token(text); }

  void check_id(std::optional<std::int32_t> id, std::string const& name) const {
    if (!id) return;
    if (*id < 0 || static_cast<std::size_t>(*id) >= parts.tokens.size()) {
      fail(name + " is id " + std::to_string(*id) + ", expected 0 to " +
           std::to_string(parts.tokens.size() - 1));
    }
    if (parts.tokens[static_cast<std::size_t>(*id)].empty())
      fail(name + " is id " + std::to_string(*id) + ", which no token has");
  }

  void check_steps(std::size_t n, std::string const& name) const {
    if (n > most_steps) {
      fail(name + ": got " + std::to_string(n) + " steps, expected at most " + std::to_string(most_steps));
    }
  }

  void check_template(std::vector<template_piece> const& pieces, bool pair) const {
    std::size_t first = 0;
    std::size_t second = 0;
    for (auto const& piece : pieces) {
      if (piece.id == template_piece::first_text)
        ++first;
      else if (piece.id == template_piece::second_text && pair)
        ++second;
      else
        check_id(piece.id, "a token of the template");
    }
    bool const absent = pair && pieces.empty();  // then there is no form for a pair
    if (!absent && (first != 1 || second != (pair ? 1u : 0u)))
      fail(pair ? "the template for a pair has not each text once"
                : "the template for one text has it not once");
  }

  [[nodiscard]] token_index index_tokens() const {
    if (parts.tokens.empty()) fail("the vocabulary is empty");
    if (parts.tokens.size() > most_tokens) {
      fail("got " + std::to_string(parts.tokens.size()) + " tokens, expected at most " +
           std::to_string(most_tokens));
    }
    for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
      auto const& token = parts.tokens[i];
      if (!is_valid_utf8(token))
        fail("token " + std::to_string(i) + ", " + show(token) + ", is not valid UTF-8");
      if (parts.kind != tokenizer_kind::byte_bpe && token.size() > most_token_bytes) {
        fail("token " + std::to_string(i) + ", " + show(token) + ", has " + std::to_string(token.size()) +
             " bytes, expected at most " + std::to_string(most_token_bytes));
      }
    }
    token_index out(parts.tokens);
    if (auto const ids = out.repeated()) {
      fail("token " + show(parts.tokens[static_cast<std::size_t>(ids->first)]) + " comes twice, as ids " +
           std::to_string(ids->first) + " and " + std::to_string(ids->second));
    }
    std::vector<bool> seen(parts.tokens.size(), false);
    for (auto const& token : parts.added) {
      check_id(token.id, "an added token");
      auto const id = static_cast<std::size_t>(token.id);
      auto const& text = parts.tokens[id];
      if (text.size() > most_token_bytes) {
        fail("added token " + show(text) + " has " + std::to_string(text.size()) +
             " bytes, expected at most " + std::to_string(most_token_bytes));
      }
      if (seen[id]) fail("added token " + show(text) + " comes twice");
      seen[id] = true;
      out.special[id] = token.special;
    }
    return out;
  }

  /// What each token stands for, the added ones still as ordinary ones.
  void index_bytes() {
    bytes.reserve(parts.tokens.size());
    for (auto const& token : parts.tokens) bytes.push_back(bytes_of(token));
  }

  [[nodiscard]] std::string bytes_of(std::string const& token) const {
    switch (parts.kind) {
      case tokenizer_kind::byte_bpe:
        return from_byte_alphabet(token).value_or(token);
      case tokenizer_kind::wordpiece:
        return token.starts_with(parts.continuing_prefix) ? token.substr(parts.continuing_prefix.size())
                                                          : " " + token;
      default:
        if (auto const byte = byte_of_token(token); byte && parts.byte_fallback)
          return std::string(1, static_cast<char>(*byte));
        return replace_all(token, "\u2581", " ");
    }
  }

  void index_added() {
    // A byte or a merged token that is an added token as well keeps its bytes.
    auto const* const by_bytes = std::get_if<byte_bpe>(&model);
    auto const made = by_bytes ? by_bytes->made() : std::vector<bool>(parts.tokens.size(), false);
    std::vector<added_token_finder::entry> first;
    std::vector<added_token_finder::entry> later;
    for (auto const& token : parts.added) {
      auto const id = static_cast<std::size_t>(token.id);
      auto const& text = parts.tokens[id];
      auto const stands_for =
          token.normalized ? normalize_within(parts.normalize, text, most_token_bytes,
                                              std::string(source_of(parts)) + ": added token " + show(text))
                           : text;
      if (stands_for.empty()) fail("added token " + show(text) + " is empty once it is normalised");
      if (!made[id]) bytes[id] = stands_for;
      if (!by_bytes && stands_for != text) written.emplace(token.id, stands_for);
      (token.normalized ? later : first).push_back({stands_for, token});
    }
    std::map<std::string_view, std::int32_t> normal;
    for (auto const& entry : later) {
      auto const [other, is_new] = normal.emplace(entry.text, entry.token.id);
      if (!is_new) {
        fail("added tokens " + std::to_string(other->second) + " and " + std::to_string(entry.token.id) +
             " are both " + show(entry.text) + " in their normalised form");
      }
    }
    added_first = added_token_finder(std::move(first));
    added_later = added_token_finder(std::move(later));
  }

  /// byte_bpe's is pinned: results name their tokenizers by it.
  [[nodiscard]] std::string content() const {
    content_hash h;
    h.add(parts.tokens.size());
    for (auto const& token : parts.tokens) h.add(token);
    auto const merges = std::visit(
        [](auto const& m) {
          if constexpr (requires { m.merges(); }) return m.merges().merges();
          return std::span<bpe_merge const>();
        },
        model);
    h.add(merges.size());
    for (auto const& m : merges) {
      h.add(static_cast<std::uint64_t>(m.left) << 32 | static_cast<std::uint32_t>(m.right));
    }
    auto added = parts.added;
    std::sort(added.begin(), added.end(), [](auto const& a, auto const& b) { return a.id < b.id; });
    h.add(added.size());
    for (auto const& t : added) {
      h.add(static_cast<std::uint64_t>(t.id));
      h.add((t.special ? 1u : 0u) | (t.lstrip ? 2u : 0u) | (t.rstrip ? 4u : 0u) | (t.normalized ? 8u : 0u));
    }
    bool const only_nfc = parts.normalize.size() == 1 && std::holds_alternative<nfc_form>(parts.normalize[0]);
    h.add(parts.normalize.empty() ? 0u : only_nfc ? 1u : 1 + parts.normalize.size());
    if (!only_nfc)
      for (auto const& step : parts.normalize) h.add(describe(step));
    h.add(parts.steps.size());
    for (auto const& step : parts.steps) h.add(describe(step));
    h.add(parts.ignore_merges ? 1u : 0u);
    h.add(parts.unknown ? static_cast<std::uint64_t>(*parts.unknown) + 1 : 0u);
    h.add(parts.fuse_unknown ? 1u : 0u);
    if (parts.kind == tokenizer_kind::byte_bpe) return h.hex();
    h.add(static_cast<std::uint64_t>(parts.kind));
    h.add(parts.byte_fallback ? 1u : 0u);
    for (double const score : parts.scores) h.add(std::bit_cast<std::uint64_t>(score));
    h.add(parts.continuing_prefix);
    h.add(parts.most_word_chars);
    return h.hex();
  }

  static constexpr std::size_t most_tokens = std::size_t{1} << 22;
  // The finders and models may read as far ahead at every place of a text.
  static constexpr std::size_t most_token_bytes = 1024;
  // Each goes over the whole text; files have ten at most.
  static constexpr std::size_t most_steps = 64;
};

}  // namespace lancet::detail
