// SPDX-License-Identifier: Apache-2.0
// Who runs the tiles of a parallel loop: a small persistent thread pool by default.
//
// Operations cut their work into tiles whose borders depend on shapes alone, never on the number of threads,
// and no tile reads what another writes; so results are bit-equal for any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "lancet/core/view.hpp"

namespace lancet {

/// A non-owning reference to a callable `void(index)`.
class tile_function {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, tile_function>) tile_function(F& f)
      : object_(&f), call_([](void* o, index i) { (*static_cast<F*>(o))(i); }) {}
  void operator()(index tile) const { call_(object_, tile); }

 private:
  void* object_;
  void (*call_)(void*, index);
};

/// What runs tiles: `for_each(n, f)` calls f(0) … f(n − 1), each once, in any order and on any thread, and
/// returns when all are done. Adapters of OpenMP, oneTBB or an application's own pool derive from it.
class executor {
 public:
  virtual ~executor() = default;
  virtual void for_each(index tiles, tile_function f) = 0;
  [[nodiscard]] virtual int threads() const = 0;
};

/// Persistent pool: workers spin shortly, then sleep; tiles are taken from one atomic counter, so a slow or
/// busy core takes fewer. The calling thread works too. An exception in a tile is rethrown to the caller (the
/// first one).
class thread_pool final : public executor {
 public:
  explicit thread_pool(int threads) : threads_(std::max(1, threads)) {
    for (int i = 1; i < threads_; ++i) workers_.emplace_back([this] { work(); });
  }
  ~thread_pool() override {
    stop_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (std::thread& w : workers_) w.join();
  }
  thread_pool(thread_pool const&) = delete;
  thread_pool& operator=(thread_pool const&) = delete;

  [[nodiscard]] int threads() const override { return threads_; }

  void for_each(index tiles, tile_function f) override {
    if (tiles <= 0) return;
    if (tiles == 1 || threads_ == 1 || inside_) {  // nested loops run on the thread that meets them
      for (index i = 0; i < tiles; ++i) f(i);
      return;
    }
    std::lock_guard one_at_a_time(callers_);
    f_ = &f;
    tiles_ = tiles;
    failure_ = nullptr;
    next_.store(0, std::memory_order_relaxed);
    running_.store(threads_ - 1, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
    drain();
    for (int spin = 0; running_.load(std::memory_order_acquire) != 0; ++spin) pause(spin);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static void pause(int spin) {
    if (spin < 4000) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      std::this_thread::yield();
    }
  }

  void drain() {
    inside_ = true;
    try {
      for (index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tiles_;) (*f_)(i);
    } catch (...) {
      next_.store(tiles_, std::memory_order_relaxed);
      std::lock_guard lock(failure_lock_);
      if (!failure_) failure_ = std::current_exception();
    }
    inside_ = false;
  }

  void work() {
    unsigned seen = 0;
    while (true) {
      for (int spin = 0; epoch_.load(std::memory_order_acquire) == seen; ++spin) {
        if (spin < 4000)
          pause(0);
        else
          epoch_.wait(seen, std::memory_order_acquire);
      }
      seen = epoch_.load(std::memory_order_acquire);
      if (stop_.load()) return;
      drain();
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  static inline thread_local bool inside_ = false;
  int threads_;
  std::vector<std::thread> workers_;
  std::mutex callers_;
  std::mutex failure_lock_;
  std::exception_ptr failure_;
  tile_function const* f_ = nullptr;
  index tiles_ = 0;
  std::atomic<index> next_{0};
  std::atomic<int> running_{0};
  std::atomic<unsigned> epoch_{0};
  std::atomic<bool> stop_{false};
};

namespace detail {
inline std::unique_ptr<executor>& executor_slot() {
  static std::unique_ptr<executor> slot;
  return slot;
}

/// The number of threads that `LANCET_THREADS` asks for, or as many as the machine has.
[[nodiscard]] inline int wished_threads() {
  char const* const wish = std::getenv("LANCET_THREADS");
  if (!wish) return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::string_view const text = wish;
  int threads = 0;
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (problem != std::errc() || end != text.data() + text.size() || threads < 1 || threads > 4096)
    fail_expected("LANCET_THREADS", "'" + std::string(text) + "'", "a number of threads from 1 to 4096");
  return threads;
}
}  // namespace detail

/// The executor that operations use: a pool of `LANCET_THREADS` threads, or of as many as the machine has,
/// made at first use. Throws usage_error where LANCET_THREADS is no such number.
[[nodiscard]] inline executor& current_executor() {
  std::unique_ptr<executor>& slot = detail::executor_slot();
  if (!slot) slot = std::make_unique<thread_pool>(detail::wished_threads());
  return *slot;
}

/// Replaces the executor. Not to be called while operations run.
inline void set_executor(std::unique_ptr<executor> e) { detail::executor_slot() = std::move(e); }

/// Uses `threads` threads from now on. Not to be called while operations run.
inline void set_threads(int threads) { set_executor(std::make_unique<thread_pool>(threads)); }

/// Calls f(0) … f(tiles − 1) on the current executor.
template <class F>
void parallel_for(index tiles, F&& f) {
  if (tiles == 1)
    f(index{0});
  else if (tiles > 1)
    current_executor().for_each(tiles, tile_function(f));
}

}  // namespace lancet
