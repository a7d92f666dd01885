// SPDX-License-Identifier: Apache-2.0
// The normalizer and the pre-tokenizer of a tokenizer.json.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "lancet/io/charsmap.hpp"
#include "lancet/io/detail/base64.hpp"
#include "lancet/io/detail/tokenizer_json_place.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/known_patterns.hpp"
#include "lancet/io/normalize.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

class tokenizer_json_text {
 public:
  /// `patterns` may be nullptr.
  tokenizer_json_text(std::string const& where, pattern_compiler patterns, tokenizer_parts& parts)
      : place_{where}, patterns_(patterns), parts_(parts) {}

  void read_normalizer(nlohmann::json const& step, std::string const& path, bool outermost = true) {
    auto const where = place_.at(path);
    auto const kind = place_.kind_of(step, path);
    auto const add = [&](normalize_step made) { parts_.normalize.push_back(std::move(made)); };
    if (kind == "Sequence" && outermost) {
      auto const& list = place_.list_at(step, path, "normalizers");
      for (std::size_t i = 0; i < list.size(); ++i)
        read_normalizer(list[i], path + ".normalizers[" + std::to_string(i) + "]", false);
    } else if (kind == "NFC") {
      add(nfc_form{});
    } else if (parts_.kind == tokenizer_kind::byte_bpe) {
      place_.refuse(path + ".type", kind, "NFC, or no normalizer");
    } else if (kind == "Lowercase") {
      add(lower_case_form{});
    } else if (kind == "Prepend") {
      add(prepend_text{place_.short_text(step, path, "prepend")});
    } else if (kind == "Replace") {
      read_replace(step, path);
    } else if (kind == "Strip") {
      add(strip_space{get<bool>(step, "strip_left", where), get<bool>(step, "strip_right", where)});
    } else if (kind == "BertNormalizer") {
      bert_normalizer bert;
      bert.clean_text = get_or<bool>(step, "clean_text", true, where);
      bert.space_around_chinese = get_or<bool>(step, "handle_chinese_chars", true, where);
      bert.lower_case = get_or<bool>(step, "lowercase", true, where);
      bert.strip_accents = get_or<bool>(step, "strip_accents", bert.lower_case, where);
      add(bert);
    } else if (kind == "Precompiled") {
      auto const bytes = from_base64(get<std::string_view>(step, "precompiled_charsmap", where));
      if (!bytes) place_.refuse(path + ".precompiled_charsmap", "another text", "base64");
      if (!bytes->empty()) add(charsmap_form{std::make_shared<charsmap const>(*bytes, where), true});
    } else {
      place_.refuse(path + ".type", kind,
                    "NFC, Lowercase, Prepend, Replace, Strip, BertNormalizer, Precompiled, or a Sequence of "
                    "these");
    }
  }

  void read_pre_tokenizer(nlohmann::json const& step, std::string const& path) {
    if (parts_.kind == tokenizer_kind::byte_bpe)
      read_byte_steps(step, path, true);
    else if (!step.is_null())
      read_text_steps(step, path);
  }

 private:
  using json = nlohmann::json;

  void read_replace(json const& step, std::string const& path) {
    auto const& pattern = at(step, "pattern", place_.at(path));
    auto to = place_.short_text(step, path, "content");
    if (auto const regex = get_optional<std::string>(pattern, "Regex", place_.at(path + ".pattern"))) {
      if (*regex != " {2,}") place_.refuse(path + ".pattern.Regex", *regex, "a String, or the Regex ' {2,}'");
      parts_.normalize.push_back(replace_space_runs{std::move(to)});
      return;
    }
    auto from = place_.short_text(pattern, path + ".pattern", "String");
    if (from.empty()) place_.refuse(path + ".pattern.String", "an empty text", "at least one character");
    parts_.normalize.push_back(replace_text{std::move(from), std::move(to)});
  }

  /// The last step of byte-level BPE has to be ByteLevel, since the others work on text and it yields bytes.
  void read_byte_steps(json const& step, std::string const& path, bool last) {
    if (step.is_null()) place_.refuse(path, "null", "ByteLevel");
    auto const kind = place_.kind_of(step, path);
    if (kind == "Sequence" && path == "pre_tokenizer") {  // sequences in sequences have not been seen
      auto const& list = place_.list_at(step, path, "pretokenizers");
      if (list.empty())
        place_.refuse(path + ".pretokenizers", "an empty list", "a list that ends with ByteLevel");
      for (std::size_t i = 0; i < list.size(); ++i)
        read_byte_steps(list[i], path + ".pretokenizers[" + std::to_string(i) + "]", i + 1 == list.size());
    } else if (last != (kind == "ByteLevel")) {
      place_.refuse(path + ".type", kind,
                    last ? "ByteLevel as the last step" : "ByteLevel as the last step only");
    } else if (kind == "ByteLevel") {
      if (get<bool>(step, "add_prefix_space", place_.at(path))) parts_.steps.push_back(prefix_space{});
      if (get_or<bool>(step, "use_regex", true, place_.at(path))) parts_.steps.push_back(split_rule::gpt2);
    } else if (!read_common_step(step, path, kind)) {
      place_.refuse(path + ".type", kind, "ByteLevel, Digits or Split");
    }
  }

