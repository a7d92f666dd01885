// SPDX-License-Identifier: Apache-2.0
// The steps that cut text into words, one after the other: scanners, literals, patterns, a mark in front,
// white space, BERT's words.
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
#include "lancet/io/bert_normalizer.hpp"
#include "lancet/io/decode_steps.hpp"
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

/// Cuts at the occurrences of a literal text, which become pieces, or the end of the piece before. Of several
/// in a row only the first belongs to the piece before.
struct split_at_literal {
  std::string literal;
  bool with_previous = false;
};

/// Puts a space in front of each piece that does not begin with one.
struct prefix_space {};

/// SentencePiece's words: `mark` for each space, and one in front of pieces that do not begin with it.
struct metaspace {
  enum class prefix { never, first, always };

  std::string mark = "\u2581";
  prefix in_front = prefix::always;  ///< `first`: only of a piece that begins the text
  bool split = true;                 ///< cut before each mark
};

/// Cuts at white space, which is dropped.
struct split_at_space {};

/// The same, and each punctuation character is a piece of its own, as BERT has it.
struct bert_words {};

/// One step; steps run in order, each on every piece of the one before.
using split_step = std::variant<split_rule, split_at_pattern, split_at_literal, prefix_space, metaspace,
                                split_at_space, bert_words>;

/// A text's pieces: views into the text, or into `made` where a step has changed it.
struct text_pieces {
  std::vector<std::string_view> list;
  std::deque<std::string> made;  // a deque, so that earlier views stay valid
  char const* start = nullptr;   // where a piece that begins the text begins
  std::size_t written = 0;       // bytes of `made`
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
    auto end = found == 0 ? step.literal.size() : std::min(found, text.size());
    if (step.with_previous && found != 0 && found != text.npos) end += step.literal.size();
    out.list.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

inline void split_piece(metaspace const& step, std::string_view text, text_pieces& out) {
  bool const wanted = step.in_front == metaspace::prefix::always ||
                      (step.in_front == metaspace::prefix::first && text.data() == out.start);
  auto marked = replace_all(text, " ", step.mark);
  if (wanted && !marked.starts_with(step.mark)) marked.insert(0, step.mark);
  std::string_view rest = out.made.emplace_back(std::move(marked));
  while (step.split && !rest.empty()) {
    auto const from = rest.starts_with(step.mark) ? step.mark.size() : 0;
    auto const end = std::min(rest.find(step.mark, from), rest.size());
    out.list.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  if (!rest.empty()) out.list.push_back(rest);
}

/// Pieces between white space; `apart(code)` says which characters are pieces of their own.
template <typename Apart>
void split_at_spaces(std::string_view text, text_pieces& out, Apart apart) {
  std::size_t begin = 0;
  auto const put = [&](std::size_t end) {
    if (end > begin) out.list.push_back(text.substr(begin, end - begin));
  };
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    bool const space = c.valid && is_space(c.code);
    if (space || apart(c.code)) {
      put(at);
      begin = space ? at + c.size : at;
      if (!space) put(at + c.size);
      begin = at + c.size;
    }
    at += c.size;
  }
  put(text.size());
}

inline void split_piece(split_at_space, std::string_view text, text_pieces& out) {
  split_at_spaces(text, out, [](char32_t) { return false; });
}

inline void split_piece(bert_words, std::string_view text, text_pieces& out) {
  split_at_spaces(text, out, [](char32_t code) { return bert_class_of(code) == bert_class::punctuation; });
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

/// split_text; throws file_error(where, ...) where the steps write more than `most` bytes.
[[nodiscard]] inline text_pieces split_within(std::vector<split_step> const& steps, std::string_view text,
                                              bool begins, std::size_t most, std::string_view where) {
  text_pieces pieces;
  if (begins) pieces.start = text.data();
  if (!text.empty()) pieces.list.push_back(text);
  std::vector<std::string_view> before;
  std::size_t counted = 0;  // of pieces.made
  for (auto const& step : steps) {
    std::swap(before, pieces.list);
    pieces.list.clear();
    std::visit(
        [&](auto const& s) {
          for (auto const piece : before) {
            split_piece(s, piece, pieces);
            for (; counted < pieces.made.size(); ++counted) pieces.written += pieces.made[counted].size();
            check_growth(where, "pre_tokenizer", text.size(), pieces.written, most);
          }
        },
        step);
  }
  return pieces;
}

}  // namespace detail

/// Cuts `text` by `steps`. `begins` says whether `text` is the beginning of what was asked for, not a part from
/// further behind. The views of the result live as long as `text` and the result. Throws file_error(where, ...)
/// where the steps write more than 64 n + 65536 bytes for n.
[[nodiscard]] inline text_pieces split_text(std::vector<split_step> const& steps, std::string_view text,
                                            bool begins = true, std::string_view where = "tokenizer") {
  return detail::split_within(steps, text, begins, detail::most_grown(text.size()), where);
}

/// A step in words, for messages and the tokenizer's hash.
[[nodiscard]] inline std::string describe(split_step const& step) {
  if (auto const* const rule = std::get_if<split_rule>(&step)) return std::string(name_of(*rule));
  if (auto const* const pattern = std::get_if<split_at_pattern>(&step)) {
    return "pattern " + pattern->source + (pattern->keep_matches ? "" : ", matches dropped") +
           (pattern->keep_between ? "" : ", the rest dropped");
  }
  if (auto const* const literal = std::get_if<split_at_literal>(&step))
    return "literal " + literal->literal + (literal->with_previous ? ", with the piece before" : "");
  if (auto const* const words = std::get_if<metaspace>(&step)) {
    return "mark " + words->mark + " " + std::to_string(static_cast<int>(words->in_front)) +
           (words->split ? ", cut" : "");
  }
  if (std::holds_alternative<split_at_space>(step)) return "white space";
  if (std::holds_alternative<bert_words>(step)) return "BERT words";
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
