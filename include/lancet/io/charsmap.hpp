// SPDX-License-Identifier: Apache-2.0
// SentencePiece's table of replacements ("precompiled charsmap"), applied as SentencePiece does or as the
// tokenizers library does. The keys stand in a double-array trie (Aoe 1989) of 32-bit units.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/core/error.hpp"
#include "lancet/io/grapheme_cluster.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// The table. Safe for any bytes: no unit and no replacement outside of it is ever read.
class charsmap {
 public:
  /// `bytes`: the size of the trie in bytes (32 bits, little endian), the trie, then the replacements, each
  /// with a zero at its end. Throws file_error(where, ...).
  charsmap(std::string bytes, std::string_view where) : bytes_(std::move(bytes)) {
    std::size_t const size = bytes_.size() < 4 ? 0 : word(0);
    if (bytes_.size() < 4 || size % 4 != 0 || size == 0 || size > bytes_.size() - 4) {
      throw file_error(where, "got a charsmap of " + std::to_string(bytes_.size()) +
                                  " bytes with a trie of " + std::to_string(size) +
                                  ", expected a trie of at least one unit within it");
    }
    if (bytes_.size() > most_bytes) {
      throw file_error(where, "got a charsmap of " + std::to_string(bytes_.size()) +
                                  " bytes, expected at most " + std::to_string(most_bytes));
    }
    units_ = size / 4;
  }

  /// SentencePiece's way: at each place of `text` the longest key is replaced. Ill-formed parts become U+FFFD.
  [[nodiscard]] std::string apply(std::string_view text) const {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      auto const found = find(text.substr(at), true);
      if (found.size > 0) {
        out += replacement(found.value);
        at += found.size;
        continue;
      }
      auto const c = read_utf8(text, at);
      append_utf8(out, c.code);
      at += c.size;
    }
    return out;
  }

  /// The tokenizers library's way: what begins with a key is replaced as a whole by the shortest one's
  /// replacement, be it a grapheme cluster of less than six bytes, or a character of another cluster.
  [[nodiscard]] std::string apply_by_clusters(std::string_view text) const {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      auto const end = detail::cluster_end(text, at);
      auto const whole = text.substr(at, end - at);
      if (auto const found = find(whole, false); whole.size() < 6 && found.size > 0) {
        out += replacement(found.value);
        at = end;
      }
      while (at < end) {
        auto const c = read_utf8(text, at);
        if (auto const found = find(text.substr(at, c.size), false); found.size > 0)
          out += replacement(found.value);
        else
          append_utf8(out, c.code);
        at += c.size;
      }
    }
    return out;
  }

  [[nodiscard]] std::string const& bytes() const noexcept { return bytes_; }

 private:
  struct match {
    std::size_t size;
    std::uint32_t value;
  };

  [[nodiscard]] std::uint32_t word(std::size_t at) const noexcept {
    auto const raw = unsigned_bytes(bytes_);
    return static_cast<std::uint32_t>(raw[at]) | static_cast<std::uint32_t>(raw[at + 1]) << 8 |
           static_cast<std::uint32_t>(raw[at + 2]) << 16 | static_cast<std::uint32_t>(raw[at + 3]) << 24;
  }
  [[nodiscard]] std::uint32_t unit(std::size_t i) const noexcept { return word(4 + 4 * i); }

  /// Where a unit's children are, relative to it.
  [[nodiscard]] static std::size_t children(std::uint32_t unit) noexcept {
    return static_cast<std::size_t>(unit >> 10) << ((unit & 0x200u) >> 6);
  }

  /// The longest or the shortest key that `text` begins with; size 0 where there is none.
  [[nodiscard]] match find(std::string_view text, bool longest) const noexcept {
    match best{0, 0};
    std::size_t node = children(unit(0));
    for (std::size_t i = 0; i < std::min(text.size(), most_key_bytes); ++i) {
      std::uint32_t const byte = static_cast<unsigned char>(text[i]);
      node ^= byte;
      if (byte == 0 || node >= units_) break;
      auto const here = unit(node);
      if ((here & 0x800000ffu) != byte) break;  // of another parent, or a value
      node ^= children(here);
      if (node >= units_) break;
      if ((here & 0x100u) == 0) continue;
      best = {i + 1, unit(node) & 0x7fffffffu};
      if (!longest) break;
    }
    return best;
  }

  [[nodiscard]] std::string_view replacement(std::uint32_t value) const noexcept {
    auto const rest = std::string_view(bytes_).substr(4 + 4 * units_);
    if (value >= rest.size()) return {};
    auto const text = rest.substr(value, most_replacement_bytes);
    return text.substr(0, text.find('\0'));
  }

  static constexpr std::size_t most_bytes = std::size_t{16} << 20;
  static constexpr std::size_t most_key_bytes = 256;
  static constexpr std::size_t most_replacement_bytes = 1024;

  std::string bytes_;
  std::size_t units_ = 0;
};

}  // namespace lancet
