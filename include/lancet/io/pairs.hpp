// SPDX-License-Identifier: Apache-2.0
// Contrast pairs from JSON lines: {"clean": …, "corrupted": …, "answer": …, "contrast": …, "subject": …,
// "split": …}.
#pragma once

#include <set>

#include "lancet/causal/contrast_pair.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/mapped_file.hpp"
#include "lancet/io/sha256.hpp"
#include "lancet/io/tokenizer.hpp"

namespace lancet {

/// The pairs of one file, by split.
class pair_file {
 public:
  [[nodiscard]] training_pairs const& train() const { return train_; }
  [[nodiscard]] validation_pairs const& validation() const { return validation_; }
  [[nodiscard]] test_pairs const& test() const { return test_; }
  [[nodiscard]] std::string const& path() const { return path_; }
  [[nodiscard]] std::string const& sha256() const { return sha256_; }

  template <split S>
  pair_set<S>& set() {
    if constexpr (S == split::train)
      return train_;
    else if constexpr (S == split::validation)
      return validation_;
    else
      return test_;
  }
  pair_file(std::string path, std::string digest) : path_(std::move(path)), sha256_(std::move(digest)) {
    train_.source = validation_.source = test_.source = path_;
  }

 private:
  std::string path_, sha256_;
  training_pairs train_;
  validation_pairs validation_;
  test_pairs test_;
};

namespace detail {

/// A text or {"…_ids": [...]} as tokens.
[[nodiscard]] inline std::vector<token> pair_tokens(nlohmann::json const& line, std::string const& key,
                                                    tokenizer const* tokens, std::string const& where) {
  if (auto const* ids = find(line, key + "_ids")) {
    (void)ids;
    return get<std::vector<token>>(line, key + "_ids", where);
  }
  if (!find(line, key)) return {};
  std::string const text = get<std::string>(line, key, where);
  if (!tokens)
    throw file_error(where, key + ": got a text, expected " + key + "_ids: the model has no tokenizer");
  std::vector<token> out = tokens->encode(text);
  if (out.empty()) throw file_error(where, key + ": got a text without tokens, expected at least one token");
  return out;
}

/// Token positions that the subject's characters fall on: the tokens between those of what stands before and
/// after it.
[[nodiscard]] inline layer_span subject_tokens(std::string const& text, std::string const& subject,
                                               tokenizer const& tokens, std::vector<token> const& ids,
                                               std::string const& where) {
  auto const at = text.find(subject);
  if (subject.empty() || at == text.npos)
    throw file_error(where, "subject: got " + in_quotes(subject) + ", expected a part of clean");
  std::size_t begin = 0;
  layer_span span{-1, -1};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::size_t const end = begin + tokens.bytes(ids[i]).size();
    if (end > at && begin < at + subject.size()) {
      if (span.first < 0) span.first = static_cast<index>(i);
      span.last = static_cast<index>(i);
    }
    begin = end;
  }
  if (span.first < 0)
    throw file_error(where, "subject: " + in_quotes(subject) + " lies on no token of clean");
  return span;
}

[[nodiscard]] inline contrast_pair read_pair(nlohmann::json const& line, tokenizer const* tokens,
                                             std::string const& where) {
  contrast_pair p;
  p.clean = pair_tokens(line, "clean", tokens, where);
  if (p.clean.empty()) throw file_error(where, "has no 'clean'");
  p.answer = pair_tokens(line, "answer", tokens, where);
  if (p.answer.empty()) throw file_error(where, "has no 'answer'");
  p.corrupted = pair_tokens(line, "corrupted", tokens, where);
  p.contrast = pair_tokens(line, "contrast", tokens, where);
  if (!p.corrupted.empty() && p.corrupted.size() != p.clean.size())
    throw file_error(where, "clean has " + std::to_string(p.clean.size()) + " tokens and corrupted " +
                                std::to_string(p.corrupted.size()) + ", expected as many");
  auto const text = [&](char const* key) {
    return find(line, key) ? get<std::string>(line, key, where) : std::string();
  };
  p.clean_text = text("clean");
  p.corrupted_text = text("corrupted");
  p.answer_text = text("answer");
  p.contrast_text = text("contrast");
  p.group = text("group");
  if (find(line, "subject") && tokens && !p.clean_text.empty())
    p.subject =
        subject_tokens(p.clean_text, get<std::string>(line, "subject", where), *tokens, p.clean, where);
  nlohmann::json other = line;
  for (char const* const known : {"clean", "corrupted", "answer", "contrast", "clean_ids", "corrupted_ids",
                                  "answer_ids", "contrast_ids", "subject", "group", "split"})
    other.erase(known);
  if (!other.empty()) p.other = other.dump();
  return p;
}

}  // namespace detail

