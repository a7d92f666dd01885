// SPDX-License-Identifier: Apache-2.0
// Texts that verbs read: a JSON-lines file, a plain one, or standard input; as tokens, checked against the
// model.
#pragma once

#include <string>
#include <vector>

#include "lancet/common.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/model/batch.hpp"
#include "lancet/model/transformer.hpp"

namespace program {

/// One input. `ids` are those of the text and, after `prompt`, of the continuation.
struct text_item {
  std::string where;  ///< "prompts.jsonl:7"
  std::string text, continuation;
  std::vector<lancet::token> ids;
  std::size_t prompt = 0;
  bool has_text = false;
  bool has_continuation = false;
};

/// What texts become tokens by, and the bounds that they must keep to.
struct text_rules {
  lancet::tokenizer const* tokenizer = nullptr;  ///< nullptr: only {"ids": […]} can be read
  lancet::index vocabulary = 0;
  lancet::index context = 0;  ///< most tokens of an item
  bool bos = false;           ///< put the start token first
  bool special = false;       ///< put all special tokens around a text that the tokenizer's file has for it
};

template <class B>
[[nodiscard]] text_rules rules_of(lancet::transformer<B> const& model, bool bos) {
  return {model.has_tokenizer() ? &model.tokenizer() : nullptr, model.arch().vocabulary, model.arch().context,
          bos, false};
}
[[nodiscard]] text_item make_item(std::string text, std::string where, text_rules const& rules);

/// Reads `path`, "-" for standard input: JSON lines ({"text": …} or {"ids": […]}, with `continuation` or
/// `continuation_ids`) where `json` or the name ends in .jsonl, else one text a line. Throws file_error with
/// the line.
[[nodiscard]] std::vector<text_item> read_items(std::string const& path, bool json, text_rules const& rules);

/// The texts of the command line, then what `path` holds; no path: nothing more.
[[nodiscard]] std::vector<text_item> read_items(std::vector<std::string> const& texts,
                                                std::string const& path, bool json, text_rules const& rules);

/// The tokenizer alone, without the weights.
[[nodiscard]] lancet::tokenizer load_tokenizer(common_options& common);

/// --intervention DIR and its --strength, added to a verb.
struct intervention_options {
  std::string folder;
  double strength = -1;  ///< below 0: as it was saved
};
void add_intervention(CLI::App& verb, intervention_options& options);

/// One line of JSON on standard output.
void print_line(nlohmann::ordered_json const& line);

}  // namespace program
