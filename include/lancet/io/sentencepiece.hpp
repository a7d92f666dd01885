// SPDX-License-Identifier: Apache-2.0
// SentencePiece's BPE (Kudo, Richardson 2018): a word's characters are its symbols; what the vocabulary lacks
// falls back to bytes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/bpe.hpp"
#include "lancet/io/detail/character_fallback.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// The model of tokenizer_kind::sentencepiece; refers to the parts and the index that it is made of. With
/// merges it joins by their rank, as the tokenizers library does; with scores, as SentencePiece does, the
/// adjacent symbols that make the token of the highest score, the leftmost of equals first.
class sentencepiece_bpe {
 public:
  /// Throws file_error for merges that do not fit the tokens, and for scores that are not finite, but for
  /// minus infinity.
  sentencepiece_bpe(tokenizer_parts const& parts, detail::token_index const& names)
      : parts_(parts), index_(names), fallback_(parts, names) {
    if (parts.scores.empty()) {
      merges_ = detail::index_merges(parts, names);
    } else {
      rank_tokens();
    }
  }

  /// Adds the ids of `word`; O(n log n) for its n characters. Throws usage_error for a character without a
  /// token if `strict` and there is no byte fallback.
  void encode(std::string_view word, bool strict, detail::encode_workspace& work,
              std::vector<std::int32_t>& ids) const {
    if (parts_.ignore_merges) {
      if (auto const whole = index_.find_plain(word); whole >= 0) {
        ids.push_back(whole);
        return;
      }
    }
    if (rank_.empty())
      encode_by_merges(word, strict, work, ids);
    else
      encode_by_scores(word, strict, ids);
  }

  [[nodiscard]] bpe_merges const& merges() const noexcept { return merges_; }

 private:
  static constexpr std::uint32_t no_token = UINT32_MAX;

  void encode_by_merges(std::string_view word, bool strict, detail::encode_workspace& work,
                        std::vector<std::int32_t>& ids) const {
    work.symbols.clear();
    bool unknown_before = false;
    for (std::size_t at = 0; at < word.size();) {
      auto const text = word.substr(at, read_utf8(word, at).size);
      auto const id = index_.find(text);
      if (id >= 0)
        work.symbols.push_back(id);
      else
        fallback_.put(text, word, strict, unknown_before, work.symbols);
      unknown_before = id < 0;
      at += text.size();
    }
    auto const n = merges_.apply(work.symbols, work.merges);
    ids.insert(ids.end(), work.symbols.begin(), work.symbols.begin() + static_cast<std::ptrdiff_t>(n));
  }

  /// A part of the word, in a list from left to right; size 0 once it has been joined to the one before.
  struct symbol {
    std::size_t begin;
    std::size_t size;
    std::uint32_t previous;
    std::uint32_t next;
  };

  /// Two neighbours that make a token: its rank << 32 | the left one's place. Stale where their size has
  /// changed.
  struct candidate {
    std::uint64_t key;
    std::size_t size;
    [[nodiscard]] bool operator>(candidate const& other) const noexcept { return key > other.key; }
  };

  void encode_by_scores(std::string_view word, bool strict, std::vector<std::int32_t>& ids) const {
    std::vector<symbol> symbols;
    for (std::size_t at = 0; at < word.size(); at += symbols.back().size) {
      auto const i = static_cast<std::uint32_t>(symbols.size());
      symbols.push_back({at, read_utf8(word, at).size, i - 1, i + 1});
    }
    auto const n = static_cast<std::uint32_t>(symbols.size());
    std::vector<candidate> heap;
    auto const push = [&](std::uint32_t left, std::uint32_t right) {
      auto const size = symbols[left].size + symbols[right].size;
      if (size > longest_) return false;
      auto const id = index_.find(word.substr(symbols[left].begin, size));
      if (id < 0 || rank_[static_cast<std::size_t>(id)] == no_token) return false;
      heap.push_back({static_cast<std::uint64_t>(rank_[static_cast<std::size_t>(id)]) << 32 | left, size});
      return true;
    };
    for (std::uint32_t i = 0; i + 1 < n; ++i) push(i, i + 1);
    std::make_heap(heap.begin(), heap.end(), std::greater<>{});
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
      auto const left = static_cast<std::uint32_t>(heap.back().key);
      auto const size = heap.back().size;
      heap.pop_back();
      auto const right = symbols[left].next;
      if (symbols[left].size == 0 || right >= n || symbols[left].size + symbols[right].size != size) continue;
      symbols[left].size = size;
      symbols[right].size = 0;
      auto const after = symbols[left].next = symbols[right].next;
      if (after < n) {
        symbols[after].previous = left;
        if (push(left, after)) std::push_heap(heap.begin(), heap.end(), std::greater<>{});
      }
      if (left > 0 && push(symbols[left].previous, left))
        std::push_heap(heap.begin(), heap.end(), std::greater<>{});
    }
    bool unknown_before = false;
    for (std::uint32_t i = 0; i < n; i = symbols[i].next) {
      auto const text = word.substr(symbols[i].begin, symbols[i].size);
      auto const id = index_.find(text);
      bool const known = id >= 0 && rank_[static_cast<std::size_t>(id)] != no_token;
      if (known)
        ids.push_back(id);
      else
        fallback_.put(text, word, strict, unknown_before, ids);
      unknown_before = !known;
    }
  }

  /// Equal scores get one rank: then the leftmost comes first, whichever token it makes.
  void rank_tokens() {
    auto const& tokens = parts_.tokens;
    if (parts_.scores.size() != tokens.size()) {
      detail::fail_parts(parts_, "got " + std::to_string(parts_.scores.size()) + " scores for " +
                                     std::to_string(tokens.size()) + " tokens");
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (parts_.scores[i] == -std::numeric_limits<double>::infinity()) continue;
      if (!std::isfinite(parts_.scores[i]))
        detail::fail_parts(parts_, "the score of token " + std::to_string(i) + " is not finite");
      if (tokens[i].empty() || index_.special[i]) continue;
      order.push_back(i);
      longest_ = std::max(longest_, tokens[i].size());
    }
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return parts_.scores[a] > parts_.scores[b]; });
    rank_.assign(tokens.size(), no_token);
    std::uint32_t rank = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      if (k > 0 && parts_.scores[order[k]] != parts_.scores[order[k - 1]]) ++rank;
      rank_[order[k]] = rank;
    }
  }

  tokenizer_parts const& parts_;
  detail::token_index const& index_;
  detail::character_fallback fallback_;
  bpe_merges merges_;
  std::vector<std::uint32_t> rank_;  // by id, with scores only; no_token: text never becomes it
  std::size_t longest_ = 0;
};

}  // namespace lancet
