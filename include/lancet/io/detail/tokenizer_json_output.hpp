// SPDX-License-Identifier: Apache-2.0
// The decoder and the post-processor of a tokenizer.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/decode_steps.hpp"
#include "lancet/io/detail/tokenizer_json_place.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet::detail {

class tokenizer_json_output {
 public:
  tokenizer_json_output(std::string const& where, tokenizer_parts& parts) : place_{where}, parts_(parts) {}

  /// `decoder` is nullptr where there is none: then tokens are joined with spaces.
  void read_decoder(nlohmann::json const* decoder) {
    if (parts_.kind != tokenizer_kind::byte_bpe) {
      if (decoder)
        read_decode_step(*decoder, "decoder", true);
      else
        parts_.decode.push_back(decode_fuse{" "});
    } else if (decoder) {
      if (auto const kind = place_.kind_of(*decoder, "decoder"); kind != "ByteLevel")
        place_.refuse("decoder.type", kind, "ByteLevel");
    }
  }

  /// What is put around texts. The start token is what a template has before one text, if that is one token;
  /// the end token likewise.
  void read_post_processor(nlohmann::json const& post, std::string const& path, bool outermost = true) {
    auto const kind = place_.kind_of(post, path);
    if (kind == "ByteLevel") return;  // concerns offsets only
    if (kind == "Sequence" && outermost) {
      auto const& list = place_.list_at(post, path, "processors");
      for (std::size_t i = 0; i < list.size(); ++i)
        read_post_processor(list[i], path + ".processors[" + std::to_string(i) + "]", false);
      return;
    }
    if (has_template_) place_.refuse(path + ".type", kind, "one processor that adds tokens");
    has_template_ = true;
    if (kind == "TemplateProcessing") {
      read_template(post, path);
    } else if (kind == "BertProcessing" || kind == "RobertaProcessing") {
      auto const before = named_token(post, path, "cls");
      auto const after = named_token(post, path, "sep");
      bool const bert = kind == "BertProcessing";
      auto& around = parts_.around;
      around.single = {{before, 0}, {template_piece::first_text, 0}, {after, 0}};
      around.pair = around.single;
      if (!bert) around.pair.push_back({after, 0});
      around.pair.push_back({template_piece::second_text, bert ? 1 : 0});
      around.pair.push_back({after, bert ? 1 : 0});
      parts_.bos = before;
      parts_.eos = after;
    } else {
      place_.refuse(path + ".type", kind,
                    "TemplateProcessing, BertProcessing, RobertaProcessing or ByteLevel");
    }
  }

 private:
  using json = nlohmann::json;

  void read_decode_step(json const& step, std::string const& path, bool outermost) {
    auto const where = place_.at(path);
    auto const kind = place_.kind_of(step, path);
    auto const add = [&](decode_step made) { parts_.decode.push_back(std::move(made)); };
    if (kind == "Sequence" && outermost) {
      auto const& list = place_.list_at(step, path, "decoders");
      for (std::size_t i = 0; i < list.size(); ++i)
        read_decode_step(list[i], path + ".decoders[" + std::to_string(i) + "]", false);
    } else if (kind == "Replace") {
      auto const& pattern = at(step, "pattern", where);
      auto from = place_.short_text(pattern, path + ".pattern", "String");
      if (from.empty()) place_.refuse(path + ".pattern.String", "an empty text", "at least one character");
      add(decode_replace{std::move(from), place_.short_text(step, path, "content")});
    } else if (kind == "ByteFallback") {
      add(decode_byte_fallback{});
    } else if (kind == "Fuse") {
      add(decode_fuse{});
    } else if (kind == "Strip") {
      auto content = place_.short_text(step, path, "content");
      if (content.empty()) place_.refuse(path + ".content", "an empty text", "one character");
      add(decode_strip{std::move(content), get<std::uint32_t>(step, "start", where),
                       get<std::uint32_t>(step, "stop", where)});
    } else if (kind == "Metaspace") {
      bool const spaced = get_or<bool>(step, "add_prefix_space", true, where) &&
                          get_or<std::string>(step, "prepend_scheme", "always", where) != "never";
      auto mark = place_.short_text(step, path, "replacement");
      if (mark.empty()) place_.refuse(path + ".replacement", "an empty text", "one character");
      add(decode_metaspace{std::move(mark), spaced});
    } else if (kind == "WordPiece") {
      add(decode_wordpiece{place_.short_text(step, path, "prefix"),
                           get_or<bool>(step, "cleanup", true, where)});
    } else {
      place_.refuse(path + ".type", kind,
                    "Replace, ByteFallback, Fuse, Strip, Metaspace, WordPiece, or a Sequence of these");
    }
  }

