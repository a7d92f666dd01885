// SPDX-License-Identifier: Apache-2.0
// Tokenizers in the format of Hugging Face's tokenizers library (tokenizer.json).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/known_patterns.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

struct tokenizer_json_options {
  /// For patterns that no scanner stands for; without it they are refused.
  pattern_compiler patterns = nullptr;
};

namespace detail {

/// Reads one tokenizer.json. What would change ids and cannot be honoured is refused with its path in the
/// document.
class tokenizer_json_reader {
 public:
  tokenizer_json_reader(nlohmann::json const& root, std::string const& where,
                        tokenizer_json_options const& options)
      : root_(root), where_(where), options_(options) {}

  [[nodiscard]] tokenizer_parts run() {
    parts_.source = where_;
    if (auto const* const normalizer = find(root_, "normalizer"); normalizer && !normalizer->is_null()) {
      read_normalizer(*normalizer, "normalizer", true);
    }
    read_model();
    read_added_tokens();
    read_pre_tokenizer(at(root_, "pre_tokenizer", where_), "pre_tokenizer", true);
    if (auto const* const decoder = find(root_, "decoder"); decoder && !decoder->is_null()) {
      if (auto const kind = kind_of(*decoder, "decoder"); kind != "ByteLevel")
        refuse("decoder.type", kind, "ByteLevel");
    }
    if (auto const* const post = find(root_, "post_processor"); post && !post->is_null()) {
      read_post_processor(*post, "post_processor", true);
    }
    return std::move(parts_);
  }

 private:
  using json = nlohmann::json;

  [[noreturn]] void refuse(std::string const& path, std::string_view got, std::string_view expected) const {
    throw file_error(where_, path + ": got " + escape_utf8(got) + ", expected " + std::string(expected));
  }

  [[nodiscard]] std::string place(std::string const& path) const { return where_ + ": " + path; }

  [[nodiscard]] std::string kind_of(json const& value, std::string const& path) const {
    return get<std::string>(value, "type", place(path));
  }

  /// A setting that must have one value, or be absent or null.
  template <typename T>
  void require(json const& object, std::string const& path, std::string const& key, T const& wanted,
               std::string const& wanted_name) const {
    auto const got = get_optional<T>(object, key, place(path));
    if (got && *got != wanted) refuse(path + "." + key, object[key].dump(), wanted_name);
  }

  void read_normalizer(json const& normalizer, std::string const& path, bool outermost) {
    auto const kind = kind_of(normalizer, path);
    if (kind == "NFC") {
      parts_.normalize = {nfc_form{}};
    } else if (kind == "Sequence" && outermost) {
      auto const& list = list_at(normalizer, path, "normalizers");
      for (std::size_t i = 0; i < list.size(); ++i) {
        read_normalizer(list[i], path + ".normalizers[" + std::to_string(i) + "]", false);
      }
    } else {
      refuse(path + ".type", kind, "NFC, or no normalizer");
    }
  }

  [[nodiscard]] json const& list_at(json const& object, std::string const& path,
                                    std::string const& key) const {
    auto const& list = at(object, key, place(path));
    if (!list.is_array()) refuse(path + "." + key, list.type_name(), "a list");
    return list;
  }

  void read_model() {
    auto const& model = at(root_, "model", where_);
    // Files of the first years do not name the type: what has merges is BPE.
    auto const kind = get_optional<std::string>(model, "type", place("model"));
    if (kind ? *kind != "BPE" : find(model, "merges") == nullptr)
      refuse("model.type", kind.value_or("nothing"), "BPE");
    if (auto const* const dropout = find(model, "dropout");
        dropout && !dropout->is_null() && *dropout != 0.0) {
      refuse("model.dropout", dropout->dump(), "null");
    }
    require<std::string>(model, "model", "continuing_subword_prefix", "", "null");
    require<std::string>(model, "model", "end_of_word_suffix", "", "null");
    require<bool>(model, "model", "byte_fallback", false, "false");
    parts_.ignore_merges = get_or<bool>(model, "ignore_merges", false, place("model"));
    parts_.fuse_unknown = get_or<bool>(model, "fuse_unk", false, place("model"));

    auto const& vocabulary = at(model, "vocab", place("model"));
    if (!vocabulary.is_object())
      refuse("model.vocab", vocabulary.type_name(), "an object from tokens to ids");
    auto const& added = added_list();
    most_ids_ = vocabulary.size() + added.size() +
                65536;  // holes are allowed, but no file of a few bytes asks for gigabytes
    for (auto const& [token, id] : vocabulary.items()) {
      if (token.empty()) refuse("model.vocab", "an empty token", "at least one character");
      put(token, id, "model.vocab['" + escape_utf8(token) + "']");
    }
    if (auto const name = get_optional<std::string>(model, "unk_token", place("model"));
        name && !name->empty()) {
      auto const id = vocabulary.find(*name);
      if (id == vocabulary.end()) refuse("model.unk_token", "'" + *name + "'", "a token of the vocabulary");
      parts_.unknown = id->get<std::int32_t>();
    }
    read_merges(list_at(model, "model", "merges"));
  }

