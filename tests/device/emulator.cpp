// SPDX-License-Identifier: Apache-2.0
// The emulator itself: every thread runs, values meet, and mistakes of kernels are found.
#define BOOST_TEST_MODULE device_emulator
#include "lancet/backend/device/emulator.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/errors.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using namespace lancet::device;
using lancet::index;  // not that of <strings.h>

/// Runs a kernel in every order; f says what to expect.
template <class Kernel, class F>
void in_every_order(index blocks, int threads, Kernel const& kernel, F&& f) {
  for (schedule const order : {schedule::forward, schedule::reverse, schedule::shuffled}) {
    emulation::settings().order = order;
    emulate("test", blocks, threads, kernel);
    f();
  }
  emulation::settings().order = schedule::forward;
}

/// Counts visits of every thread of every block.
struct visits {
  static constexpr bool independent = true;
  int* count;
  template <class Block>
  void operator()(Block& block) const {
    ++count[block.number() * block.threads() + block.thread()];
    if (block.number() >= block.blocks()) throw error("no such block");
  }
};

BOOST_AUTO_TEST_CASE(every_thread_of_every_block_runs_once) {
  std::vector<int> count(3 * 96, 0);
  emulate("visits", 3, 96, visits{count.data()});
  BOOST_TEST(count == std::vector<int>(3 * 96, 1));
}

/// Writes the sum of all threads' numbers, by every thread.
struct sums {
  int* out;
  template <class Block>
  void operator()(Block& block) const {
    out[block.number() * block.threads() + block.thread()] =
        reduce(block, block.thread(), block.template shared<per_warp<int>>(), plus{});
  }
};

BOOST_AUTO_TEST_CASE(values_meet) {
  for (int const threads : {32, 64, 480, 1024}) {
    std::vector<int> out(static_cast<std::size_t>(2 * threads));
    in_every_order(2, threads, sums{out.data()}, [&] {
      BOOST_TEST(out == std::vector<int>(out.size(), threads * (threads - 1) / 2));
      std::fill(out.begin(), out.end(), -1);
    });
  }
}

/// Turns a row round through shared memory; `waits` says whether it waits between writing and reading.
struct turn_round {
  bool waits;
  float* data;
  struct memory {
    float values[128];
  };
  template <class Block>
  void operator()(Block& block) const {
    memory& m = block.template shared<memory>();
    m.values[block.thread()] = data[block.thread()];
    if (waits) block.sync();
    data[block.thread()] = m.values[block.threads() - 1 - block.thread()];
  }
};

BOOST_AUTO_TEST_CASE(a_lost_barrier_shows) {
  std::vector<float> start(128), turned(128);
  std::iota(start.begin(), start.end(), 0.0F);
  std::reverse_copy(start.begin(), start.end(), turned.begin());
  std::vector<float> data = start;
  in_every_order(1, 128, turn_round{true, data.data()}, [&] {
    BOOST_TEST(data == turned);
    data = start;
  });
  in_every_order(1, 128, turn_round{false, data.data()}, [&] {
    BOOST_TEST(!(data == turned));
    BOOST_TEST(std::any_of(data.begin(), data.end(), [](float x) { return std::isnan(x); }));
    data = start;
  });
  // The same by taking the barrier out.
  std::vector<source_line> met;
  emulation::settings().barriers = &met;
  emulate("turn_round", 1, 128, turn_round{true, data.data()});
  emulation::settings().barriers = nullptr;
  BOOST_TEST(met.size() == 128U);
  emulation::settings().without_barrier_at = met[0].line;
  emulation::settings().without_barrier_in = "emulator.cpp";
  data = start;
  emulate("turn_round", 1, 128, turn_round{true, data.data()});
  emulation::settings().without_barrier_at = 0;
  BOOST_TEST(!(data == turned));
}

template <class F>
struct kernel_of {
  F f;
  template <class Block>
  void operator()(Block& block) const {
    f(block);
  }
};

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  auto const run = [](int threads, auto f) { emulate("wrong", 1, threads, kernel_of<decltype(f)>{f}); };
  check_throws<error>(
      [&] {
        run(64, [](auto& block) {
          if (block.thread() != 40) block.sync();
        });
      },
      "kernel wrong: divergent barrier: thread 40 has returned, others at");
  check_throws<error>(
      [&] {
        run(64, [](auto& block) {
          if (block.thread() < 32)
            block.sync();
          else
            block.sync();
        });
      },
      "kernel wrong: divergent barrier: thread 32 waits at");
  check_throws<error>(
      [&] {
        run(32, [](auto& block) {
          if (block.thread() != 3) static_cast<void>(block.shuffle_xor(1, 1));
        });
      },
      "kernel wrong: divergent shuffle: thread 3 is not at");
  check_throws<error>(
      [&] {
        run(32, [](auto& block) {
          static_cast<void>(block.template shared<per_warp<int>>());
          static_cast<void>(block.template shared<per_warp<double>>());
        });
      },
      "kernel wrong: asks for two kinds of shared memory");
  check_throws<usage_error>([&] { run(48, [](auto&) {}); },
                            "kernel wrong: got 48 threads, expected a multiple of 32");
  check_throws<usage_error>([&] { run(32, [](auto&) { throw usage_error("from a thread"); }); },
                            "from a thread");
  std::vector<int> out(64);
  emulate("sums", 1, 64, sums{out.data()});  // and the next kernel runs as if nothing had been
  BOOST_TEST(out == std::vector<int>(64, 63 * 32));
}

// Lines have other names from here on: keep this the last test.
BOOST_AUTO_TEST_CASE(the_same_line_of_two_files_is_two_places) {
  auto const waits = [](auto& block) {
    if (block.thread() < 32)
#line 7 "one.hpp"
      block.sync();
    else
#line 7 "two.hpp"
      block.sync();
  };
  auto const shuffles = [](auto& block) {
    if (block.thread() % 2 == 0)
#line 8 "one.hpp"
      static_cast<void>(block.shuffle_xor(1, 1));
    else
#line 8 "two.hpp"
      static_cast<void>(block.shuffle_xor(1, 1));
  };
  check_throws<error>([&] { emulate("wrong", 1, 64, kernel_of<decltype(waits)>{waits}); },
                      "kernel wrong: divergent barrier: thread 32 waits at two.hpp:7, others at one.hpp:7");
  check_throws<error>([&] { emulate("wrong", 1, 32, kernel_of<decltype(shuffles)>{shuffles}); },
                      "kernel wrong: divergent shuffle: thread 1 is not at one.hpp:8");
}

}  // namespace
}  // namespace lancet_test
