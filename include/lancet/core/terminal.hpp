// SPDX-License-Identifier: Apache-2.0
// What is known of the terminal on stderr: whether it is one, how wide, and whether colour is welcome.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace lancet {
namespace detail {

[[nodiscard]] inline bool stderr_is_terminal() {
  char const* const type = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && type != nullptr && std::string_view(type) != "dumb";
}

/// Columns of the terminal on stderr, 80 where it does not say.
[[nodiscard]] inline int terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// False where the variable NO_COLOR is set and not empty (no-color.org).
[[nodiscard]] inline bool colour_is_welcome() {
  char const* const refused = std::getenv("NO_COLOR");
  return refused == nullptr || *refused == '\0';
}

inline void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace detail
}  // namespace lancet
