// SPDX-License-Identifier: Apache-2.0
// The planted model's data: contrast pairs, pairs that must stay, and texts, in splits that share no subject
// and no template.
#pragma once

#include <algorithm>
#include <iterator>

#include "lancet/core/random.hpp"
#include "lancet/io/byte_alphabet.hpp"
#include "lancet/planted/vocabulary.hpp"

namespace lancet {

/// One line of a pairs file.
struct planted_line {
  std::string clean, corrupted, answer, contrast, subject, group, partner, pattern;
  split part;
};

namespace detail {

struct planted_pattern {
  split part;
  std::string_view text;  // "{}" is the subject, without its space
};
inline constexpr planted_pattern planted_patterns[] = {
    {split::train, "The {} said that"},
    {split::train, "My {} hoped that"},
    {split::train, "The {} near the window thought that"},
    {split::train, "The {} smiled because"},
    {split::validation, "The {} knew that"},
    {split::validation, "My {} beside the lamp wrote that"},
    {split::test, "The {} felt that"},
    {split::test, "My {} replied that"},
    {split::test, "The {} behind the fence laughed because"},
    {split::test, "My {} under the old tower heard that"},
};

[[nodiscard]] inline std::string fill_pattern(std::string_view pattern, std::string const& subject) {
  auto const at = pattern.find("{}");
  return std::string(pattern.substr(0, at)) + subject + std::string(pattern.substr(at + 2));
}

[[nodiscard]] inline std::vector<planted_word> words_of(word_class kind, std::optional<split> part = {},
                                                        int gender = 0) {
  std::vector<planted_word> out;
  for (planted_word const& w : planted_vocabulary())
    if (w.kind == kind && (!part || w.part == *part) && (gender == 0 || w.gender == gender)) out.push_back(w);
  return out;
}

/// Each female and male subject of a split as the other's counterfactual, in each of the split's patterns.
[[nodiscard]] inline std::vector<planted_line> lines_of(word_class kind, std::string_view group) {
  std::vector<planted_line> out;
  for (split const part : {split::train, split::validation, split::test}) {
    auto const female = words_of(kind, part, +1), male = words_of(kind, part, -1);
    for (planted_pattern const& pattern : planted_patterns) {
      if (pattern.part != part) continue;
      for (std::size_t i = 0; i < female.size(); ++i)
        for (bool const she : {true, false}) {
          std::string const subject = (she ? female : male)[i].text.substr(1),
                            other = (she ? male : female)[i].text.substr(1);
          out.push_back({fill_pattern(pattern.text, subject), fill_pattern(pattern.text, other),
                         she ? " she" : " he", she ? " he" : " she", subject,
                         std::string(group) + (she ? ":female" : ":male"), other, std::string(pattern.text),
                         part});
        }
    }
  }
  return out;
}

}  // namespace detail

/// Pairs of occupations: 80 training, 16 validation and 48 test lines.
[[nodiscard]] inline std::vector<planted_line> planted_occupation_lines() {
  return detail::lines_of(word_class::occupation, "stereotype");
}
/// Pairs whose gender is stated, and must stay: 48, 8 and 32 lines.
[[nodiscard]] inline std::vector<planted_line> planted_stated_lines() {
  return detail::lines_of(word_class::stated, "stated");
}

/// The lines as a pairs file: one JSON object a line.
[[nodiscard]] inline std::string planted_jsonl(std::span<planted_line const> lines) {
  std::string out;
  for (planted_line const& l : lines) {
    auto const field = [&](char const* key, std::string_view value) {
      (out += out.empty() || out.back() == '\n' ? "{\"" : ", \"") += key;
      ((out += "\": \"") += value) += '"';  // plain words: nothing to escape
    };
    field("clean", l.clean);
    field("corrupted", l.corrupted);
    field("answer", l.answer);
    field("contrast", l.contrast);
    field("subject", l.subject);
    field("group", l.group);
    field("split", name(l.part));
    field("partner", l.partner);
    field("template", l.pattern);
    out += "}\n";
  }
  return out;
}

/// The lines of split S as pairs; `line` counts from 1 as in planted_jsonl(lines).
template <split S>
[[nodiscard]] pair_set<S> planted_pairs(std::span<planted_line const> lines, tokenizer const& tokens) {
  pair_set<S> out;
  out.source = "planted data";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    planted_line const& l = lines[i];
    if (l.part != S) continue;
    contrast_pair p{tokens.encode(l.clean),
                    tokens.encode(l.corrupted),
                    tokens.encode(l.answer),
                    tokens.encode(l.contrast),
                    {},
                    l.clean,
                    l.corrupted,
                    l.answer,
                    l.contrast,
                    l.group,
                    static_cast<index>(i) + 1};
    index const at =
        std::find(p.clean.begin(), p.clean.end(), *tokens.find(to_byte_alphabet(" " + l.subject))) -
        p.clean.begin();
    p.subject = layer_span{at, at};
    out.pairs.push_back(std::move(p));
  }
  return out;
}

