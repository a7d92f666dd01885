// SPDX-License-Identifier: Apache-2.0
// Word-level comparison of two texts by their longest common subsequence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/markup.hpp"

namespace lancet::html {

/// Both texts, with words only in the first in `<del>` and words only in the second in `<ins>`.
struct word_diff_result {
  markup before;
  markup after;
  bool compared = true;  ///< false where a text was too long to compare: both are then unmarked
};

namespace detail {
/// Words, each with the white space that follows it, so that joining them gives the text back.
[[nodiscard]] inline std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view space = " \t\n";
  std::vector<std::string_view> out;
  while (!text.empty()) {
    std::size_t const word = std::min(text.find_first_of(space, 0), text.size());
    std::size_t const next = std::min(text.find_first_not_of(space, word), text.size());
    out.push_back(text.substr(0, next));
    text.remove_prefix(next);
  }
  return out;
}
[[nodiscard]] inline std::string_view bare(std::string_view word) {
  return word.substr(0, std::min(word.find_first_of(" \t\n"), word.size()));
}

/// Writes words, with runs of those not in `common` inside one element.
template <std::size_t N, std::size_t M>
[[nodiscard]] markup marked(std::vector<std::string_view> const& text, std::vector<bool> const& common,
                            char const (&open)[N], char const (&close)[M]) {
  markup out;
  for (std::size_t i = 0; i < text.size();) {
    if (common[i]) {
      out.add(text[i++]);
      continue;
    }
    out.add(open);
    while (i < text.size() && !common[i]) out.add(text[i++]);
    out.add(close);
  }
  return out;
}
}  // namespace detail

/// Compares texts of up to `limit` words each: time and memory are bounded by limit².
[[nodiscard]] inline word_diff_result word_diff(std::string_view before, std::string_view after,
                                                std::size_t limit = 400) {
  auto const a = detail::words(before), b = detail::words(after);
  if (a.size() > limit || b.size() > limit) return {html(before), html(after), false};
  // length[i][j]: the longest common subsequence of a[i..] and b[j..].
  std::size_t const stride = b.size() + 1;
  std::vector<std::uint16_t> length((a.size() + 1) * stride, 0);
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      length[i * stride + j] = detail::bare(a[i]) == detail::bare(b[j])
                                   ? static_cast<std::uint16_t>(length[(i + 1) * stride + j + 1] + 1)
                                   : std::max(length[(i + 1) * stride + j], length[i * stride + j + 1]);
    }
  }
  std::vector<bool> in_a(a.size(), false), in_b(b.size(), false);
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (detail::bare(a[i]) == detail::bare(b[j])) {
      in_a[i++] = in_b[j++] = true;
    } else if (length[(i + 1) * stride + j] >= length[i * stride + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return {detail::marked(a, in_a, "<del>", "</del>"), detail::marked(b, in_b, "<ins>", "</ins>"), true};
}

}  // namespace lancet::html
