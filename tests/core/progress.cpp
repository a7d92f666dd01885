// SPDX-License-Identifier: Apache-2.0
// What the progress reporter writes, with a clock and a stream of the test's own.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE core_progress
#include "lancet/core/progress.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using lancet::progress;
using lancet::progress_options;

namespace {

struct screen {
  std::string text;
  double now = 100.0;

  progress_options options(std::string label, std::int64_t total) {
    return {.label = std::move(label),
            .total = total,
            .terminal = false,
            .colour = false,
            .columns = 80,
            .write = [this](std::string_view part) { text += part; },
            .clock = [this] { return now; }};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(lines_without_a_terminal) {
  screen out;
  {
    progress p(out.options("heads", 20));
    BOOST_TEST(out.text == "");
    for (int i = 0; i < 12; ++i) out.now += 1.0, p.advance();  // lines after 5 and 10 seconds
    BOOST_TEST(out.text == "heads: 5/20 (25 %), 1.0/s, 0:15 left\nheads: 10/20 (50 %), 1.0/s, 0:10 left\n");
    BOOST_TEST(p.done() == 12);
    out.text.clear();
    p.advance(8);
  }
  BOOST_TEST(out.text == "heads: 20/20 in 0:12, 1.7/s\n");
}

BOOST_AUTO_TEST_CASE(a_run_that_stops_says_so) {
  screen out;
  try {
    progress p(out.options("heads", 20));
    out.now += 30;
    p.advance(3);
    throw std::runtime_error("full disk");
  } catch (std::runtime_error const&) {
  }
  BOOST_TEST(out.text ==
             "heads: 3/20 (15 %), 10.0 s each, 2:50 left\nheads: stopped at 3/20 in 0:30, 10.0 s each\n");
}

BOOST_AUTO_TEST_CASE(bar_on_a_terminal) {
  screen out;
  auto options = out.options("heads", 8);
  options.terminal = true;
  options.columns = 60;
  {
    progress p(options);
    BOOST_TEST(out.text == "\rheads [----------------------------------------] 0/8 (0 %)\x1b[K");
    out.text.clear();
    out.now += 0.05;
    p.advance();
    BOOST_TEST(out.text == "");  // at most ten a second
    out.now += 1.95;
    p.advance();
    BOOST_TEST(out.text == "\rheads [#####-----------------] 2/8 (25 %), 1.0/s, 0:06 left\x1b[K");
    out.text.clear();
    p.advance(6);
  }
  BOOST_TEST(out.text == "\r\x1b[Kheads: 8/8 in 0:02, 4.0/s\n");
}

BOOST_AUTO_TEST_CASE(colour_is_optional) {
  screen out;
  auto options = out.options("x", 2);
  options.terminal = options.colour = true;
  {
    progress p(options);
    out.now += 1;
    p.advance();
  }
  BOOST_TEST(out.text.find("\x1b[32m####################\x1b[0m-") != std::string::npos);
  setenv("NO_COLOR", "1", 1);
  BOOST_TEST(!progress_options{}.colour);
  setenv("NO_COLOR", "", 1);
  BOOST_TEST(progress_options{}.colour);
  unsetenv("NO_COLOR");
  BOOST_TEST(progress_options{}.colour);
}

BOOST_AUTO_TEST_CASE(no_line_is_wider_than_the_terminal) {
  for (int columns = 1; columns < 120; ++columns) {
    screen out;
    auto options = out.options("Größe der Köpfe", 1000);
    options.terminal = true;
    options.columns = columns;
    progress p(options);
    out.now += 3;
    out.text.clear();
    p.advance(123);
    int width = 0;
    for (char const c : out.text.substr(1, out.text.size() - 4)) width += (c & 0xC0) != 0x80;
    BOOST_TEST(width < std::max(columns, 1));
  }
}

BOOST_AUTO_TEST_CASE(quiet_and_unknown_total) {
  screen out;
  auto options = out.options("heads", 8);
  options.quiet = true;
  {
    progress p(options);
    out.now += 100;
    p.advance(3);
  }
  BOOST_TEST(out.text == "");
  {
    progress p(out.options("tokens", 0));
    out.now += 7200;
    p.advance(72000);
  }
  BOOST_TEST(out.text == "tokens: 72000, 10.0/s\ntokens: 72000 in 2:00:00, 10.0/s\n");
}

BOOST_AUTO_TEST_CASE(a_resumed_run_counts_its_own_rate) {
  screen out;
  auto options = out.options("heads", 100);
  options.done = 50;
  {
    progress p(options);
    out.now += 10;
    p.advance(10);
    BOOST_TEST(out.text == "heads: 60/100 (60 %), 1.0/s, 0:40 left\n");
    p.advance(40);
  }
}

BOOST_AUTO_TEST_CASE(labels_and_failing_streams_do_no_harm) {
  screen out;
  { progress p(out.options("a\x1b[2Jb\n", 0)); }
  BOOST_TEST(out.text == "a?[2Jb?: 0 in 0:00\n");
  auto options = out.options("x", 1);
  options.write = [](std::string_view) { throw std::runtime_error("closed"); };
  { progress p(options); }  // the destructor keeps it to itself
}

BOOST_AUTO_TEST_CASE(threads_may_share_it) {
  screen out;
  progress p(out.options("x", 4000));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) p.advance();
    });
  }
  for (auto& thread : threads) thread.join();
  BOOST_TEST(p.done() == 4000);
}