  std::int32_t put(std::string const& token, json const& id, std::string const& path) {
    bool const fits = id.is_number_unsigned()
                          ? id.get<std::uint64_t>() < most_ids_
                          : id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
                                static_cast<std::uint64_t>(id.get<std::int64_t>()) < most_ids_;
    if (!fits) refuse(path, id.dump(), "an id from 0 to " + std::to_string(most_ids_ - 1));
    auto const i = id.get<std::size_t>();
    if (i >= parts_.tokens.size()) parts_.tokens.resize(i + 1);
    if (!parts_.tokens[i].empty() && parts_.tokens[i] != token) {
      refuse(path, "id " + std::to_string(i), "another id than that of '" + parts_.tokens[i] + "'");
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
        refuse("model.merges[" + std::to_string(rank) + "]", merge.dump(-1, ' ', true),
               R"("a b" or ["a", "b"])");
      }
      parts_.merges.push_back({text.substr(0, space), text.substr(space + 1)});
    }
  }

  [[nodiscard]] json const& added_list() const {
    static json const none = json::array();
    auto const* const list = find(root_, "added_tokens");
    if (list == nullptr || list->is_null()) return none;
    if (!list->is_array()) refuse("added_tokens", list->type_name(), "a list");
    return *list;
  }

  void read_added_tokens() {
    auto const& list = added_list();
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto const path = "added_tokens[" + std::to_string(i) + "]";
      auto const where = place(path);
      auto const content = get<std::string>(list[i], "content", where);
      if (content.empty()) refuse(path + ".content", "an empty text", "at least one character");
      if (get_or<bool>(list[i], "single_word", false, where)) refuse(path + ".single_word", "true", "false");
      bool const special = get_or<bool>(list[i], "special", false, where);
      parts_.added.push_back({.id = put(content, at(list[i], "id", where), path + ".id"),
                              .special = special,
                              .lstrip = get_or<bool>(list[i], "lstrip", false, where),
                              .rstrip = get_or<bool>(list[i], "rstrip", false, where),
                              .normalized = get_or<bool>(list[i], "normalized", !special, where)});
    }
  }

  /// Adds the steps; the last of them all has to be ByteLevel, since the others work on text and it yields
  /// bytes.
  void read_pre_tokenizer(json const& step, std::string const& path, bool last) {
    if (step.is_null()) refuse(path, "null", "ByteLevel");
    auto const kind = kind_of(step, path);
    if (kind == "Sequence" && path == "pre_tokenizer") {  // sequences in sequences have not been seen
      auto const& list = list_at(step, path, "pretokenizers");
      if (list.empty()) refuse(path + ".pretokenizers", "an empty list", "a list that ends with ByteLevel");
      for (std::size_t i = 0; i < list.size(); ++i) {
        read_pre_tokenizer(list[i], path + ".pretokenizers[" + std::to_string(i) + "]", i + 1 == list.size());
      }
    } else if (last != (kind == "ByteLevel")) {
      refuse(path + ".type", kind, last ? "ByteLevel as the last step" : "ByteLevel as the last step only");
    } else if (kind == "ByteLevel") {
      if (get<bool>(step, "add_prefix_space", place(path))) parts_.steps.push_back(prefix_space{});
      if (get_or<bool>(step, "use_regex", true, place(path))) parts_.steps.push_back(split_rule::gpt2);
    } else if (kind == "Digits") {
      bool const individual = get_or<bool>(step, "individual_digits", false, place(path));
      parts_.steps.push_back(individual ? split_rule::digits : split_rule::digit_runs);
    } else if (kind == "Split") {
      read_split(step, path);
    } else {
      refuse(path + ".type", kind, "ByteLevel, Digits or Split");
    }
  }

  void read_split(json const& step, std::string const& path) {
    auto const behavior = get<std::string>(step, "behavior", place(path));
    bool const invert = get_or<bool>(step, "invert", false, place(path));
    bool const removed = behavior == "Removed";
    if (behavior != "Isolated" && !removed) refuse(path + ".behavior", behavior, "Isolated or Removed");
    auto const& pattern = at(step, "pattern", place(path));
    if (auto const literal = get_optional<std::string>(pattern, "String", place(path + ".pattern"))) {
      if (literal->empty() || removed)
        refuse(path, removed ? behavior : "an empty String", "a String that is isolated");
      parts_.steps.push_back(split_at_literal{*literal});
      return;
    }
    auto const source = get<std::string>(pattern, "Regex", place(path + ".pattern"));
    auto cut = step_for_pattern(source, place(path + ".pattern"), options_.patterns);
    if (removed) {
      auto* const at_pattern = std::get_if<split_at_pattern>(&cut);
      auto const* const rule = std::get_if<split_rule>(&cut);
      // Nothing lies between the matches of a gapless rule that could be removed.
      bool const gapless = rule != nullptr && is_gapless(*rule);
      if (at_pattern == nullptr && !(invert && gapless)) refuse(path + ".behavior", behavior, "Isolated");
      if (at_pattern != nullptr) (invert ? at_pattern->keep_between : at_pattern->keep_matches) = false;
    }
    parts_.steps.push_back(std::move(cut));
  }

  /// Only what it puts in front of one text is of interest: the start token, for encode_options::bos.
  void read_post_processor(json const& post, std::string const& path, bool outermost) {
    auto const kind = kind_of(post, path);
    if (kind == "ByteLevel") return;  // concerns offsets only
    if (kind == "Sequence" && outermost) {
      auto const& list = list_at(post, path, "processors");
      for (std::size_t i = 0; i < list.size(); ++i) {
        read_post_processor(list[i], path + ".processors[" + std::to_string(i) + "]", false);
      }
      return;
    }
    if (kind != "TemplateProcessing") refuse(path + ".type", kind, "TemplateProcessing or ByteLevel");
    auto const& single = list_at(post, path, "single");
    bool before = true;
    for (std::size_t i = 0; i < single.size(); ++i) {
      auto const item = path + ".single[" + std::to_string(i) + "]";
      if (find(single[i], "Sequence")) {
        before = false;
        continue;
      }
      auto const name = get<std::string>(single[i], "SpecialToken.id", place(item));
      auto const id = special_token(post, name, path);
      auto& slot = before ? parts_.bos : parts_.eos;
      if (slot)
        refuse(item, "a second token", before ? "one token before the text" : "one token after the text");
      slot = id;
    }
  }

  [[nodiscard]] std::int32_t special_token(json const& post, std::string const& name,
                                           std::string const& path) const {
    auto const& table = at(post, "special_tokens", place(path));
    auto const entry = table.is_object() ? table.find(name) : table.end();
    if (entry == table.end()) refuse(path + ".special_tokens", "no '" + name + "'", "an entry for it");
    auto const ids = get<std::vector<std::int32_t>>(*entry, "ids", place(path + ".special_tokens"));
    if (ids.size() != 1)
      refuse(path + ".special_tokens", std::to_string(ids.size()) + " ids for '" + name + "'", "one");
    return ids.front();
  }

  json const& root_;
  std::string const& where_;
  tokenizer_json_options const& options_;
  tokenizer_parts parts_;
  std::size_t most_ids_ = 0;
};

}  // namespace detail

/// The parts of the tokenizer in a parsed tokenizer.json; `where` names the document in errors. The start
/// token is what the file's template puts in front of a text. `truncation` and `padding` are not looked at:
/// lancet never shortens or pads a text. Throws file_error for whatever would change ids and is not
/// supported, naming the key.
[[nodiscard]] inline tokenizer_parts parse_tokenizer_json(nlohmann::json const& document,
                                                          std::string const& where,
                                                          tokenizer_json_options const& options = {}) {
  return detail::tokenizer_json_reader(document, where, options).run();
}

/// The same from a file.
[[nodiscard]] inline tokenizer_parts read_tokenizer_json(std::string const& path,
                                                         tokenizer_json_options const& options = {}) {
  return parse_tokenizer_json(read_json(path), path, options);
}

}  // namespace lancet
