// SPDX-License-Identifier: Apache-2.0
// Reads a tokenizer.json: the body of what io/tokenizer_json.hpp declares.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "lancet/core/inline.hpp"
#include "lancet/io/detail/tokenizer_json_output.hpp"
#include "lancet/io/detail/tokenizer_json_place.hpp"
#include "lancet/io/detail/tokenizer_json_text.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

namespace detail {

/// Reads one tokenizer.json. What would change ids and cannot be honoured is refused with its path in the
/// document.
class tokenizer_json_reader {
 public:
  tokenizer_json_reader(nlohmann::json const& root, std::string const& where,
                        tokenizer_json_options const& options)
      : root_(root), where_(where), place_{where}, options_(options) {}

  [[nodiscard]] tokenizer_parts run() {
    parts_.source = where_;
    auto const& model = at(root_, "model", where_);
    parts_.kind = kind_of_model(model);
    tokenizer_json_text text(where_, options_.patterns, parts_);
    tokenizer_json_output output(where_, parts_);
    if (auto const* const normalizer = find_value(root_, "normalizer"))
      text.read_normalizer(*normalizer, "normalizer");
    switch (parts_.kind) {
      case tokenizer_kind::byte_bpe:
      case tokenizer_kind::sentencepiece:
        read_bpe(model);
        break;
      case tokenizer_kind::unigram:
        read_unigram(model);
        break;
      case tokenizer_kind::wordpiece:
        read_wordpiece(model);
    }
    read_added_tokens();
    text.read_pre_tokenizer(at(root_, "pre_tokenizer", where_), "pre_tokenizer");
    output.read_decoder(find_value(root_, "decoder"));
    if (auto const* const post = find_value(root_, "post_processor"))
      output.read_post_processor(*post, "post_processor");
    return std::move(parts_);
  }

 private:
  using json = nlohmann::json;

  /// Files of the first years do not name the type: what has merges is BPE, and so on.
  [[nodiscard]] tokenizer_kind kind_of_model(json const& model) const {
    auto const named = get_optional<std::string>(model, "type", place_.at("model"));
    auto const is = [&](std::string const& kind, std::string const& own_key) {
      return named ? *named == kind : find(model, own_key) != nullptr;
    };
    if (is("BPE", "merges"))
      return works_on_bytes() ? tokenizer_kind::byte_bpe : tokenizer_kind::sentencepiece;
    if (is("Unigram", "unk_id")) return tokenizer_kind::unigram;
    if (is("WordPiece", "max_input_chars_per_word")) return tokenizer_kind::wordpiece;
    place_.refuse("model.type", named.value_or("nothing"), "BPE, Unigram or WordPiece");
  }

  /// Whether the pre-tokenizer or the decoder is ByteLevel, or has it as one of its steps.
  [[nodiscard]] bool works_on_bytes() const {
    auto const is_byte_level = [](json const& step) {
      auto const* const kind = find(step, "type");
      return kind != nullptr && *kind == "ByteLevel";
    };
    for (auto const& [key, steps] : {std::pair("pre_tokenizer", "pretokenizers"), {"decoder", "decoders"}}) {
      auto const* const outer = find(root_, key);
      if (outer == nullptr) continue;
      auto const* const list = find(*outer, steps);
      if (is_byte_level(*outer)) return true;
      if (list != nullptr && list->is_array() && std::any_of(list->begin(), list->end(), is_byte_level))
        return true;
    }
    return false;
  }

  void read_bpe(json const& model) {
    auto const where = place_.at("model");
    if (auto const* const dropout = find_value(model, "dropout"); dropout && *dropout != 0.0)
      place_.refuse("model.dropout", dropout->dump(), "null");
    place_.require<std::string>(model, "model", "continuing_subword_prefix", "", "null");
    place_.require<std::string>(model, "model", "end_of_word_suffix", "", "null");
    if (parts_.kind == tokenizer_kind::byte_bpe)
      place_.require<bool>(model, "model", "byte_fallback", false, "false");
    parts_.byte_fallback = get_or<bool>(model, "byte_fallback", false, where);
    parts_.ignore_merges = get_or<bool>(model, "ignore_merges", false, where);
    parts_.fuse_unknown = get_or<bool>(model, "fuse_unk", false, where);
    read_vocabulary(model);
    if (auto const name = get_optional<std::string>(model, "unk_token", where); name && !name->empty())
      read_unknown(model, *name);
    read_merges(place_.list_at(model, "model", "merges"));
  }

  void read_unigram(json const& model) {
    auto const where = place_.at("model");
    auto const& vocabulary = place_.list_at(model, "model", "vocab");
    most_ids_ = vocabulary.size() + added_list().size() + holes;
    for (std::size_t i = 0; i < vocabulary.size(); ++i) {
      auto const& entry = vocabulary[i];
      auto const path = "model.vocab[" + std::to_string(i) + "]";
      bool const fits = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
      if (!fits || entry[0].get_ref<std::string const&>().empty())
        place_.refuse(path, entry.dump(-1, ' ', true), R"(["token", its score])");
      put(entry[0].get<std::string>(), json(i), path);
      parts_.scores.push_back(entry[1].get<double>());
    }
    if (auto const id = get_optional<std::int32_t>(model, "unk_id", where)) parts_.unknown = *id;
    parts_.byte_fallback = get_or<bool>(model, "byte_fallback", false, where);
    parts_.fuse_unknown = true;
  }

