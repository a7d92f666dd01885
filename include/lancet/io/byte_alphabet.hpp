// SPDX-License-Identifier: Apache-2.0
// GPT-2's byte alphabet: vocabularies of byte-level BPE write each byte as one printable character (space is
// U+0120).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lancet/io/text.hpp"

namespace lancet {

namespace detail {

/// Bytes that stand for themselves: printable Latin-1 without space and soft hyphen.
[[nodiscard]] constexpr bool is_plain_byte(unsigned byte) noexcept {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

struct byte_alphabet_tables {
  std::array<char32_t, 256> character{};   // of a byte
  std::array<std::int16_t, 0x144> byte{};  // of a character, -1 where it stands for none
};

/// The other bytes, in ascending order, take U+0100 and the following.
[[nodiscard]] constexpr byte_alphabet_tables make_byte_alphabet() noexcept {
  byte_alphabet_tables t;
  for (auto& byte : t.byte) byte = -1;
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    t.character[byte] = is_plain_byte(byte) ? static_cast<char32_t>(byte) : next++;
    t.byte[t.character[byte]] = static_cast<std::int16_t>(byte);
  }
  return t;
}

inline constexpr byte_alphabet_tables byte_alphabet = make_byte_alphabet();

}  // namespace detail

/// `bytes` as a vocabulary writes them: " nurse" becomes "Ġnurse".
[[nodiscard]] inline std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (unsigned const byte : unsigned_bytes(bytes)) append_utf8(out, detail::byte_alphabet.character[byte]);
  return out;
}

/// The bytes that a vocabulary's string stands for; nothing where a character is not of the alphabet.
[[nodiscard]] inline std::optional<std::string> from_byte_alphabet(std::string_view piece) {
  std::string out;
  for (std::size_t at = 0; at < piece.size();) {
    auto const c = read_utf8(piece, at);
    if (!c.valid || c.code >= detail::byte_alphabet.byte.size() || detail::byte_alphabet.byte[c.code] < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(detail::byte_alphabet.byte[c.code]));
    at += c.size;
  }
  return out;
}

}  // namespace lancet
