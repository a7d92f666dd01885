// SPDX-License-Identifier: Apache-2.0
// Runs kernels on the host, and makes their mistakes show: each thread of a block is a fiber.
//
// Blocks, and the warps of one, run in forward, reverse or shuffled order, each as far as it can before the next:
// taking turns instead would hide a lost barrier. Shared memory starts as NaN. A barrier that not every thread
// reaches is an error. A test can take a barrier out (`without_barrier_at`) and see that the results change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/backend/device/block.hpp"
#include "lancet/backend/device/fiber.hpp"

namespace lancet::device {

/// A line of a kernel's text. (clang 14 has no std::source_location.)
struct source_line {
  char const* file = "";
  int line = 0;

  [[nodiscard]] static source_line current(char const* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  [[nodiscard]] std::string text() const { return std::string(file) + ":" + std::to_string(line); }
  friend bool operator==(source_line const& a, source_line const& b) {
    return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
  }
};

enum class schedule { forward, reverse, shuffled };

/// How the emulator runs; the same for all kernels of this process.
struct emulation {
  schedule order = schedule::forward;
  int without_barrier_at = 0;      ///< line of a barrier that is ignored, 0: none
  std::string without_barrier_in;  ///< end of that line's file name
  int threads = 0;                 ///< of every block, instead of what is asked for; 0: as asked
  std::vector<source_line>* barriers = nullptr;  ///< collects where threads waited, if given

  [[nodiscard]] static emulation& settings() {
    static emulation now;
    return now;
  }
};

/// 0 to count − 1 in the order that the settings ask for; `random` is the state of the shuffled one.
[[nodiscard]] inline std::vector<int> in_order(index count, std::uint64_t& random) {
  std::vector<int> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  schedule const by = emulation::settings().order;
  if (by == schedule::reverse) std::reverse(out.begin(), out.end());
  if (by == schedule::shuffled)
    for (std::size_t i = out.size(); i > 1; --i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      std::swap(out[i - 1], out[(random >> 33) % i]);
    }
  return out;
}

class emulated_threads;

/// The Block of one emulated thread.
class emulated_block {
 public:
  emulated_block(emulated_threads& all, int thread, index number, index blocks)
      : all_(&all), thread_(thread), number_(number), blocks_(blocks) {}

  [[nodiscard]] int thread() const { return thread_; }
  [[nodiscard]] int threads() const;
  [[nodiscard]] index number() const { return number_; }
  [[nodiscard]] index blocks() const { return blocks_; }
  void sync(source_line at = source_line::current());
  template <class T>
  [[nodiscard]] T shuffle_xor(T value, int mask, source_line at = source_line::current());
  template <class S>
  [[nodiscard]] S& shared();

 private:
  emulated_threads* all_;
  int thread_;
  index number_, blocks_;
};

/// The threads of one block at a time.
class emulated_threads {
 public:
  explicit emulated_threads(char const* kernel, int threads)
      : kernel_(kernel), states_(static_cast<std::size_t>(threads)) {
    if (threads < warp_size || threads > 1024 || threads % warp_size != 0)
      fail_expected(std::string("kernel ") + kernel, std::to_string(threads) + " threads",
                    "a multiple of 32 from 32 to 1024");
  }

  template <class Kernel>
  void run(Kernel const& kernel, index number, index blocks) {
    shared_bytes_ = 0;
    for (int t = 0; t < count(); ++t) {
      state_of(t) = {};
      fibers()[static_cast<std::size_t>(t)]->start([this, &kernel, t, number, blocks] {
        emulated_block block(*this, t, number, blocks);
        kernel(block);
      });
    }
    while (step()) {
    }
  }

  [[nodiscard]] int count() const { return static_cast<int>(states_.size()); }

  void wait_for_block(int thread, source_line at) {
    emulation& settings = emulation::settings();
    if (settings.barriers) settings.barriers->push_back(at);
    if (ignored(at)) return;
    state_of(thread).waits = waiting::block;
    state_of(thread).at = at;
    fiber::leave();
  }
  /// `value`'s bytes of the thread at `other`, once the whole warp has brought its own.
  template <class T>
  [[nodiscard]] T exchange(int thread, int other, T value, source_line at) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
    state& mine = state_of(thread);
    std::memcpy(mine.offered, &value, sizeof value);
    mine.waits = waiting::warp;
    mine.at = at;
    fiber::leave();
    std::memcpy(&value, state_of(other).taken, sizeof value);
    return value;
  }
  template <class S>
  [[nodiscard]] S& shared() {
    static_assert(std::is_trivial_v<S>);
    if (shared_bytes_ == 0) {
      shared_bytes_ = sizeof(S);
      shared_ = std::make_unique<memory[]>(sizeof(S) / sizeof(memory) + 1);
      std::memset(shared_.get(), 0xFF, sizeof(S));  // NaN
    }
    if (shared_bytes_ != sizeof(S)) fail("asks for two kinds of shared memory");
    return *reinterpret_cast<S*>(shared_.get());
  }