/// Calls f(line of JSON, "path:line", line number) for each non-empty line. Throws file_error with the line
/// number.
template <class F>
void for_json_lines(std::string const& path, F&& f) {
  mapped_file const file(path);
  std::string_view rest(reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size());
  for (index number = 1; !rest.empty(); ++number) {
    auto const end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    std::string const where = path + ":" + std::to_string(number);
    f(parse_json(line, where), where, number);
  }
}

/// Reads pairs and their splits ("train" where a line names none). Throws file_error with the line number for
/// bad JSON, a missing key, unequal token counts, an answer without tokens, an unknown split or a prompt that
/// stands in two splits.
[[nodiscard]] inline pair_file read_pairs(std::string const& path, tokenizer const* tokens) {
  pair_file out(path, sha256_of_file(path));
  std::map<std::vector<token>, std::string> split_of;
  for_json_lines(path, [&](nlohmann::json const& line, std::string const& where, index number) {
    contrast_pair p = detail::read_pair(line, tokens, where);
    p.line = number;
    std::string const name = find(line, "split") ? get<std::string>(line, "split", where) : "train";
    if (auto const [at, fresh] = split_of.emplace(p.clean, name); !fresh && at->second != name)
      throw file_error(where, "the prompt stands in split " + at->second +
                                  " too, expected splits without a common prompt");
    if (name == "train")
      out.set<split::train>().pairs.push_back(std::move(p));
    else if (name == "validation")
      out.set<split::validation>().pairs.push_back(std::move(p));
    else if (name == "test")
      out.set<split::test>().pairs.push_back(std::move(p));
    else
      throw file_error(where,
                       "split: got " + detail::in_quotes(name) + ", expected train, validation or test");
  });
  if (out.train().pairs.empty() && out.validation().pairs.empty() && out.test().pairs.empty())
    throw file_error(path, "holds no pairs, expected at least one line");
  return out;
}
[[nodiscard]] inline pair_file read_pairs(std::string const& path, tokenizer const& tokens) {
  return read_pairs(path, &tokens);
}

/// The paragraphs (runs of lines between blank lines) of a text file as token sequences of at most `window`
/// tokens each; longer paragraphs are cut. Throws file_error for a file without tokens.
[[nodiscard]] inline std::vector<std::vector<token>> read_text_windows(std::string const& path,
                                                                       tokenizer const& tokens,
                                                                       index window) {
  mapped_file const file(path);
  std::string_view rest(reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size());
  std::vector<std::vector<token>> out;
  while (!rest.empty()) {
    auto const end = rest.find("\n\n");
    std::string_view paragraph = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 2);
    while (!paragraph.empty() && paragraph.front() == '\n') paragraph.remove_prefix(1);
    while (!paragraph.empty() && (paragraph.back() == '\n' || paragraph.back() == ' '))
      paragraph.remove_suffix(1);
    if (paragraph.empty()) continue;
    std::vector<token> const ids = tokens.encode(paragraph);
    for (std::size_t first = 0; first < ids.size(); first += static_cast<std::size_t>(window)) {
      std::size_t const count = std::min(ids.size() - first, static_cast<std::size_t>(window));
      if (count >= 2)
        out.emplace_back(ids.begin() + static_cast<index>(first),
                         ids.begin() + static_cast<index>(first + count));
    }
  }
  if (out.empty()) throw file_error(path, "holds no text of at least two tokens");
  return out;
}

}  // namespace lancet
