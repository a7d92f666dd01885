// SPDX-License-Identifier: Apache-2.0
// How far a long run is: a bar with rate and time left on a terminal, a line every few seconds elsewhere.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/core/terminal.hpp"

namespace lancet {
namespace detail {

[[nodiscard]] inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// "0:07", "12:34", "3:05:09"; "?" for what is not a time.
[[nodiscard]] inline std::string clock_text(double seconds) {
  if (!(seconds >= 0.0 && seconds < 1e9)) return "?";
  auto const whole = static_cast<long>(seconds + 0.5);
  char text[32];
  if (whole < 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

}  // namespace detail

struct progress_options {
  std::string label;       ///< what is done; control characters are shown as '?'
  std::int64_t total = 0;  ///< steps of the whole run, 0 = not known
  std::int64_t done = 0;   ///< steps done before, where a run is resumed; left out of the rate
  bool quiet = false;      ///< write nothing at all
  double interval = 5.0;   ///< seconds between lines where there is no terminal
  bool terminal = detail::stderr_is_terminal();
  bool colour = detail::colour_is_welcome();  ///< on a terminal
  int columns = detail::terminal_columns();
  std::function<void(std::string_view)> write = detail::write_stderr;
  std::function<double()> clock = detail::steady_seconds;
};

/// Reports on stderr from construction to destruction, which writes a last line whatever happened. Any thread
/// may call it.
class progress {
 public:
  explicit progress(progress_options options)
      : options_(std::move(options)), done_(options_.done), begin_(options_.clock()), written_(begin_) {
    for (char& c : options_.label) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    if (options_.terminal && !options_.quiet) draw_bar(begin_);
  }
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;

  ~progress() {
    if (options_.quiet) return;
    try {
      double const elapsed = options_.clock() - begin_;
      bool const complete = options_.total <= 0 || done_ >= options_.total;
      std::string const line = options_.label + (complete ? ": " : ": stopped at ") + count_text() + " in " +
                               detail::clock_text(elapsed) + rate_text(elapsed) + "\n";
      options_.write(options_.terminal ? "\r\x1b[K" + line : line);
    } catch (...) {  // a report must not end the run that it reports on
    }
  }

  /// So many more steps are done.
  void advance(std::int64_t steps = 1) {
    std::lock_guard const lock(mutex_);
    done_ += steps;
    if (options_.quiet) return;
    double const now = options_.clock();
    if (now - written_ < (options_.terminal ? 0.1 : options_.interval)) return;
    written_ = now;
    if (options_.terminal) {
      draw_bar(now);
    } else {
      options_.write(options_.label + ": " + count_text() + share_text() + rate_text(now - begin_) +
                     left_text(now - begin_) + "\n");
    }
  }

  [[nodiscard]] std::int64_t done() const {
    std::lock_guard const lock(mutex_);
    return done_;
  }

 private:
  [[nodiscard]] double share() const {
    return options_.total > 0
               ? std::clamp(static_cast<double>(done_) / static_cast<double>(options_.total), 0.0, 1.0)
               : 0.0;
  }

  [[nodiscard]] std::string count_text() const {
    return std::to_string(done_) + (options_.total > 0 ? "/" + std::to_string(options_.total) : "");
  }

  [[nodiscard]] std::string share_text() const {
    return options_.total > 0 ? " (" + std::to_string(static_cast<int>(100.0 * share())) + " %)" : "";
  }

  /// ", 12.3/s" or ", 4.5 s each".
  [[nodiscard]] std::string rate_text(double elapsed) const {
    auto const steps = static_cast<double>(done_ - options_.done);
    if (!(steps > 0.0 && elapsed > 0.0)) return "";
    char text[48];
    bool const often = steps >= elapsed;
    std::snprintf(text, sizeof text, often ? ", %.1f/s" : ", %.1f s each",
                  often ? steps / elapsed : elapsed / steps);
    return text;
  }

  [[nodiscard]] std::string left_text(double elapsed) const {
    auto const steps = static_cast<double>(done_ - options_.done);
    auto const left = static_cast<double>(options_.total - done_);
    return steps > 0.0 && left > 0.0 ? ", " + detail::clock_text(elapsed * left / steps) + " left" : "";
  }

  /// "label [#####-----] 5/10 (50 %), 1.0/s, 0:05 left", cut to the terminal's width.
  void draw_bar(double now) {
    std::string const head = options_.label + " ";
    std::string const tail = count_text() + share_text() + rate_text(now - begin_) + left_text(now - begin_);
    int const room = options_.columns - 4 - columns_of(head) - columns_of(tail);
    std::string bar;
    if (options_.total > 0 && room >= 5) {
      int const cells = std::min(room, 40);
      auto const full = static_cast<std::size_t>(share() * cells);
      std::string const filled(full, '#');
      bar = "[" + (options_.colour ? "\x1b[32m" + filled + "\x1b[0m" : filled) +
            std::string(static_cast<std::size_t>(cells) - full, '-') + "] ";
    }
    options_.write("\r" + (bar.empty() ? cut(head + tail) : head + bar + tail) + "\x1b[K");
  }

  /// Code points, each taken for one column.
  [[nodiscard]] static int columns_of(std::string_view text) {
    return static_cast<int>(std::count_if(text.begin(), text.end(), begins_character));
  }

  [[nodiscard]] std::string cut(std::string text) const {
    int column = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (begins_character(text[i]) && ++column >= options_.columns) return text.substr(0, i);
    }
    return text;
  }

  [[nodiscard]] static bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }

  progress_options options_;
  std::int64_t done_;
  double begin_;    // seconds on the clock
  double written_;  // of the last line or bar
  mutable std::mutex mutex_;
};

}  // namespace lancet
