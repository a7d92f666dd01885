// SPDX-License-Identifier: Apache-2.0
// Added tokens (<|im_end|> and the like): found in a text before it is cut into words.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet {

/// A token that is matched literally. Its text is tokens[id] of the tokenizer, as plain UTF-8.
struct added_token {
  std::int32_t id = 0;
  /// A mark, not text: see encode_options::parse_special and decode_options::skip_special.
  bool special = false;
  /// Takes in the white space on its left.
  bool lstrip = false;
  /// Takes in the white space on its right.
  bool rstrip = false;
  /// Is looked for after normalisation, in what the other added tokens have left.
  bool normalized = false;
};

/// A part of a text: an added token where id >= 0, else text still to be encoded.
struct text_segment {
  std::string_view text;
  std::int32_t id = -1;
};

/// Finds a set of added tokens: leftmost, of those the longest, without overlap.
class added_token_finder {
 public:
  added_token_finder() = default;

  /// One token with the text that stands for it. Texts are not empty and differ.
  struct entry {
    std::string text;
    added_token token;
  };

  explicit added_token_finder(std::vector<entry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(), [](auto const& a, auto const& b) { return a.text < b.text; });
    for (auto const& e : entries_) is_first_[static_cast<unsigned char>(e.text.front())] = true;
  }

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

  /// Adds the segments of `text` to `out`. Without `parse_special`, the text of special tokens stays plain
  /// text.
  void split(std::string_view text, bool parse_special, std::vector<text_segment>& out) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      auto const* const found =
          is_first_[static_cast<unsigned char>(text[at])] ? longest_at(text, at) : nullptr;
      if (found == nullptr) {
        ++at;
        continue;
      }
      auto begin = at;
      at += found->text.size();
      if (found->token.special && !parse_special) continue;
      if (found->token.lstrip) begin = begin_of_space_before(text, begin, done);
      // Between `at` and a later `done` all is white space that was taken in before.
      auto const end = found->token.rstrip ? end_of_space_after(text, std::max(at, done)) : at;
      if (begin >= end)
        continue;  // all of it went to the token before, which takes in the white space on its right
      if (begin > done) out.push_back({text.substr(done, begin - done)});
      out.push_back({text.substr(begin, end - begin), found->token.id});
      done = end;
    }
    if (done < text.size()) out.push_back({text.substr(done)});
  }

 private:
  // Narrows the sorted entries to those that agree with the text in one byte more each time.
  [[nodiscard]] entry const* longest_at(std::string_view text, std::size_t at) const {
    entry const* longest = nullptr;
    auto first = entries_.data();
    auto last = entries_.data() + entries_.size();
    for (std::size_t depth = 0; at + depth < text.size(); ++depth) {
      auto const wanted = static_cast<unsigned char>(text[at + depth]);
      auto const byte = [&](entry const& e) { return static_cast<unsigned char>(e.text[depth]); };
      first =
          std::lower_bound(first, last, wanted, [&](entry const& e, unsigned char c) { return byte(e) < c; });
      last =
          std::upper_bound(first, last, wanted, [&](unsigned char c, entry const& e) { return c < byte(e); });
      if (first == last) break;
      if (first->text.size() == depth + 1) longest = first++;  // the shorter text sorts first
    }
    return longest;
  }

  [[nodiscard]] static std::size_t end_of_space_after(std::string_view text, std::size_t at) {
    while (at < text.size()) {
      auto const c = read_utf8(text, at);
      if (!c.valid || classify(c.code) != char_class::space) break;
      at += c.size;
    }
    return at;
  }

  [[nodiscard]] static std::size_t begin_of_space_before(std::string_view text, std::size_t at,
                                                         std::size_t floor) {
    while (at > floor) {
      auto begin = at - 1;
      while (begin > floor && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80)
        --begin;
      auto const c = read_utf8(text, begin);
      if (!c.valid || begin + c.size != at || classify(c.code) != char_class::space) break;
      at = begin;
    }
    return std::max(at, floor);
  }

  std::vector<entry> entries_;  // sorted by text
  std::array<bool, 256> is_first_{};
};

}  // namespace lancet
