// SPDX-License-Identifier: Apache-2.0
// The steps that cut text into words, one after the other: scanners, literals, patterns, a space in front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/known_patterns.hpp"
#include "lancet/io/pretokenize.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// Bytes begin .. end - 1 of a text.
struct text_range {
  std::size_t begin;
  std::size_t end;
};

/// A regular expression that no scanner stands for; pretokenize_pcre2.hpp has the implementation. Shared
/// between threads.
class split_pattern {
 public:
  virtual ~split_pattern() = default;

  /// The first match that begins at `from` or later, of any length including 0. `text` is well-formed UTF-8,
  /// `from` the begin of a character or text.size(); what precedes `from` is there for lookbehind.
  [[nodiscard]] virtual std::optional<text_range> find(std::string_view text, std::size_t from) const = 0;
};

/// Cuts at the matches of `pattern`.
struct split_at_pattern {
  std::string source;  ///< the regular expression
  std::shared_ptr<split_pattern const> pattern;
  bool keep_matches = true;  ///< whether matches, and what lies between them, become pieces or are dropped
  bool keep_between = true;
};

/// Cuts at the occurrences of a literal text, which become pieces.
struct split_at_literal {
  std::string literal;
};

/// Puts a space in front of each piece that does not begin with one.
struct prefix_space {};

/// One step; steps run in order, each on every piece of the one before.
using split_step = std::variant<split_rule, split_at_pattern, split_at_literal, prefix_space>;

/// A text's pieces: views into the text, or into `made` where a step has changed it.
struct text_pieces {
  std::vector<std::string_view> list;
  std::deque<std::string> made;  // a deque, so that earlier views stay valid
};

namespace detail {

inline void split_piece(split_rule rule, std::string_view text, text_pieces& out) {
  while (!text.empty()) {
    auto const end = piece_end(rule, text, 0);
    out.list.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

inline void split_piece(split_at_literal const& step, std::string_view text, text_pieces& out) {
  while (!text.empty()) {
    auto const found = text.find(step.literal);
    auto const end = found == 0 ? step.literal.size() : std::min(found, text.size());
    out.list.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

inline void split_piece(prefix_space, std::string_view text, text_pieces& out) {
  if (!text.starts_with(' ')) text = out.made.emplace_back(" " + std::string(text));
  out.list.push_back(text);
}

/// Patterns see well-formed text only: an ill-formed part of `text` counts as lying between matches.
inline void split_piece(split_at_pattern const& step, std::string_view text, text_pieces& out) {
  auto const put = [&](std::string_view piece, bool keep) {
    if (keep && !piece.empty()) out.list.push_back(piece);
  };
  while (!text.empty()) {
    auto const valid = text.substr(0, valid_utf8_prefix(text));
    std::size_t done = 0;
    for (std::size_t from = 0; from <= valid.size();) {
      auto const match = step.pattern->find(valid, from);
      if (!match) break;
      put(valid.substr(done, match->begin - done), step.keep_between);
      put(valid.substr(match->begin, match->end - match->begin), step.keep_matches);
      done = from = match->end;
      bool const empty =
          match->begin == match->end;  // cuts here; the search goes on behind the next character
      if (empty) from += from < valid.size() ? read_utf8(valid, from).size : 1;
    }
    put(valid.substr(done), step.keep_between);
    text.remove_prefix(valid.size());
    if (text.empty()) break;
    auto const invalid = read_utf8(text, 0).size;
    put(text.substr(0, invalid), step.keep_between);
    text.remove_prefix(invalid);
  }
}

}  // namespace detail

/// Cuts `text` by `steps`. The views of the result live as long as `text` and the result.
[[nodiscard]] inline text_pieces split_text(std::vector<split_step> const& steps, std::string_view text) {
  text_pieces pieces;
  if (!text.empty()) pieces.list.push_back(text);
  std::vector<std::string_view> before;
  for (auto const& step : steps) {
    std::swap(before, pieces.list);
    pieces.list.clear();
    std::visit(
        [&](auto const& s) {
          for (auto const piece : before) detail::split_piece(s, piece, pieces);
        },
        step);
  }
  return pieces;
}

/// A step in words, for messages and the tokenizer's hash.
[[nodiscard]] inline std::string describe(split_step const& step) {
  if (auto const* const rule = std::get_if<split_rule>(&step)) return std::string(name_of(*rule));
  if (auto const* const pattern = std::get_if<split_at_pattern>(&step)) {
    return "pattern " + pattern->source + (pattern->keep_matches ? "" : ", matches dropped") +
           (pattern->keep_between ? "" : ", the rest dropped");
  }
  if (auto const* const literal = std::get_if<split_at_literal>(&step)) return "literal " + literal->literal;
  return "prefix space";
}

/// Makes a matcher of a regular expression; `pcre2_pattern` of pretokenize_pcre2.hpp is one. Throws
/// lancet::error where it cannot.
using pattern_compiler = std::shared_ptr<split_pattern const> (*)(std::string const& source);

/// The step that cuts at the matches of `source`, matches and the rest becoming pieces: a scanner where one
/// is known, else a matcher made by `compiler`. `where` names the pattern's place for the file_error when
/// there is neither.
[[nodiscard]] inline split_step step_for_pattern(std::string const& source, std::string_view where,
                                                 pattern_compiler compiler) {
  if (auto const rule = rule_for(source)) return *rule;
  if (compiler == nullptr) {
    throw file_error(where,
                     "got the pattern '" + escape_utf8(source, 400) +
                         "', which no scanner stands for; expected a known pattern, or a pattern_compiler "
                         "(pcre2_pattern of lancet/io/pretokenize_pcre2.hpp) to be given");
  }
  try {
    return split_at_pattern{.source = source, .pattern = compiler(source)};
  } catch (error const& failed) {  // the compiler does not know where the pattern stands
    throw file_error(where, failed.what());
  }
}

}  // namespace lancet
