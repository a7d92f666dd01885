// SPDX-License-Identifier: Apache-2.0
// Text from a file, made safe and short enough for an error message.
#pragma once

#include <string>
#include <string_view>

namespace lancet::detail {

/// `text` with every byte outside printable ASCII written as \xNN, cut after `limit` bytes: no name from a
/// file can move a terminal's cursor or fill a screen.
[[nodiscard]] inline std::string printable(std::string_view text, std::size_t limit = 200) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char const c : text.substr(0, limit)) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  if (text.size() > limit) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

/// `text` as above between single quotes.
[[nodiscard]] inline std::string in_quotes(std::string_view text, std::size_t limit = 80) {
  return "'" + printable(text, limit) + "'";
}

}  // namespace lancet::detail