 private:
  struct memory {
    alignas(16) std::byte bytes[16];
  };
  enum class waiting { nothing, block, warp };
  struct state {
    waiting waits = waiting::nothing;
    source_line at;
    unsigned char offered[16], taken[16];
  };

  [[nodiscard]] state& state_of(int thread) { return states_[static_cast<std::size_t>(thread)]; }
  [[nodiscard]] std::vector<std::unique_ptr<fiber>>& fibers() {
    thread_local std::vector<std::unique_ptr<fiber>> kept;  // stacks are reused by every block
    while (std::ssize(kept) < count()) kept.push_back(std::make_unique<fiber>());
    return kept;
  }
  [[nodiscard]] bool done(int thread) { return fibers()[static_cast<std::size_t>(thread)]->done(); }
  [[noreturn]] void fail(std::string const& what) const {
    throw error(std::string("kernel ") + kernel_ + ": " + what);
  }
  [[nodiscard]] static bool ignored(source_line at) {
    emulation const& settings = emulation::settings();
    return settings.without_barrier_at == at.line &&
           std::string_view(at.file).ends_with(settings.without_barrier_in);
  }

  /// Every warp as far as it can, one after the other, and past the block's barrier; false once all are done.
  bool step() {
    for (int const warp : in_order(count() / warp_size, random_))
      while (step_warp(warp * warp_size)) {
      }
    int finished = 0;
    for (int t = 0; t < count(); ++t) finished += done(t) ? 1 : 0;
    if (finished == count()) return false;
    for (int t = 0; t < count(); ++t) {
      state const& s = state_of(t);
      if (done(t) || s.waits != waiting::block || !(s.at == first_waiting().at))
        fail("divergent barrier: thread " + std::to_string(t) +
             (done(t) ? std::string(" has returned") : " waits at " + s.at.text()) + ", others at " +
             first_waiting().at.text());
    }
    for (state& s : states_) s.waits = waiting::nothing;
    return true;
  }
  [[nodiscard]] state const& first_waiting() {
    for (int t = 0; t < count(); ++t)
      if (!done(t)) return state_of(t);
    return states_.front();
  }

  /// Each thread of a warp up to where it waits, and past a shuffle that all of them have reached.
  bool step_warp(int first) {
    bool ran = false;
    for (int const lane : in_order(warp_size, random_)) {
      int const t = first + lane;
      if (done(t) || state_of(t).waits != waiting::nothing) continue;
      fibers()[static_cast<std::size_t>(t)]->resume();
      ran = true;
    }
    int shuffling = 0;
    for (int t = first; t < first + warp_size; ++t)
      shuffling += !done(t) && state_of(t).waits == waiting::warp ? 1 : 0;
    if (shuffling == 0) return ran;
    for (int t = first; t < first + warp_size; ++t)
      if (done(t) || state_of(t).waits != waiting::warp || !(state_of(t).at == state_of(first).at))
        fail("divergent shuffle: thread " + std::to_string(t) + " is not at " + state_of(first).at.text());
    for (int t = first; t < first + warp_size; ++t) {
      std::memcpy(state_of(t).taken, state_of(t).offered, sizeof state_of(t).taken);
      state_of(t).waits = waiting::nothing;
    }
    return true;
  }

  char const* kernel_;
  std::vector<state> states_;
  std::unique_ptr<memory[]> shared_;
  std::size_t shared_bytes_ = 0;
  std::uint64_t random_ = 1;
};

inline int emulated_block::threads() const { return all_->count(); }
inline void emulated_block::sync(source_line at) { all_->wait_for_block(thread_, at); }
template <class T>
T emulated_block::shuffle_xor(T value, int mask, source_line at) {
  return all_->exchange(thread_, thread_ ^ mask, value, at);
}
template <class S>
S& emulated_block::shared() {
  return all_->shared<S>();
}

/// The Block of a kernel whose threads do not talk: no fibers, and nothing to wait with.
struct lone_block {
  int in_block, block_size;
  index in_grid, grid_size;
  [[nodiscard]] int thread() const { return in_block; }
  [[nodiscard]] int threads() const { return block_size; }
  [[nodiscard]] index number() const { return in_grid; }
  [[nodiscard]] index blocks() const { return grid_size; }
};

/// Runs every block of a grid, one after the other; threads that do not talk, one after the other of all blocks.
template <class Kernel>
void emulate(char const* name, index blocks, int threads, Kernel const& kernel) {
  if constexpr (!requires { Kernel::threads; })
    if (int const wish = emulation::settings().threads) threads = wish;
  std::uint64_t random = 1;
  if constexpr (is_independent<Kernel>) {
    for (int const i : in_order(blocks * threads, random)) {
      lone_block block{i % threads, threads, i / threads, blocks};
      kernel(block);
    }
  } else {
    emulated_threads all(name, threads);
    for (int const b : in_order(blocks, random)) all.run(kernel, b, blocks);
  }
}

}  // namespace lancet::device
