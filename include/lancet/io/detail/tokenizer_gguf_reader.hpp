// SPDX-License-Identifier: Apache-2.0
// Reads the tokenizer of a GGUF file: the body of what io/tokenizer_gguf.hpp declares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/core/inline.hpp"
#include "lancet/io/bert_normalizer.hpp"
#include "lancet/io/charsmap.hpp"
#include "lancet/io/decode_steps.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_gguf.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

namespace detail {

/// What a value of tokenizer.ggml.pre stands for: the format names the way of cutting text, it does not
/// describe it. Nor does it speak of normalisation, which is set here where the models' own tokenizers have
/// it.
struct gguf_pre_tokenizer {
  std::string_view name;
  std::vector<split_step> steps;
  struct {
    bool ignore_merges = false;
    bool nfc = false;
  } also = {};
};

[[nodiscard]] inline std::vector<gguf_pre_tokenizer> gguf_pre_tokenizers() {
  using enum split_rule;
  return {{"gpt-2", {gpt2}},
          {"phi-2", {gpt2}},
          {"jais", {gpt2}},
          {"mpt", {gpt2}, {.nfc = true}},
          {"olmo", {gpt2}, {.nfc = true}},
          {"smollm", {digits, gpt2}},
          {"starcoder", {digits, gpt2}},
          {"refact", {digits, gpt2}},
          {"codeshell", {digits, gpt2}},
          {"llama-bpe", {llama3}, {.ignore_merges = true}},
          {"llama3", {llama3}, {.ignore_merges = true}},
          {"llama-v3", {llama3}, {.ignore_merges = true}},
          {"falcon3", {llama3}, {.ignore_merges = true}},
          {"dbrx", {llama3}},
          {"smaug-bpe", {llama3}},
          {"qwen2", {qwen2}, {.nfc = true}},
          {"deepseek-r1-qwen", {qwen2}},
          {"stablelm2", {qwen2}},
          {"gpt-4o", {gpt4o}},
          {"tekken", {tekken}, {.ignore_merges = true}},
          {"deepseek-v3", {digit_triples, cjk_runs, deepseek3}}};
}

/// Reads the tokens and what its kind of model needs.
class gguf_tokenizer_reader {
 public:
  explicit gguf_tokenizer_reader(gguf_file const& file) : file_(file) {}

  [[nodiscard]] tokenizer_parts run() {
    parts_.source = file_.path();
    auto const model = file_.get<std::string_view>(key("model"));
    if (model != "gpt2" && model != "llama" && model != "t5" && model != "bert") {
      fail(key("model") + ": got '" + escape_utf8(model) +
           "', expected 'gpt2' (byte-level BPE), 'llama' (SentencePiece BPE), 't5' (unigram) or 'bert' "
           "(WordPiece)");
    }
    if (model == "gpt2") read_pre_tokenizer();
    read_tokens(model == "gpt2");
    parts_.bos = id("bos_token_id");
    parts_.eos = id("eos_token_id");
    if (model == "gpt2") {
      read_merges();
      read_around(parts_.ignore_merges, false);
    } else if (model == "llama") {
      parts_.kind = tokenizer_kind::sentencepiece;
      read_sentencepiece(true);
      read_around(true, false);
    } else if (model == "t5") {
      parts_.kind = tokenizer_kind::unigram;
      read_sentencepiece(false);
      read_around(false, true);
    } else {
      parts_.kind = tokenizer_kind::wordpiece;
      read_wordpiece();
    }
    return std::move(parts_);
  }

 private:
  enum token_type : std::int32_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
  };

  [[noreturn]] void fail(std::string const& what) const { throw file_error(file_.path(), what); }

  [[nodiscard]] static std::string key(std::string const& name) { return "tokenizer.ggml." + name; }

  [[nodiscard]] std::optional<std::int32_t> id(std::string const& name) const {
    return file_.get_optional<std::int32_t>(key(name));
  }

  [[nodiscard]] bool flag(std::string const& name, bool otherwise) const {
    return file_.get_optional<bool>(key(name)).value_or(otherwise);
  }

  void read_pre_tokenizer() {
    auto const pre = file_.get<std::string_view>(key("pre"));
    std::string known;
    for (auto const& candidate : gguf_pre_tokenizers()) {
      known += (known.empty() ? "" : ", ") + std::string(candidate.name);
      if (candidate.name != pre) continue;
      parts_.steps = candidate.steps;
      parts_.ignore_merges = candidate.also.ignore_merges;
      if (candidate.also.nfc) parts_.normalize = {nfc_form{}};
    }
    if (parts_.steps.empty()) fail(key("pre") + ": got '" + escape_utf8(pre) + "', expected one of " + known);
  }

  /// `user_defined` tokens are text: whether they are looked for before or after normalisation is not said;
  /// SentencePiece's are written as in the text.
  void read_tokens(bool byte_level) {
    parts_.tokens = file_.get_list<std::string>(key("tokens"));
    types_ = file_.get_list<std::int32_t>(key("token_type"));
    if (types_.size() != parts_.tokens.size()) {
      fail(key("token_type") + ": got " + std::to_string(types_.size()) +
           " types, expected one for each of " + std::to_string(parts_.tokens.size()) + " tokens");
    }
    for (std::size_t i = 0; i < types_.size(); ++i) {
      auto const token = static_cast<std::int32_t>(i);
      if (types_[i] < normal || types_[i] > byte) {
        fail(key("token_type") + "[" + std::to_string(i) + "]: got " + std::to_string(types_[i]) +
             ", expected 1 to 6");
      }
      if (types_[i] == control || types_[i] == unknown)
        parts_.added.push_back({.id = token, .special = true});
      if (types_[i] == user_defined) parts_.added.push_back({.id = token, .normalized = byte_level});
    }
  }

