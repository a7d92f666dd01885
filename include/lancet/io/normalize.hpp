// SPDX-License-Identifier: Apache-2.0
// The steps that change a text before it is cut into words: normalisation forms, replacements, BERT's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lancet/io/bert_normalizer.hpp"
#include "lancet/io/charsmap.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/grapheme_cluster.hpp"
#include "lancet/io/nfc.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// Unicode's normalisation form C.
struct nfc_form {};

/// Lower case, character by character.
struct lower_case_form {};

/// Puts `text` in front, unless there is nothing to put it in front of.
struct prepend_text {
  std::string text;
};

/// `to` for each `from`, which is not empty.
struct replace_text {
  std::string from;
  std::string to;
};

/// `to` for each run of two or more spaces.
struct replace_space_runs {
  std::string to;
};

/// Takes white space off the ends.
struct strip_space {
  bool left = true;
  bool right = true;
};

/// One space for each run of spaces, none at the ends, where SentencePiece takes "▁" for one, too.
struct squeeze_spaces {};

/// SentencePiece's replacements.
struct charsmap_form {
  std::shared_ptr<charsmap const> map;
  bool by_clusters = false;  ///< as the tokenizers library applies them
};

/// One step; steps run in order.
using normalize_step = std::variant<nfc_form, lower_case_form, prepend_text, replace_text, replace_space_runs,
                                    strip_space, squeeze_spaces, bert_normalizer, charsmap_form>;

[[nodiscard]] inline std::string normalize(nfc_form, std::string_view text) { return to_nfc(text); }
[[nodiscard]] inline std::string normalize(lower_case_form, std::string_view text) {
  return to_lower_case(text);
}
[[nodiscard]] inline std::string normalize(prepend_text const& step, std::string_view text) {
  return text.empty() ? std::string() : step.text + std::string(text);
}

// Steps that may make much of little stop where it is more than `most` bytes.

[[nodiscard]] inline std::string normalize(replace_text const& step, std::string_view text,
                                           std::size_t most = std::string::npos) {
  return detail::replace_all(text, step.from, step.to, most);
}

[[nodiscard]] inline std::string normalize(charsmap_form const& step, std::string_view text,
                                           std::size_t most = std::string::npos) {
  static constexpr std::size_t part = 65536;  // of whole clusters, which are replaced each by itself
  if (!step.by_clusters) return step.map->apply(text);
  if (text.size() <= part) return step.map->apply_by_clusters(text);
  std::string out;
  while (!text.empty() && out.size() <= most) {
    std::size_t end = 0;
    while (end < std::min(part, text.size())) end = detail::cluster_end(text, end);
    out += step.map->apply_by_clusters(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

[[nodiscard]] inline std::string normalize(replace_space_runs const& step, std::string_view text,
                                           std::size_t most = std::string::npos) {
  std::string out;
  while (!text.empty() && out.size() <= most) {
    auto const n = std::min(text.find_first_not_of(' '), text.size());
    out += n < 2 ? std::string(n, ' ') : step.to;
    text.remove_prefix(n);
    auto const word = text.substr(0, text.find(' '));
    out += word;
    text.remove_prefix(word.size());
  }
  return out;
}

[[nodiscard]] inline std::string normalize(strip_space const& step, std::string_view text) {
  std::size_t begin = 0;
  std::size_t end = 0;  // of the last character that is no space
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    bool const space = c.valid && detail::is_space(c.code);
    if (space && begin == at && step.left) begin += c.size;
    at += c.size;
    if (!space) end = at;
  }
  if (!step.right) end = text.size();
  return std::string(text.substr(begin, end > begin ? end - begin : 0));
}

[[nodiscard]] inline std::string normalize(squeeze_spaces, std::string_view text) {
  static constexpr std::string_view mark = "\u2581";
  std::string out;
  for (char const c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out.push_back(c);
  }
  while (out.ends_with(' ') || out.ends_with(mark))
    out.resize(out.size() - (out.ends_with(' ') ? 1 : mark.size()));
  return out;
}

namespace detail {

/// `text` after all steps. Throws file_error(where, ...) where it has more than `most` bytes after one.
[[nodiscard]] inline std::string normalize_within(std::vector<normalize_step> const& steps,
                                                  std::string_view text, std::size_t most,
                                                  std::string_view where) {
  std::string out(text);
  for (auto const& step : steps) {
    out = std::visit(
        [&](auto const& s) {
          if constexpr (requires { normalize(s, std::string_view(out), most); })
            return normalize(s, std::string_view(out), most);
          else
            return normalize(s, std::string_view(out));
        },
        step);
    check_growth(where, "normalizer", text.size(), out.size(), most);
  }
  return out;
}

}  // namespace detail

/// `text` after all steps. Throws file_error(where, ...) where n bytes become more than 64 n + 65536.
[[nodiscard]] inline std::string normalize(std::vector<normalize_step> const& steps, std::string_view text,
                                           std::string_view where = "tokenizer") {
  return detail::normalize_within(steps, text, detail::most_grown(text.size()), where);
}

/// A step in words, for messages and the tokenizer's hash.
[[nodiscard]] inline std::string describe(normalize_step const& step) {
  auto const flag = [](std::string const& name, bool on) { return on ? ", " + name : std::string(); };
  if (std::holds_alternative<nfc_form>(step)) return "form C";
  if (std::holds_alternative<lower_case_form>(step)) return "lower case";
  if (std::holds_alternative<squeeze_spaces>(step)) return "squeeze spaces";
  if (auto const* const s = std::get_if<prepend_text>(&step)) return "prepend " + s->text;
  if (auto const* const s = std::get_if<replace_text>(&step)) return "replace " + s->from + " by " + s->to;
  if (auto const* const s = std::get_if<replace_space_runs>(&step)) return "replace spaces by " + s->to;
  if (auto const* const s = std::get_if<strip_space>(&step))
    return "strip" + flag("left", s->left) + flag("right", s->right);
  if (auto const* const s = std::get_if<bert_normalizer>(&step)) {
    return "BERT" + flag("clean", s->clean_text) + flag("chinese", s->space_around_chinese) +
           flag("accents", s->strip_accents) + flag("lower case", s->lower_case);
  }
  auto const& form = std::get<charsmap_form>(step);
  return "charsmap" + flag("clusters", form.by_clusters) + ": " + form.map->bytes();
}

}  // namespace lancet
