// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: join the adjacent pair of lowest rank, the leftmost of equals, until none is left
// (Sennrich, Haddow, Birch 2016).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace lancet {

/// Tokens `left` and `right`, side by side, become `joined`.
struct bpe_merge {
  std::int32_t left;
  std::int32_t right;
  std::int32_t joined;
};

/// A table of merges; a merge's rank is its place in the list. Immutable: any number of threads may use one.
class bpe_merges {
 public:
  /// Working memory of `apply`, to be used again by the same thread.
  struct workspace {
    std::vector<std::uint32_t> next;
    std::vector<std::uint32_t> previous;
    std::vector<std::uint64_t> heap;
  };

  bpe_merges() = default;

  /// Preconditions: ids are in 0 .. n_tokens - 1, no pair comes twice (see `repeated`), fewer than 2^32
  /// merges.
  bpe_merges(std::vector<bpe_merge> merges, std::size_t n_tokens) : merges_(std::move(merges)) {
    begin_.assign(n_tokens + 1, 0);
    for (auto const& m : merges_) ++begin_[static_cast<std::size_t>(m.left) + 1];
    for (std::size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    by_left_.resize(merges_.size());
    auto place = begin_;
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
      auto const& m = merges_[rank];
      by_left_[place[static_cast<std::size_t>(m.left)]++] = {m.right, static_cast<std::uint32_t>(rank)};
    }
    for (std::size_t i = 0; i + 1 < begin_.size(); ++i) {
      std::sort(by_left_.begin() + begin_[i], by_left_.begin() + begin_[i + 1],
                [](partner a, partner b) { return a.right < b.right; });
    }
  }

  [[nodiscard]] std::span<bpe_merge const> merges() const noexcept { return merges_; }

  /// The rank of a merge whose pair has a lower rank already, if there is one: the precondition above, for
  /// those who read files.
  [[nodiscard]] std::optional<std::size_t> repeated() const noexcept {
    for (std::size_t left = 0; left + 1 < begin_.size(); ++left) {
      for (auto i = begin_[left] + 1; i < begin_[left + 1]; ++i) {
        if (by_left_[i - 1].right == by_left_[i].right)
          return std::max(by_left_[i - 1].rank, by_left_[i].rank);
      }
    }
    return std::nullopt;
  }

  /// Applies the merges to `symbols` in place and returns how many are left, at its front. O(n log n) for n
  /// symbols. Precondition: fewer than 2^32 symbols.
  [[nodiscard]] std::size_t apply(std::span<std::int32_t> symbols, workspace& work) const {
    auto const n = static_cast<std::uint32_t>(symbols.size());
    if (n < 2 || merges_.empty()) return n;
    // Candidates are rank << 32 | position of the left symbol; one is stale when its two symbols are no
    // longer there.
    work.next.resize(n);
    work.previous.resize(n);
    work.heap.clear();
    for (std::uint32_t i = 0; i < n; ++i) {
      work.next[i] = i + 1;
      work.previous[i] = i - 1;
      if (i + 1 < n) push(symbols[i], symbols[i + 1], i, work.heap);
    }
    std::make_heap(work.heap.begin(), work.heap.end(), std::greater<>{});
    while (!work.heap.empty()) {
      std::pop_heap(work.heap.begin(), work.heap.end(), std::greater<>{});
      auto const& merge = merges_[work.heap.back() >> 32];
      auto const at = static_cast<std::uint32_t>(work.heap.back());
      work.heap.pop_back();
      auto const right = work.next[at];
      if (symbols[at] != merge.left || right >= n || symbols[right] != merge.right) continue;
      symbols[at] = merge.joined;
      symbols[right] = gone;
      auto const after = work.next[at] = work.next[right];
      if (after < n) {
        work.previous[after] = at;
        if (push(merge.joined, symbols[after], at, work.heap)) sift_up(work.heap);
      }
      if (at > 0) {
        auto const before = work.previous[at];
        if (push(symbols[before], merge.joined, before, work.heap)) sift_up(work.heap);
      }
    }
    auto const end = std::remove(symbols.begin(), symbols.end(), gone);
    return static_cast<std::size_t>(end - symbols.begin());
  }

 private:
  static constexpr std::int32_t gone = -1;

  struct partner {
    std::int32_t right;
    std::uint32_t rank;
  };

  static void sift_up(std::vector<std::uint64_t>& heap) {
    std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  }

  // Binary search in the left symbol's partners: no hash, so no file can make it collide.
  bool push(std::int32_t left, std::int32_t right, std::uint32_t at, std::vector<std::uint64_t>& heap) const {
    auto const first = by_left_.begin() + begin_[static_cast<std::size_t>(left)];
    auto const last = by_left_.begin() + begin_[static_cast<std::size_t>(left) + 1];
    auto const found =
        std::lower_bound(first, last, right, [](partner p, std::int32_t r) { return p.right < r; });
    if (found == last || found->right != right) return false;
    heap.push_back(static_cast<std::uint64_t>(found->rank) << 32 | at);
    return true;
  }

  std::vector<bpe_merge> merges_;
  std::vector<std::uint32_t> begin_;  // [n_tokens + 1] of each left symbol's entries in by_left_
  std::vector<partner> by_left_;
};

}  // namespace lancet