  void read_text_steps(json const& step, std::string const& path) {
    auto const kind = place_.kind_of(step, path);
    if (kind == "Sequence" && path == "pre_tokenizer") {
      auto const& list = place_.list_at(step, path, "pretokenizers");
      for (std::size_t i = 0; i < list.size(); ++i)
        read_text_steps(list[i], path + ".pretokenizers[" + std::to_string(i) + "]");
    } else if (kind == "Metaspace") {
      read_metaspace(step, path);
    } else if (kind == "BertPreTokenizer") {
      parts_.steps.push_back(bert_words{});
    } else if (kind == "WhitespaceSplit") {
      parts_.steps.push_back(split_at_space{});
    } else if (!read_common_step(step, path, kind)) {
      place_.refuse(path + ".type", kind, "Metaspace, BertPreTokenizer, WhitespaceSplit, Digits or Split");
    }
  }

  [[nodiscard]] bool read_common_step(json const& step, std::string const& path, std::string const& kind) {
    if (kind == "Digits") {
      bool const individual = get_or<bool>(step, "individual_digits", false, place_.at(path));
      parts_.steps.push_back(individual ? split_rule::digits : split_rule::digit_runs);
      return true;
    }
    if (kind == "Split") read_split(step, path);
    return kind == "Split";
  }

  /// Files of the first years have `add_prefix_space`, those of later ones `prepend_scheme` and `split`.
  void read_metaspace(json const& step, std::string const& path) {
    auto const where = place_.at(path);
    metaspace out;
    out.mark = get<std::string>(step, "replacement", where);
    if (out.mark.empty() || read_utf8(out.mark, 0).size != out.mark.size())
      place_.refuse(path + ".replacement", out.mark, "one character");
    auto const spaced = get_optional<bool>(step, "add_prefix_space", where);
    auto const scheme = get_or<std::string>(step, "prepend_scheme", "always", where);
    out.in_front = read_scheme(scheme, path);
    if (spaced && !*spaced) out.in_front = metaspace::prefix::never;
    if (out.in_front == metaspace::prefix::first && !parts_.steps.empty())
      place_.refuse(path + ".prepend_scheme", scheme, "always or never behind another step");
    out.split = get_or<bool>(step, "split", true, where);
    parts_.steps.push_back(out);
  }

  [[nodiscard]] metaspace::prefix read_scheme(std::string const& scheme, std::string const& path) const {
    if (scheme == "always") return metaspace::prefix::always;
    if (scheme == "first") return metaspace::prefix::first;
    if (scheme == "never") return metaspace::prefix::never;
    place_.refuse(path + ".prepend_scheme", scheme, "always, first or never");
  }

  void read_split(json const& step, std::string const& path) {
    auto const behavior = get<std::string>(step, "behavior", place_.at(path));
    bool const invert = get_or<bool>(step, "invert", false, place_.at(path));
    bool const removed = behavior == "Removed";
    auto const& pattern = at(step, "pattern", place_.at(path));
    std::optional<std::string> literal;
    if (find_value(pattern, "String")) literal = place_.short_text(pattern, path + ".pattern", "String");
    bool const with_previous = literal && behavior == "MergedWithPrevious" && !invert;
    if (behavior != "Isolated" && !removed && !with_previous)
      place_.refuse(path + ".behavior", behavior, "Isolated or Removed");
    if (literal) {
      if (literal->empty() || removed)
        place_.refuse(path, removed ? behavior : "an empty String", "a String that is isolated");
      parts_.steps.push_back(split_at_literal{*literal, with_previous});
      return;
    }
    auto const source = get<std::string>(pattern, "Regex", place_.at(path + ".pattern"));
    auto cut = step_for_pattern(source, place_.at(path + ".pattern"), patterns_);
    if (removed) {
      auto* const at_pattern = std::get_if<split_at_pattern>(&cut);
      auto const* const rule = std::get_if<split_rule>(&cut);
      // Nothing lies between the matches of a gapless rule that could be removed.
      bool const gapless = rule != nullptr && is_gapless(*rule);
      if (at_pattern == nullptr && !(invert && gapless))
        place_.refuse(path + ".behavior", behavior, "Isolated");
      if (at_pattern != nullptr) (invert ? at_pattern->keep_between : at_pattern->keep_matches) = false;
    }
    parts_.steps.push_back(std::move(cut));
  }

  tokenizer_json_place place_;
  pattern_compiler patterns_;
  tokenizer_parts& parts_;
};

}  // namespace lancet::detail
