// SPDX-License-Identifier: Apache-2.0
// The planted model's language: some hundred words in classes, which class follows which, and a tokenizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lancet/causal/contrast_pair.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// Words of a class have the same successors. `start` opens a text, `opening` a later sentence; `claim` leads
/// to `conjunction` ("said that"), and that to `pronoun`.
enum class word_class {
  letter,
  start,
  opening,
  article,
  adjective,
  noun,
  occupation,
  stated,
  verb,
  preposition,
  claim,
  conjunction,
  pronoun,
  copula,
  state,
  stop
};
inline constexpr index word_classes = static_cast<index>(word_class::stop) + 1;

/// A word with the space before it, as texts have it.
struct planted_word {
  std::string text;
  word_class kind;
  int gender = 0;  ///< +1 female, −1 male: by stereotype for `occupation`, as a fact for `stated`
  split part = split::train;  ///< nouns, occupations and stated words belong to one split
};

namespace detail {

struct planted_words {
  word_class kind;
  int gender;
  split part;
  std::string_view words;
};

inline constexpr planted_words planted_word_lists[] = {
    {word_class::article, 0, split::train, "the"},
    {word_class::adjective, 0, split::train, "old quiet small bright wooden narrow green heavy"},
    {word_class::noun, 0, split::train, "clock lamp bridge garden window river table boat"},
    {word_class::noun, 0, split::test, "tower kettle meadow fence harbor carpet barrel orchard"},
    {word_class::verb, 0, split::train, "stood lay waited rested shone leaned"},
    {word_class::preposition, 0, split::train, "near behind under above beside"},
    {word_class::claim, 0, split::train, "said hoped thought smiled knew wrote felt replied laughed heard"},
    {word_class::conjunction, 0, split::train, "that because"},
    {word_class::pronoun, +1, split::train, "she"},
    {word_class::pronoun, -1, split::train, "he"},
    {word_class::copula, 0, split::train, "was"},
    {word_class::state, 0, split::train, "late tired ready certain early hungry calm busy"},
    {word_class::occupation, +1, split::train,
     "nurse librarian dancer florist nanny cashier typist midwife stylist babysitter"},
    {word_class::occupation, -1, split::train,
     "mechanic carpenter pilot butcher farmer welder sailor builder engineer trucker"},
    {word_class::occupation, +1, split::validation, "receptionist housekeeper tailor therapist"},
    {word_class::occupation, -1, split::validation, "plumber soldier roofer hunter"},
    {word_class::occupation, +1, split::test, "secretary hairdresser teacher dietitian beautician cleaner"},
    {word_class::occupation, -1, split::test, "electrician miner surgeon blacksmith guard lumberjack"},
    {word_class::stated, +1, split::train, "mother queen sister girl aunt bride"},
    {word_class::stated, -1, split::train, "father king brother boy uncle groom"},
    {word_class::stated, +1, split::validation, "daughter princess"},
    {word_class::stated, -1, split::validation, "son prince"},
    {word_class::stated, +1, split::test, "woman wife niece lady"},
    {word_class::stated, -1, split::test, "man husband nephew gentleman"},
};

/// A word of class `from` is followed by some word of class `to` with this probability, each as likely.
struct planted_transition {
  word_class from, to;
  double probability;
};

inline constexpr planted_transition planted_transitions[] = {
    {word_class::start, word_class::adjective, 0.35},
    {word_class::start, word_class::noun, 0.4},
    {word_class::start, word_class::occupation, 0.1},
    {word_class::start, word_class::stated, 0.15},
    {word_class::opening, word_class::adjective, 0.35},
    {word_class::opening, word_class::noun, 0.4},
    {word_class::opening, word_class::occupation, 0.1},
    {word_class::opening, word_class::stated, 0.15},
    {word_class::article, word_class::adjective, 0.5},
    {word_class::article, word_class::noun, 0.5},
    {word_class::adjective, word_class::noun, 1.0},
    {word_class::noun, word_class::verb, 0.4},
    {word_class::noun, word_class::copula, 0.2},
    {word_class::noun, word_class::stop, 0.35},
    {word_class::noun, word_class::claim, 0.05},
    {word_class::occupation, word_class::claim, 0.7},
    {word_class::occupation, word_class::preposition, 0.2},
    {word_class::occupation, word_class::copula, 0.1},
    {word_class::stated, word_class::claim, 0.7},
    {word_class::stated, word_class::preposition, 0.2},
    {word_class::stated, word_class::copula, 0.1},
    {word_class::verb, word_class::preposition, 1.0},
    {word_class::preposition, word_class::article, 1.0},
    {word_class::claim, word_class::conjunction, 1.0},
    {word_class::conjunction, word_class::pronoun, 0.8},
    {word_class::conjunction, word_class::article, 0.2},
    {word_class::pronoun, word_class::copula, 1.0},
    {word_class::copula, word_class::state, 1.0},
    {word_class::state, word_class::stop, 1.0},
    {word_class::stop, word_class::opening, 1.0},
};

}  // namespace detail

/// Every token in the order of ids: printable ASCII and the line feed, so that any text has tokens, then the
/// words.
[[nodiscard]] inline std::vector<planted_word> const& planted_vocabulary() {
  static std::vector<planted_word> const all = [] {
    std::vector<planted_word> out{{"\n", word_class::letter}};
    for (char c = 0x20; c < 0x7f; ++c)
      out.push_back({std::string(1, c), c == '.' ? word_class::stop : word_class::letter});
    for (char const* text : {"The", "My"}) out.push_back({text, word_class::start});
    for (char const* text : {" The", " My"}) out.push_back({text, word_class::opening});
    for (detail::planted_words const& list : detail::planted_word_lists)
      for (std::string_view rest = list.words; !rest.empty();) {
        auto const space = rest.find(' ');
        out.push_back({" " + std::string(rest.substr(0, space)), list.kind, list.gender, list.part});
        rest = space == rest.npos ? std::string_view{} : rest.substr(space + 1);
      }
    return out;
  }();
  return all;
}

/// A tokenizer for which each word is one token; other texts fall into letters.
[[nodiscard]] inline tokenizer planted_tokenizer() {
  tokenizer_parts parts;
  for (planted_word const& word : planted_vocabulary()) parts.tokens.push_back(to_byte_alphabet(word.text));
  parts.steps = {split_rule::gpt2};
  parts.ignore_merges = true;
  parts.source = "the planted model";
  return tokenizer(std::move(parts));
}

}  // namespace lancet
