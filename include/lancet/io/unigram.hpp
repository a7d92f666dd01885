// SPDX-License-Identifier: Apache-2.0
// The unigram model (Kudo 2018): of all ways to cut a word into tokens, the one of the highest sum of scores
// (Viterbi 1967).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/detail/character_fallback.hpp"
#include "lancet/io/detail/prefix_table.hpp"
#include "lancet/io/detail/token_index.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// The model of tokenizer_kind::unigram; refers to the parts that it is made of. A character that no token
/// has costs 10 more than the worst token. Of equal sums, the one whose last token begins first.
class unigram {
 public:
  /// Throws file_error for scores that are not finite, but for minus infinity.
  unigram(tokenizer_parts const& parts, detail::token_index const& names) : fallback_(parts, names) {
    auto const& tokens = parts.tokens;
    if (parts.scores.size() > tokens.size()) {
      detail::fail_parts(parts, "got " + std::to_string(parts.scores.size()) + " scores for " +
                                    std::to_string(tokens.size()) + " tokens");
    }
    std::vector<detail::prefix_table::entry> entries;
    auto worst = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < parts.scores.size(); ++i) {
      if (parts.scores[i] == -std::numeric_limits<double>::infinity()) continue;
      if (!std::isfinite(parts.scores[i]))
        detail::fail_parts(parts, "the score of token " + std::to_string(i) + " is not finite");
      worst = std::min(worst, parts.scores[i]);
      if (!tokens[i].empty() && !names.special[i])
        entries.push_back({tokens[i], static_cast<std::int32_t>(i)});
    }
    scores_ = parts.scores;
    unknown_score_ = std::isfinite(worst) ? worst - 10.0 : -10.0;
    table_ = detail::prefix_table(std::move(entries));
  }

  /// Adds the ids of `word`; O(n * length of the longest token). Throws usage_error for a character without a
  /// token if `strict` and there is no byte fallback.
  void encode(std::string_view word, bool strict, detail::encode_workspace&,
              std::vector<std::int32_t>& ids) const {
    /// The best way to get to a place: its last token and that token's begin.
    struct step {
      double score = 0.0;
      std::size_t begin = nowhere;
      std::int32_t id = unknown;
    };
    std::vector<step> best(word.size() + 1);
    auto const offer = [&](std::size_t begin, std::size_t size, double score, std::int32_t id) {
      auto& to = best[begin + size];
      if (double const sum = best[begin].score + score; to.begin == nowhere || sum > to.score)
        to = {sum, begin, id};
    };
    for (std::size_t at = 0; at < word.size();) {
      auto const size = read_utf8(word, at).size;
      bool has_character = false;
      table_.each(word.substr(at), [&](std::size_t length, std::int32_t id) {
        offer(at, length, scores_[static_cast<std::size_t>(id)], id);
        has_character |= length == size;
      });
      if (!has_character) offer(at, size, unknown_score_, unknown);
      at += size;
    }
    std::vector<std::size_t> ends;
    for (auto end = word.size(); end > 0; end = best[end].begin) ends.push_back(end);
    bool unknown_before = false;
    for (auto i = ends.rbegin(); i != ends.rend(); ++i) {
      auto const& last = best[*i];
      if (last.id != unknown)
        ids.push_back(last.id);
      else
        fallback_.put(word.substr(last.begin, *i - last.begin), word, strict, unknown_before, ids);
      unknown_before = last.id == unknown;
    }
  }

 private:
  static constexpr std::int32_t unknown = -1;
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  detail::character_fallback fallback_;
  detail::prefix_table table_;
  std::vector<double> scores_;
  double unknown_score_ = 0.0;
};

}  // namespace lancet