  void read_wordpiece(json const& model) {
    auto const where = place_.at("model");
    parts_.continuing_prefix = get_or<std::string>(model, "continuing_subword_prefix", "##", where);
    parts_.most_word_chars = get_or<std::uint32_t>(model, "max_input_chars_per_word", 100, where);
    read_vocabulary(model);
    read_unknown(model, get_or<std::string>(model, "unk_token", "[UNK]", where));
  }

  void read_vocabulary(json const& model) {
    auto const& vocabulary = at(model, "vocab", place_.at("model"));
    if (!vocabulary.is_object())
      place_.refuse("model.vocab", vocabulary.type_name(), "an object from tokens to ids");
    most_ids_ = vocabulary.size() + added_list().size() + holes;
    for (auto const& [token, id] : vocabulary.items()) {
      if (token.empty()) place_.refuse("model.vocab", "an empty token", "at least one character");
      put(token, id, "model.vocab['" + escape_utf8(token) + "']");
    }
  }

  void read_unknown(json const& model, std::string const& name) {
    auto const& vocabulary = model["vocab"];
    auto const id = vocabulary.find(name);
    if (id == vocabulary.end())
      place_.refuse("model.unk_token", "'" + name + "'", "a token of the vocabulary");
    parts_.unknown = id->get<std::int32_t>();
  }

  std::int32_t put(std::string const& token, json const& id, std::string const& path) {
    bool const fits = id.is_number_unsigned()
                          ? id.get<std::uint64_t>() < most_ids_
                          : id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
                                static_cast<std::uint64_t>(id.get<std::int64_t>()) < most_ids_;
    if (!fits) place_.refuse(path, id.dump(), "an id from 0 to " + std::to_string(most_ids_ - 1));
    auto const i = id.get<std::size_t>();
    if (i >= parts_.tokens.size()) parts_.tokens.resize(i + 1);
    if (!parts_.tokens[i].empty() && parts_.tokens[i] != token) {
      place_.refuse(path, "id " + std::to_string(i), "another id than that of '" + parts_.tokens[i] + "'");
    }
    parts_.tokens[i] = token;
    return static_cast<std::int32_t>(i);
  }

  void read_merges(json const& merges) {
    parts_.merges.reserve(merges.size());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      auto const& merge = merges[rank];
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        parts_.merges.push_back({merge[0].get<std::string>(), merge[1].get<std::string>()});
        continue;
      }
      auto const text = merge.is_string() ? merge.get<std::string>() : std::string();
      auto const space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos) {
        place_.refuse("model.merges[" + std::to_string(rank) + "]", merge.dump(-1, ' ', true),
                      R"("a b" or ["a", "b"])");
      }
      parts_.merges.push_back({text.substr(0, space), text.substr(space + 1)});
    }
  }

  [[nodiscard]] json const& added_list() const {
    static json const none = json::array();
    auto const* const list = find(root_, "added_tokens");
    if (list == nullptr || list->is_null()) return none;
    if (!list->is_array()) place_.refuse("added_tokens", list->type_name(), "a list");
    return *list;
  }

  void read_added_tokens() {
    auto const& list = added_list();
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto const path = "added_tokens[" + std::to_string(i) + "]";
      auto const where = place_.at(path);
      auto const content = get<std::string>(list[i], "content", where);
      if (content.empty()) place_.refuse(path + ".content", "an empty text", "at least one character");
      if (get_or<bool>(list[i], "single_word", false, where))
        place_.refuse(path + ".single_word", "true", "false");
      bool const special = get_or<bool>(list[i], "special", false, where);
      parts_.added.push_back({.id = put(content, at(list[i], "id", where), path + ".id"),
                              .special = special,
                              .lstrip = get_or<bool>(list[i], "lstrip", false, where),
                              .rstrip = get_or<bool>(list[i], "rstrip", false, where),
                              .normalized = get_or<bool>(list[i], "normalized", !special, where)});
    }
  }

  // Holes between ids are allowed, but no file of a few bytes asks for gigabytes.
  static constexpr std::size_t holes = 65536;

  json const& root_;
  std::string const& where_;
  tokenizer_json_place place_;
  tokenizer_json_options const& options_;
  tokenizer_parts parts_;
  std::size_t most_ids_ = 0;
};

}  // namespace detail

LANCET_INLINE tokenizer_parts parse_tokenizer_json(nlohmann::json const& document, std::string const& where,
                                                   tokenizer_json_options const& options) {
  return detail::tokenizer_json_reader(document, where, options).run();
}

}  // namespace lancet
