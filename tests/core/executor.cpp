// SPDX-License-Identifier: Apache-2.0
// Executors: every tile once, on any number of threads, nested, with exceptions.
#define BOOST_TEST_MODULE core_executor
#include "lancet/core/executor.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/errors.hpp"

namespace lancet_test {
namespace {

using lancet::index;
using lancet::thread_pool;

/// How often each tile ran.
std::vector<int> runs(lancet::executor& pool, index tiles) {
  std::vector<std::atomic<int>> count(static_cast<std::size_t>(tiles));
  auto f = [&](index i) { ++count[static_cast<std::size_t>(i)]; };
  pool.for_each(tiles, f);
  return {count.begin(), count.end()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_tile_runs_once) {
  for (int const threads : {1, 2, 3, 7}) {
    thread_pool pool(threads);
    BOOST_TEST(pool.threads() == threads);
    for (index const tiles : {0, 1, 2, 3, 64, 1000})
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<int> const count = runs(pool, tiles);
        BOOST_REQUIRE(std::count(count.begin(), count.end(), 1) == tiles);
      }
  }
  thread_pool none(0);
  BOOST_TEST(none.threads() == 1);
}

BOOST_AUTO_TEST_CASE(the_caller_works_too_and_workers_help) {
  thread_pool pool(2);
  std::mutex lock;
  std::set<std::thread::id> seen;
  std::atomic<int> arrived{0};
  auto f = [&](index) {
    {
      std::lock_guard const guard(lock);
      seen.insert(std::this_thread::get_id());
    }
    ++arrived;
    while (arrived < 2) std::this_thread::yield();  // returns only if two threads work at once
  };
  pool.for_each(2, f);
  BOOST_TEST(seen.size() == 2U);
  BOOST_TEST(seen.contains(std::this_thread::get_id()));
}

// Sums in fixed tiles are bit-equal for any number of threads.
BOOST_AUTO_TEST_CASE(fixed_tiles_give_the_same_bits) {
  index const n = 10007, tile = 64, tiles = (n + tile - 1) / tile;
  auto const sum = [&](int threads) {
    thread_pool pool(threads);
    std::vector<float> parts(static_cast<std::size_t>(tiles));
    auto f = [&](index t) {
      float s = 0;
      for (index i = t * tile; i < std::min(n, (t + 1) * tile); ++i) s += std::sin(static_cast<float>(i));
      parts[static_cast<std::size_t>(t)] = s;
    };
    pool.for_each(tiles, f);
    float total = 0;
    for (float const p : parts) total += p;
    return total;
  };
  float const one = sum(1);
  for (int const threads : {2, 3, 5, 8}) BOOST_TEST(sum(threads) == one);
}

BOOST_AUTO_TEST_CASE(nested_loops_run_where_they_are_met) {
  thread_pool pool(3);
  std::vector<std::atomic<int>> count(12 * 5);
  std::atomic<bool> elsewhere{false};
  auto outer = [&](index i) {
    auto const here = std::this_thread::get_id();
    auto inner = [&](index j) {
      ++count[static_cast<std::size_t>(i * 5 + j)];
      if (std::this_thread::get_id() != here) elsewhere = true;
    };
    pool.for_each(5, inner);
  };
  pool.for_each(12, outer);
  for (auto const& c : count) BOOST_TEST(c == 1);
  BOOST_TEST(!elsewhere);
}

BOOST_AUTO_TEST_CASE(an_exception_reaches_the_caller_and_the_pool_lives_on) {
  for (int const threads : {1, 2, 4}) {
    thread_pool pool(threads);
    for (index const bad : {0, 17, 99}) {
      auto f = [&](index i) {
        if (i == bad) throw std::runtime_error("tile " + std::to_string(i));
      };
      check_throws<std::runtime_error>([&] { pool.for_each(100, f); }, "tile " + std::to_string(bad));
      std::vector<int> const count = runs(pool, 50);
      BOOST_TEST(std::count(count.begin(), count.end(), 1) == 50);
    }
    auto always = [](index) { throw std::runtime_error("one of many"); };
    check_throws<std::runtime_error>([&] { pool.for_each(100, always); }, "one of many");
  }
}

// An exception from a nested loop must not leave a thread believing that it is inside one.
BOOST_AUTO_TEST_CASE(an_exception_in_a_nested_loop_leaves_no_trace) {
  thread_pool pool(2);
  auto outer = [&](index) {
    auto inner = [](index j) {
      if (j == 1) throw std::runtime_error("inner");
    };
    pool.for_each(3, inner);
  };
  check_throws<std::runtime_error>([&] { pool.for_each(4, outer); }, "inner");
  std::mutex lock;
  std::set<std::thread::id> seen;
  std::atomic<int> arrived{0};
  auto both = [&](index) {
    {
      std::lock_guard const guard(lock);
      seen.insert(std::this_thread::get_id());
    }
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  };
  pool.for_each(2, both);
  BOOST_TEST(seen.size() == 2U);
}

BOOST_AUTO_TEST_CASE(several_callers_take_turns) {
  thread_pool pool(2);
  std::atomic<int> total{0};
  auto const caller = [&] {
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::atomic<int> mine{0};
      auto f = [&](index) { ++mine; };
      pool.for_each(20, f);
      if (mine == 20) ++total;
    }
  };
  std::thread a(caller), b(caller);
  a.join();
  b.join();
  BOOST_TEST(total == 100);
}

BOOST_AUTO_TEST_CASE(parallel_for_uses_the_executor_that_was_set) {
  struct counting final : lancet::executor {
    explicit counting(int& c) : calls(c) {}
    void for_each(index tiles, lancet::tile_function f) override {
      ++calls;
      for (index i = tiles; i-- > 0;) f(i);  // any order is allowed
    }
    int threads() const override { return 1; }
    int& calls;
  };
  int calls = 0, ran = 0;
  lancet::set_executor(std::make_unique<counting>(calls));
  lancet::parallel_for(5, [&](index) { ++ran; });
  BOOST_TEST(calls == 1);
  BOOST_TEST(ran == 5);
  lancet::parallel_for(0, [&](index) { ++ran; });
  lancet::parallel_for(-3, [&](index) { ++ran; });
  BOOST_TEST(ran == 5);
  lancet::set_threads(2);
  BOOST_TEST(lancet::current_executor().threads() == 2);
  lancet::set_executor(nullptr);
  ::setenv("LANCET_THREADS", "3", 1);
  BOOST_TEST(lancet::current_executor().threads() == 3);
  lancet::set_executor(nullptr);
  for (char const* wrong : {"", "0", "-1", "two", "2x", "99999999999"}) {
    ::setenv("LANCET_THREADS", wrong, 1);
    check_throws<lancet::usage_error>(
        [] { (void)lancet::current_executor(); },
        "LANCET_THREADS: got '" + std::string(wrong) + "', expected a number of threads");
  }
  ::unsetenv("LANCET_THREADS");
  BOOST_TEST(lancet::current_executor().threads() >= 1);
}

}  // namespace lancet_test
