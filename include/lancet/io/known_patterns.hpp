// SPDX-License-Identifier: Apache-2.0
// Which regular expressions the scanners of pretokenize.hpp stand for, letter by letter.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// Makes a matcher of a regular expression; `pcre2_pattern` of pretokenize_pcre2.hpp is one. Throws
/// file_error where it cannot.
using pattern_compiler = std::shared_ptr<split_pattern const> (*)(std::string const& source);

/// How tokenizer files are read.
struct tokenizer_read_options {
  /// For patterns that no scanner stands for; without it they are refused.
  pattern_compiler patterns = nullptr;
};

namespace detail {

struct known_pattern {
  std::string_view source;
  split_rule rule;
};

inline constexpr known_pattern known_patterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", split_rule::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::llama3},
    // The spelling of tiktoken's cl100k_base: what is possessive there could not have given anything back.
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::qwen2},
    {R"(\p{N})", split_rule::digits},
    {R"(\p{N}+)", split_rule::digit_runs},
    {R"(\p{N}{1,3})", split_rule::digit_triples},
};

}  // namespace detail

/// The step that cuts at the matches of `source`, matches and the rest becoming pieces: a scanner where one
/// is known, else a matcher by `options.patterns`. `where` names the pattern's place for the file_error when
/// there is neither.
[[nodiscard]] inline split_step step_for_pattern(std::string const& source, std::string_view where,
                                                 tokenizer_read_options const& options) {
  for (auto const& known : detail::known_patterns) {
    if (known.source == source) return known.rule;
  }
  if (options.patterns == nullptr) {
    throw file_error(where,
                     "got the pattern '" + escape_utf8(source, 400) +
                         "', for which there is no scanner; expected a known pattern, or to be read with "
                         "tokenizer_read_options::patterns (pretokenize_pcre2.hpp)");
  }
  return split_at_pattern{.source = source, .pattern = options.patterns(source)};
}

}  // namespace lancet
