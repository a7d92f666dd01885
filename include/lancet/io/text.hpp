// SPDX-License-Identifier: Apache-2.0
// UTF-8: reading one character at a time, checking, repairing, and quoting text for messages.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lancet {

/// The bytes of `text` as numbers from 0 to 255.
[[nodiscard]] inline std::span<unsigned char const> unsigned_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<unsigned char const*>(text.data()), text.size()};
}

/// One step through UTF-8 text. Where `valid` is false, `size` counts the bytes of the ill-formed part, which
/// runs to the first byte that cannot continue it (The Unicode Standard, section 3.9, "maximal subpart"), and
/// `code` is U+FFFD.
struct utf8_char {
  char32_t code;
  std::size_t size;
  bool valid;
};

/// The character that starts at byte `at` of `text`. Precondition: at < text.size(). Overlong forms,
/// surrogates and code points above U+10FFFF are ill-formed.
[[nodiscard]] inline utf8_char read_utf8(std::string_view text, std::size_t at) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned const first = byte(at);
  if (first < 0x80) return {static_cast<char32_t>(first), 1, true};
  // Table 3-7 of the standard: only the second byte's range depends on the first byte.
  std::size_t const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0) return {U'\ufffd', 1, false};
  unsigned low = first == 0xe0 ? 0xa0u : first == 0xf0 ? 0x90u : 0x80u;
  unsigned high = first == 0xed ? 0x9fu : first == 0xf4 ? 0x8fu : 0xbfu;
  auto code = static_cast<char32_t>(first & (0x7fu >> length));
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {U'\ufffd', i, false};
    code = (code << 6) | (byte(at + i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, length, true};
}

/// Adds the UTF-8 form of `code` to `out`. Precondition: `code` is a Unicode scalar value.
inline void append_utf8(std::string& out, char32_t code) {
  auto const put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  auto const value = static_cast<unsigned>(code);
  if (value < 0x80) {
    put(value);
    return;
  }
  if (value < 0x800) {
    put(0xc0u | (value >> 6));
  } else {
    if (value < 0x10000) {
      put(0xe0u | (value >> 12));
    } else {
      put(0xf0u | (value >> 18));
      put(0x80u | ((value >> 12) & 0x3fu));
    }
    put(0x80u | ((value >> 6) & 0x3fu));
  }
  put(0x80u | (value & 0x3fu));
}

/// The number of leading bytes of `text` that are well-formed UTF-8; text.size() where all of it is.
[[nodiscard]] inline std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    auto const c = read_utf8(text, at);
    if (!c.valid) break;
    at += c.size;
  }
  return at;
}

[[nodiscard]] inline bool is_valid_utf8(std::string_view text) noexcept {
  return valid_utf8_prefix(text) == text.size();
}

/// `text` with each ill-formed part replaced by U+FFFD: the result of Python's
/// bytes.decode(errors="replace").
[[nodiscard]] inline std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    if (c.valid)
      out.append(text, at, c.size);
    else
      append_utf8(out, U'\ufffd');
    at += c.size;
  }
  return out;
}

/// `text` for a message or a terminal: readable UTF-8 is kept; control characters (those that turn the
/// direction of writing included), backslashes and ill-formed bytes become \n, \\, \xNN; what goes beyond
/// `limit` bytes is cut off.
[[nodiscard]] inline std::string escape_utf8(std::string_view text, std::size_t limit = 80) {
  static constexpr char hex[] = "0123456789abcdef";
  auto const is_control = [](char32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
  };
  std::string out;
  std::size_t at = 0;
  while (at < text.size() && at < limit) {
    auto const c = read_utf8(text, at);
    if (c.code == U'\n' || c.code == U'\r' || c.code == U'\t' || c.code == U'\\') {
      out.push_back('\\');
      out.push_back(c.code == U'\n' ? 'n' : c.code == U'\r' ? 'r' : c.code == U'\t' ? 't' : '\\');
    } else if (!c.valid || is_control(c.code)) {
      for (unsigned const byte : unsigned_bytes(text.substr(at, c.size)))
        out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    } else {
      out.append(text, at, c.size);
    }
    at += c.size;
  }
  if (at < text.size()) out += "...";
  return out;
}

}  // namespace lancet
