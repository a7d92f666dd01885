// SPDX-License-Identifier: Apache-2.0
// Makes hostile text harmless: repaired UTF-8, HTML text and attributes, and JSON inside a script element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lancet::html {

/// One decoded code point: its value, how many bytes it took, and whether those bytes were well formed.
struct decoded {
  char32_t value = 0xFFFD;
  std::size_t bytes = 1;
  bool valid = false;
};

/// Decodes the first code point of `text` (not empty). Overlong forms, surrogates, values over U+10FFFF and
/// cut-off sequences are malformed: one byte is consumed and U+FFFD takes its place.
[[nodiscard]] inline decoded decode_utf8(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char const lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t const length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
  char32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {};
  return {value, length, true};
}

/// Appends `value` as UTF-8.
inline void encode_utf8(std::string& out, char32_t value) {
  auto const put = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | (value >> 6)), put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | (value >> 12)), put(0x80 | ((value >> 6) & 0x3F)), put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | (value >> 18)), put(0x80 | ((value >> 12) & 0x3F));
    put(0x80 | ((value >> 6) & 0x3F)), put(0x80 | (value & 0x3F));
  }
}

/// Appends `text` so that it is plain text both between tags and inside a quoted attribute. Malformed bytes
/// become U+FFFD, control characters their visible pictures (U+2400 …), and bidirectional overrides, which
/// could make the page around them read backwards, become U+FFFD.
inline void escape_into(std::string& out, std::string_view text) {
  while (!text.empty()) {
    decoded const c = decode_utf8(text);
    switch (c.value) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '`':
        out += "&#96;";
        break;
      case '\t':
      case '\n':
        out += static_cast<char>(c.value);
        break;
      case 0x2028:
        out += "&#8232;";
        break;
      case 0x2029:
        out += "&#8233;";
        break;
      default:
        if (c.value < 0x20) {
          encode_utf8(out, 0x2400 + c.value);
        } else if (c.value == 0x7F) {
          encode_utf8(out, 0x2421);
        } else if ((c.value >= 0x80 && c.value < 0xA0) || (c.value >= 0x202A && c.value <= 0x202E) ||
                   (c.value >= 0x2066 && c.value <= 0x2069) || c.value == 0xFEFF) {
          encode_utf8(out, 0xFFFD);
        } else {
          encode_utf8(out, c.value);
        }
    }
    text.remove_prefix(c.bytes);
  }
}

/// `text` as HTML text.
[[nodiscard]] inline std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  escape_into(out, text);
  return out;
}

/// At most `limit` code points of `text`, with "…" where something was cut.
[[nodiscard]] inline std::string shorten(std::string_view text, std::size_t limit) {
  std::size_t at = 0;
  for (std::size_t n = 0; n < limit && at < text.size(); ++n) at += decode_utf8(text.substr(at)).bytes;
  return at >= text.size() ? std::string(text) : std::string(text.substr(0, at)) + "…";
}

/// `document` as JSON that may stand inside `<script type="application/json">`: ASCII only, and no `<`, `>`
/// or `&`, so neither `</script` nor `<!--` can occur. Malformed UTF-8 becomes U+FFFD. Reading it back gives
/// the same document.
[[nodiscard]] inline std::string script_json(nlohmann::json const& document) {
  std::string const plain = document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size() + plain.size() / 16);
  for (char const c : plain) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace lancet::html
