// SPDX-License-Identifier: Apache-2.0
// Which regular expressions the scanners of pretokenize.hpp stand for, letter by letter.
#pragma once

#include <optional>
#include <string_view>

#include "lancet/io/pretokenize.hpp"

namespace lancet {

namespace detail {

struct known_pattern {
  std::string_view source;
  split_rule rule;
  std::string_view name;
  bool gapless;  // matches everything, so that nothing lies between two matches
};

inline constexpr known_pattern known_patterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", split_rule::gpt2,
     "gpt2", true},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::llama3, "llama3", true},
    // The spelling of tiktoken's cl100k_base: what is possessive there could not have given anything back.
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::llama3, "llama3", true},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
     R"(\s+(?!\S)|\s+)",
     split_rule::qwen2, "qwen2", true},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     split_rule::gpt4o, "gpt4o", true},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
     R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     split_rule::tekken, "tekken", true},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
     R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     split_rule::deepseek3, "deepseek3", false},
    // The same as some files have it, with a line feed and a carriage return for \n and \r.
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
     " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
     split_rule::deepseek3, "deepseek3", false},
    {"[一-龥\u3040-ゟ゠-ヿ]+", split_rule::cjk_runs, "cjk runs", false},
    {R"(\p{N})", split_rule::digits, "digits", false},
    {R"(\p{N}+)", split_rule::digit_runs, "digit runs", false},
    {R"(\p{N}{1,3})", split_rule::digit_triples, "digit triples", false},
};

}  // namespace detail

/// A rule's name, for messages and the tokenizer's hash.
[[nodiscard]] constexpr std::string_view name_of(split_rule rule) noexcept {
  for (auto const& known : detail::known_patterns) {
    if (known.rule == rule) return known.name;
  }
  return "unknown";
}

/// Whether the pieces of a rule are all matches of its pattern.
[[nodiscard]] constexpr bool is_gapless(split_rule rule) noexcept {
  for (auto const& known : detail::known_patterns) {
    if (known.rule == rule) return known.gapless;
  }
  return false;
}

/// The rule that stands for a regular expression, if there is one.
[[nodiscard]] constexpr std::optional<split_rule> rule_for(std::string_view source) noexcept {
  for (auto const& known : detail::known_patterns) {
    if (known.source == source) return known.rule;
  }
  return std::nullopt;
}

}  // namespace lancet