  void read_merges() {
    auto const merges = file_.get_list<std::string_view>(key("merges"));
    parts_.merges.reserve(merges.size());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      auto const space = merges[rank].find(' ');
      if (space == merges[rank].npos || merges[rank].find(' ', space + 1) != merges[rank].npos) {
        fail(key("merges") + "[" + std::to_string(rank) + "]: got '" + escape_utf8(merges[rank]) +
             "', expected two tokens with one space between them");
      }
      parts_.merges.push_back(
          {std::string(merges[rank].substr(0, space)), std::string(merges[rank].substr(space + 1))});
    }
  }

  /// Both of SentencePiece's models: a space becomes "▁", one more comes first.
  void read_sentencepiece(bool space_in_front) {
    auto const scores = file_.get_list<float>(key("scores"));
    if (scores.size() != parts_.tokens.size()) {
      fail(key("scores") + ": got " + std::to_string(scores.size()) + ", expected one for each of " +
           std::to_string(parts_.tokens.size()) + " tokens");
    }
    parts_.scores.assign(scores.begin(), scores.end());
    parts_.unknown = id("unknown_token_id");
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (types_[i] == unknown && !parts_.unknown) parts_.unknown = static_cast<std::int32_t>(i);
      if (types_[i] == byte) parts_.byte_fallback = true;
      // SentencePiece's BPE goes over unused tokens to others; its unigram model does without them.
      bool const joins = types_[i] == normal || types_[i] == user_defined || types_[i] == unused;
      if (parts_.kind == tokenizer_kind::unigram ? types_[i] != normal : !joins)
        parts_.scores[i] = -std::numeric_limits<double>::infinity();
    }
    parts_.fuse_unknown = true;
    if (auto const* const map = file_.find(key("precompiled_charsmap")); map != nullptr && map->count > 0) {
      if (!map->is_array || (map->type != gguf_type::u8 && map->type != gguf_type::i8))
        map->mismatch(file_.path(), map->type_name(), "array of uint8 or int8");
      std::string bytes(reinterpret_cast<char const*>(map->bytes.data()), map->bytes.size());
      parts_.normalize.push_back(charsmap_form{std::make_shared<charsmap const>(
          std::move(bytes), file_.path() + ": " + key("precompiled_charsmap"))});
    }
    if (flag("remove_extra_whitespaces", false)) parts_.normalize.push_back(squeeze_spaces{});
    bool const spaced = flag("add_space_prefix", space_in_front);
    if (spaced) parts_.normalize.push_back(prepend_text{"\u2581"});
    parts_.normalize.push_back(replace_text{" ", "\u2581"});
    parts_.decode = {decode_replace{"\u2581", " "}, decode_byte_fallback{}, decode_fuse{}};
    if (spaced) parts_.decode.push_back(decode_strip{.content = " ", .begin = 1});
  }

  /// What begins a word is written with "▁" in front, what continues one plainly. The format does not say how
  /// text is normalised: with accents off and in lower case, unless a token has a capital letter.
  void read_wordpiece() {
    bert_normalizer bert;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      auto& token = parts_.tokens[i];
      if (types_[i] == control || types_[i] == unknown || token.empty()) continue;
      static constexpr std::string_view mark = "\u2581";
      token = token.starts_with(mark) ? token.substr(mark.size()) : "##" + token;
      if (types_[i] == normal && to_lower_case(token) != token) bert.lower_case = bert.strip_accents = false;
    }
    parts_.normalize = {bert};
    parts_.steps = {bert_words{}};
    parts_.decode = {decode_wordpiece{"##", true}};
    parts_.unknown = id("unknown_token_id");
    if (auto const begin = id("cls_token_id")) parts_.bos = begin;
    if (auto const end = id("seperator_token_id")) parts_.eos = end;  // so spelled
    auto const begin = parts_.bos.value_or(none);
    auto const end = parts_.eos.value_or(none);
    if (begin == none || end == none) return;
    parts_.around.single = {{begin, 0}, {template_piece::first_text, 0}, {end, 0}};
    parts_.around.pair = parts_.around.single;
    parts_.around.pair.push_back({template_piece::second_text, 1});
    parts_.around.pair.push_back({end, 1});
  }

  /// Start and end tokens where the file asks for them, or its kind of model has them.
  void read_around(bool starts, bool ends) {
    auto const begin = flag("add_bos_token", starts) ? parts_.bos.value_or(none) : none;
    auto const end = flag("add_eos_token", ends) ? parts_.eos.value_or(none) : none;
    parts_.around = {{}, {}};
    for (std::int32_t const type : {0, 1}) {
      std::vector<template_piece> pieces;
      if (begin != none) pieces.push_back({begin, type});
      pieces.push_back({type == 0 ? template_piece::first_text : template_piece::second_text, type});
      if (end != none) pieces.push_back({end, type});
      auto& around = parts_.around;
      if (type == 0) around.single = pieces;
      around.pair.insert(around.pair.end(), pieces.begin(), pieces.end());
    }
  }

  static constexpr std::int32_t none = -1;

  gguf_file const& file_;
  tokenizer_parts parts_;
  std::vector<std::int32_t> types_;
};

}  // namespace detail

LANCET_INLINE tokenizer_parts read_gguf_tokenizer(gguf_file const& file) {
  return detail::gguf_tokenizer_reader(file).run();
}

}  // namespace lancet