  void read_template(json const& post, std::string const& path) {
    bool before = true;
    auto const& single = place_.list_at(post, path, "single");
    parts_.around.single = read_pieces(post, path, "single");
    for (std::size_t i = 0; i < single.size(); ++i) {
      if (find(single[i], "Sequence")) {
        before = false;
        continue;
      }
      auto const item = path + ".single[" + std::to_string(i) + "]";
      auto const ids = ids_of(post, path, get<std::string>(single[i], "SpecialToken.id", place_.at(item)));
      auto& slot = before ? parts_.bos : parts_.eos;
      if (slot || ids.size() != 1) {
        place_.refuse(item, "a second token",
                      before ? "one token before the text" : "one token after the text");
      }
      slot = ids.front();
    }
    parts_.around.pair =
        find_value(post, "pair") ? read_pieces(post, path, "pair") : decltype(parts_.around.pair){};
  }

  [[nodiscard]] std::vector<template_piece> read_pieces(json const& post, std::string const& path,
                                                        std::string const& key) const {
    auto const& list = place_.list_at(post, path, key);
    check_pieces(list.size(), path + "." + key);
    std::vector<template_piece> out;
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto const item = path + "." + key + "[" + std::to_string(i) + "]";
      if (auto const* const text = find_value(list[i], "Sequence")) {
        auto const name = get<std::string>(*text, "id", place_.at(item));
        if (name != "A" && name != "B") place_.refuse(item + ".Sequence.id", name, "A or B");
        out.push_back({name == "A" ? template_piece::first_text : template_piece::second_text,
                       get_or<std::int32_t>(*text, "type_id", 0, place_.at(item))});
        continue;
      }
      auto const name = get<std::string>(list[i], "SpecialToken.id", place_.at(item));
      auto const type = get_or<std::int32_t>(list[i], "SpecialToken.type_id", 0, place_.at(item));
      for (auto const id : ids_of(post, path, name)) out.push_back({id, type});
      check_pieces(out.size(), path + "." + key);
    }
    return out;
  }

  void check_pieces(std::size_t n, std::string const& path) const {
    if (n > most_pieces)
      place_.refuse(path, std::to_string(n) + " tokens and texts", "at most " + std::to_string(most_pieces));
  }

  [[nodiscard]] std::vector<std::int32_t> ids_of(json const& post, std::string const& path,
                                                 std::string const& name) const {
    auto const& table = at(post, "special_tokens", place_.at(path));
    auto const entry = table.is_object() ? table.find(name) : table.end();
    if (entry == table.end()) place_.refuse(path + ".special_tokens", "no '" + name + "'", "an entry for it");
    if (auto const* const list = find(*entry, "ids")) check_pieces(list->size(), path + ".special_tokens");
    auto const ids = get<std::vector<std::int32_t>>(*entry, "ids", place_.at(path + ".special_tokens"));
    for (auto const id : ids) {
      if (id < 0) place_.refuse(path + ".special_tokens", std::to_string(id), "the id of a token");
    }
    return ids;
  }

  /// The id in ["[CLS]", 101].
  [[nodiscard]] std::int32_t named_token(json const& post, std::string const& path,
                                         std::string const& key) const {
    auto const& pair = place_.list_at(post, path, key);
    bool const fits = pair.size() == 2 && pair[0].is_string() && pair[1].is_number_integer() &&
                      pair[1].get<double>() >= 0 && pair[1].get<double>() <= INT32_MAX;
    if (!fits) place_.refuse(path + "." + key, pair.dump(-1, ' ', true), R"(["token", its id])");
    return pair[1].get<std::int32_t>();
  }

  static constexpr std::size_t most_pieces = 64;  // files have five at most

  tokenizer_json_place place_;
  tokenizer_parts& parts_;
  bool has_template_ = false;
};

}  // namespace lancet::detail