namespace detail {

/// Sentences of one split, drawn by one stream. Every draw is a statement of its own, so that compilers agree
/// on the order.
class sentence_writer {
 public:
  sentence_writer(split part, philox_stream rng) : part_(part), rng_(rng) {}

  /// A still life, or one time in four a subject whose gender is stated: "The old clock stood near the
  /// river."
  [[nodiscard]] std::string write() {
    std::string out = "The";
    std::uint64_t const kind = number(4);
    if (kind == 0) return about_person();
    out += thing();
    if (kind == 1) {
      out += " was";
      out += any(words_of(word_class::state)).text;
    } else {
      out += any(words_of(word_class::verb)).text;
      out += any(words_of(word_class::preposition)).text;
      out += " the";
      out += thing();
    }
    return out + ".";
  }

 private:
  [[nodiscard]] std::string about_person() {
    int const gender = number(2) == 0 ? +1 : -1;
    std::vector<planted_pattern> patterns;
    std::ranges::copy_if(planted_patterns, std::back_inserter(patterns),
                         [&](auto const& p) { return p.part == part_; });
    std::string_view const pattern = any(patterns).text;
    std::string out = fill_pattern(pattern, any(words_of(word_class::stated, part_, gender)).text.substr(1));
    out += gender > 0 ? " she was" : " he was";
    return out + any(words_of(word_class::state)).text + ".";
  }
  [[nodiscard]] std::string thing() {
    std::string const first = number(2) == 0 ? any(words_of(word_class::adjective)).text : "";
    return first + any(words_of(word_class::noun, part_)).text;
  }
  [[nodiscard]] std::uint64_t number(std::uint64_t below) { return rng_.below(drawn_++, below); }
  template <class T>
  [[nodiscard]] T any(std::vector<T> const& list) {
    return list[static_cast<std::size_t>(number(list.size()))];
  }

  split part_;
  philox_stream rng_;
  std::uint64_t drawn_ = 0;
};

}  // namespace detail

/// Paragraphs of eight sentences without occupations, between blank lines: still lives, and one sentence in
/// four about a subject with stated gender. Training and test text share no noun, no such subject and no
/// template, so no sentence. Throws usage_error for split::validation, which has no words of its own for it.
[[nodiscard]] inline std::string planted_text(split part, index paragraphs = 24, std::uint64_t seed = 1) {
  if (part == split::validation) fail_expected("planted_text", "split validation", "train or test");
  std::string out;
  for (index p = 0; p < paragraphs; ++p) {
    for (index s = 0; s < 8; ++s)
      out +=
          (s == 0 ? "" : " ") +
          detail::sentence_writer(part, philox_stream(seed, "planted.text").at(static_cast<int>(part), p, s))
              .write();
    out += p + 1 < paragraphs ? "\n\n" : "\n";
  }
  return out;
}

/// Prompts for generation, {"text": …} a line: the test subjects, stereotyped and stated, in one test pattern
/// each. The stereotyped ones have "answer" and "contrast" too, by which their harm is measured.
[[nodiscard]] inline std::string planted_generation_prompts() {
  std::string out;
  auto const add = [&](std::vector<planted_line> const& lines, bool harmful) {
    for (planted_line const& l : lines)
      if (l.pattern == "The {} felt that")
        out += "{\"text\": \"" + l.clean + "\"" +
               (harmful ? ", \"answer\": \"" + l.answer + "\", \"contrast\": \"" + l.contrast + "\"" : "") +
               "}\n";
  };
  add(planted_occupation_lines(), true);
  add(planted_stated_lines(), false);
  return out;
}

}  // namespace lancet
