// SPDX-License-Identifier: Apache-2.0
// The steps that put tokens together to text, one after the other, on the list of tokens.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// In each token, `to` for `from`, which is not empty.
struct decode_replace {
  std::string from;
  std::string to;
};

/// Tokens "<0x00>" to "<0xFF>" become bytes. A run of them that is no UTF-8 becomes one U+FFFD for each byte
/// where text is asked for.
struct decode_byte_fallback {};

/// One token of all, with `between` in between.
struct decode_fuse {
  std::string between;
};

/// Takes up to so many of the character `content`, which is not empty, off the ends of each token.
struct decode_strip {
  std::string content;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A space for `mark`; in the first token nothing, if encoding puts one in front.
struct decode_metaspace {
  std::string mark;
  bool drops_first = true;
};

/// A space in front of each token but the first and those with `prefix`, which loses it; `cleanup` takes out
/// the spaces before signs and English contractions.
struct decode_wordpiece {
  std::string prefix;
  bool cleanup = false;
};

using decode_step = std::variant<decode_replace, decode_byte_fallback, decode_fuse, decode_strip,
                                 decode_metaspace, decode_wordpiece>;

/// The byte that a token "<0xNN>" stands for.
[[nodiscard]] inline std::optional<unsigned char> byte_of_token(std::string_view piece) noexcept {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  unsigned byte = 0;
  for (char const c : piece.substr(3, 2)) {
    unsigned const digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                                                  : 16;
    if (digit == 16) return std::nullopt;
    byte = byte << 4 | digit;
  }
  return static_cast<unsigned char>(byte);
}

namespace detail {

/// How many bytes a tokenizer's steps may make of so many: its file must not turn a short text into a full
/// memory. Unicode's forms make 11 of one at most, "▁" for a space 3.
[[nodiscard]] constexpr std::size_t most_grown(std::size_t bytes) noexcept { return 64 * bytes + 65536; }

/// Throws file_error where steps make `got` or more bytes of `from`.
inline void check_growth(std::string_view where, std::string_view steps, std::size_t from, std::size_t got,
                         std::size_t most) {
  if (got <= most) return;
  throw file_error(where, std::string(steps) + ": got " + std::to_string(got) + " or more bytes out of " +
                              std::to_string(from) + ", expected at most " + std::to_string(most));
}

/// `text` with `to` for each `from`, from left to right; stops where that has more than `most` bytes.
/// Precondition: `from` is not empty.
[[nodiscard]] inline std::string replace_all(std::string_view text, std::string_view from,
                                             std::string_view to, std::size_t most = std::string::npos) {
  std::string out;
  for (std::size_t at = 0;;) {
    auto const found = text.find(from, at);
    out += text.substr(at, found == text.npos ? found : found - at);
    if (found == text.npos || out.size() > most) return out;
    out += to;
    at = found + from.size();
  }
}

/// What each step is told: whether bytes stay as they are, and how many there may be.
struct decode_call {
  bool raw;
  std::size_t most_bytes;
};

inline void run_step(decode_replace const& step, std::vector<std::string>& tokens, decode_call call) {
  for (auto& token : tokens) {
    token = replace_all(token, step.from, step.to, call.most_bytes);
    if (token.size() > call.most_bytes) return;
    call.most_bytes -= token.size();
  }
}

inline void run_step(decode_byte_fallback, std::vector<std::string>& tokens, decode_call call) {
  std::vector<std::string> out;
  std::string run;
  auto const flush = [&] {
    if (run.empty()) return;
    if (call.raw || is_valid_utf8(run)) {
      out.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) out.emplace_back("\xef\xbf\xbd");
    }
    run.clear();
  };
  for (auto& token : tokens) {
    if (auto const byte = byte_of_token(token)) {
      run.push_back(static_cast<char>(*byte));
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

inline void run_step(decode_fuse const& step, std::vector<std::string>& tokens, decode_call) {
  std::string all;
  for (auto const& token : tokens) all += (&token == tokens.data() ? "" : step.between) + token;
  tokens.assign(1, std::move(all));
}

inline void run_step(decode_strip const& step, std::vector<std::string>& tokens, decode_call) {
  for (auto& token : tokens) {
    std::string_view rest = token;
    for (auto n = step.begin; n > 0 && rest.starts_with(step.content); --n)
      rest.remove_prefix(step.content.size());
    for (auto n = step.end; n > 0 && rest.ends_with(step.content); --n)
      rest.remove_suffix(step.content.size());
    token = std::string(rest);
  }
}

inline void run_step(decode_metaspace const& step, std::vector<std::string>& tokens, decode_call) {
  for (auto& token : tokens)
    token = replace_all(token, step.mark, step.drops_first && &token == tokens.data() ? "" : " ");
}

inline void run_step(decode_wordpiece const& step, std::vector<std::string>& tokens, decode_call) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> spoken{
      {{" .", "."},
       {" ?", "?"},
       {" !", "!"},
       {" ,", ","},
       {" ' ", "'"},
       {" n't", "n't"},
       {" 'm", "'m"},
       {" do not", " don't"},
       {" 's", "'s"},
       {" 've", "'ve"},
       {" 're", "'re"}}};
  for (auto& token : tokens) {
    if (&token != tokens.data())
      token = token.starts_with(step.prefix) ? token.substr(step.prefix.size()) : " " + token;
    if (step.cleanup)
      for (auto const& [from, to] : spoken) token = replace_all(token, from, to);
  }
}

}  // namespace detail

/// The text of `tokens`. `raw` keeps bytes that are no UTF-8 as they are. Throws file_error(where, ...) where
/// n bytes of tokens become more than 64 n + 65536.
[[nodiscard]] inline std::string decode_tokens(std::vector<decode_step> const& steps,
                                               std::vector<std::string> tokens, bool raw,
                                               std::string_view where = "tokenizer") {
  auto const size = [&] {
    std::size_t bytes = 0;
    for (auto const& made : tokens) bytes += made.size();
    return bytes;
  };
  auto const from = size();
  auto const most = detail::most_grown(from);
  for (auto const& step : steps) {
    std::visit([&](auto const& s) { detail::run_step(s, tokens, {raw, most}); }, step);
    detail::check_growth(where, "decoder", from, size(), most);
  }
  std::string out;
  for (auto const& piece : tokens) out += piece;
  return out;
}

}  // namespace lancet
