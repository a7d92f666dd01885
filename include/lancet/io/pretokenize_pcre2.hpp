// SPDX-License-Identifier: Apache-2.0
// Tokenizer patterns that no scanner stands for, matched by PCRE2 within limits; the only header that needs
// PCRE2.
#pragma once

// Only so that pcre2.h lets itself be included: the names used below carry their width.
#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// What one search may cost at most; see pcre2_set_match_limit and its neighbours. Patterns come from files.
struct pcre2_limits {
  std::uint32_t match = 1'000'000;  ///< calls of the matcher's inner function
  std::uint32_t depth = 100'000;    ///< nested backtracking
  std::uint32_t heap_kib = 64 * 1024;
  std::size_t pattern_bytes = 64 * 1024;
};

namespace detail {

struct pcre2_free {
  void operator()(pcre2_code_8* p) const noexcept { pcre2_code_free_8(p); }
  void operator()(pcre2_compile_context_8* p) const noexcept { pcre2_compile_context_free_8(p); }
  void operator()(pcre2_match_context_8* p) const noexcept { pcre2_match_context_free_8(p); }
  void operator()(pcre2_match_data_8* p) const noexcept { pcre2_match_data_free_8(p); }
};

template <typename T>
[[nodiscard]] std::unique_ptr<T, pcre2_free> pcre2_own(T* p) {
  if (p == nullptr) throw std::bad_alloc();
  return std::unique_ptr<T, pcre2_free>(p);
}

[[nodiscard]] inline std::string pcre2_message(int code) {
  unsigned char text[256] = {};
  if (pcre2_get_error_message_8(code, text, sizeof text) < 0) return "error " + std::to_string(code);
  return reinterpret_cast<char const*>(text);
}

/// The first construct of `source` that Oniguruma, for which tokenizer files are written, and PCRE2 take for
/// different things; empty where there is none. Outside and inside of brackets: \w \W \b \B (marks), \h \H
/// (hexadecimal digits), \Q; [ and && inside brackets (classes of classes); (* (verbs, callouts); (?m and (?s
/// (dot, lines); {n}+ and {n}? (not possessive, not lazy); {,n}.
[[nodiscard]] inline std::string_view differing_construct(std::string_view source) noexcept {
  bool in_class = false;
  for (std::size_t i = 0; i < source.size(); ++i) {
    auto const two = source.substr(i, 2);
    if (two.front() == '\\') {
      if (two.size() == 2 && std::string_view("wWbBhHQ").find(two.back()) != std::string_view::npos)
        return two;
      ++i;
    } else if (in_class) {
      if (two.front() == '[' || two == "&&") return two;
      if (two.front() == ']') in_class = false;
    } else if (two.front() == '[') {
      in_class = true;
      if (source.substr(i + 1, 1) == "^") ++i;
      if (source.substr(i + 1, 1) == "]") ++i;  // a first ] is a character
    } else if (two == "(*") {
      return two;
    } else if (two == "(?") {
      auto const end = source.find_first_not_of("imsxn-^", i + 2);
      auto const options = source.substr(i, end - i);
      if (options.find_first_of("ms") != options.npos) return options;
    } else if (two.front() == '{') {
      auto const end = source.find_first_not_of("0123456789,", i + 1);
      if (end == source.npos || source[end] != '}') continue;
      auto const count = source.substr(i, end + 2 - i);
      bool const exact = count.find(',') == count.npos;
      if (two == "{," || count.back() == '+' || (exact && count.back() == '?')) return count;
      i = end;
    }
  }
  return {};
}

class pcre2_split_pattern final : public split_pattern {
 public:
  pcre2_split_pattern(std::string const& source, pcre2_limits const& limits) : source_(source) {
    if (auto const construct = differing_construct(source); !construct.empty()) {
      refuse("has '" + std::string(construct) +
             "', which PCRE2 understands in another way than the tokenizer's author");
    }
    auto const context = pcre2_own(pcre2_compile_context_create_8(nullptr));
    pcre2_set_max_pattern_length_8(context.get(), limits.pattern_bytes);
    pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
    // As in Oniguruma, ^ and $ match at every line.
    constexpr std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    std::size_t offset = 0;
    code_.reset(pcre2_compile_8(reinterpret_cast<unsigned char const*>(source.data()), source.size(), options,
                                &code, &offset, context.get()));
    if (code_ == nullptr) refuse("at byte " + std::to_string(offset) + ": " + pcre2_message(code));
    match_ = pcre2_own(pcre2_match_context_create_8(nullptr));
    pcre2_set_match_limit_8(match_.get(), limits.match);
    pcre2_set_depth_limit_8(match_.get(), limits.depth);
    pcre2_set_heap_limit_8(match_.get(), limits.heap_kib);
  }

  [[nodiscard]] std::optional<text_range> find(std::string_view text, std::size_t from) const override {
    auto const data =
        pcre2_own(pcre2_match_data_create_8(1, nullptr));  // its own for each call: threads share this object
    int const code = pcre2_match_8(code_.get(), reinterpret_cast<unsigned char const*>(text.data()),
                                   text.size(), from, PCRE2_NO_UTF_CHECK, data.get(), match_.get());
    if (code == PCRE2_ERROR_NOMATCH) return std::nullopt;
    if (code < 0) {
      throw resource_error(name() + " fails at byte " + std::to_string(from) +
                           " of a text: " + pcre2_message(code));
    }
    auto const* const range = pcre2_get_ovector_pointer_8(data.get());
    if (range[0] < from || range[1] < range[0]) throw resource_error(name() + " matches backwards");
    return text_range{range[0], range[1]};
  }

 private:
  [[nodiscard]] std::string name() const { return "tokenizer pattern '" + escape_utf8(source_, 400) + "'"; }
  [[noreturn]] void refuse(std::string const& why) const { throw file_error(name(), why); }

  std::string source_;
  std::unique_ptr<pcre2_code_8, pcre2_free> code_;
  std::unique_ptr<pcre2_match_context_8, pcre2_free> match_;
};

}  // namespace detail

/// A matcher of `source` by PCRE2 with Unicode properties; ^ and $ match at each line. What PCRE2 is known to
/// understand differently from Oniguruma is refused, with two exceptions: PCRE2 counts U+180E as \s, and its
/// Unicode version is that of the installed library. Throws file_error for a pattern that cannot be compiled;
/// the result's `find` throws resource_error where a search exceeds the limits.
[[nodiscard]] inline std::shared_ptr<split_pattern const> pcre2_pattern(std::string const& source,
                                                                        pcre2_limits const& limits) {
  return std::make_shared<detail::pcre2_split_pattern const>(source, limits);
}

/// The same with the default limits: a pattern_compiler.
[[nodiscard]] inline std::shared_ptr<split_pattern const> pcre2_pattern(std::string const& source) {
  return pcre2_pattern(source, {});
}

}  // namespace lancet
