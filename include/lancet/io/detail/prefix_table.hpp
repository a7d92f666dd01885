// SPDX-License-Identifier: Apache-2.0
// All tokens that a text goes on with at one place: a sorted list, narrowed by one byte after the other.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lancet::detail {

/// Immutable. No hash, so no file can make it slow: a search takes O(length of the longest token * log(number
/// of tokens)).
class prefix_table {
 public:
  struct entry {
    std::string_view text;
    std::int32_t id;
  };

  prefix_table() = default;

  /// Precondition: the texts are not empty, differ, and outlive the table.
  explicit prefix_table(std::vector<entry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(), [](entry a, entry b) { return a.text < b.text; });
    for (auto const& e : entries_) ++begin_[static_cast<unsigned char>(e.text.front()) + std::size_t{1}];
    for (std::size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
  }

  /// Calls found(size, id) for each token that `text` begins with, the shortest first.
  template <typename Found>
  void each(std::string_view text, Found found) const {
    if (text.empty()) return;
    auto const lead = static_cast<unsigned char>(text[0]);
    auto first = entries_.begin() + static_cast<std::ptrdiff_t>(begin_[lead]);
    auto last = entries_.begin() + static_cast<std::ptrdiff_t>(begin_[lead + std::size_t{1}]);
    for (std::size_t depth = 1; first != last; ++depth) {
      if (first->text.size() == depth) {  // the shorter text sorts first
        found(depth, first->id);
        if (++first == last) return;
      }
      if (depth >= text.size()) return;
      auto const wanted = static_cast<unsigned char>(text[depth]);
      auto const byte = [&](entry const& e) { return static_cast<unsigned char>(e.text[depth]); };
      first =
          std::lower_bound(first, last, wanted, [&](entry const& e, unsigned char c) { return byte(e) < c; });
      last =
          std::upper_bound(first, last, wanted, [&](unsigned char c, entry const& e) { return c < byte(e); });
    }
  }

 private:
  std::vector<entry> entries_;               // sorted by text
  std::array<std::size_t, 257> begin_ = {};  // of the entries with each first byte
};

}  // namespace lancet::detail
