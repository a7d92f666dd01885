// SPDX-License-Identifier: Apache-2.0
#include "lancet/texts.hpp"

#include <cstdio>

#include "lancet/io/gguf.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/load_tokenizer.hpp"

namespace program {

using lancet::index;
using lancet::token;

namespace {

[[nodiscard]] std::string read_standard_input() {
  std::string out;
  char piece[1 << 16];
  while (std::size_t const got = std::fread(piece, 1, sizeof piece, stdin)) out.append(piece, got);
  if (std::ferror(stdin) != 0) throw lancet::file_error("standard input", "cannot be read");
  return out;
}

[[nodiscard]] std::vector<token> encode(std::string const& text, std::string const& where,
                                        text_rules const& rules, lancet::encode_options options) {
  if (rules.tokenizer == nullptr)
    throw lancet::file_error(where, "got a text, expected ids: the model has no tokenizer");
  return rules.tokenizer->encode(text, options);
}

void check(text_item const& item, text_rules const& rules) {
  if (item.ids.empty())
    throw lancet::file_error(item.where, "got a text without tokens, expected at least one");
  if (std::ssize(item.ids) > rules.context)
    throw lancet::file_error(item.where, "got " + std::to_string(item.ids.size()) +
                                             " tokens, expected at most the model's context of " +
                                             std::to_string(rules.context));
  for (token const id : item.ids)
    if (id < 0 || id >= rules.vocabulary)
      throw lancet::file_error(item.where, "got token id " + std::to_string(id) + ", expected 0 to " +
                                               std::to_string(rules.vocabulary - 1));
}

[[nodiscard]] text_item item_of(nlohmann::json const& line, std::string where, text_rules const& rules) {
  text_item item;
  item.where = std::move(where);
  item.has_text = lancet::find(line, "text") != nullptr;
  if (lancet::find(line, "ids") != nullptr) {
    item.ids = lancet::get<std::vector<token>>(line, "ids", item.where);
    if (item.has_text) item.text = lancet::get<std::string>(line, "text", item.where);
  } else if (item.has_text) {
    item.text = lancet::get<std::string>(line, "text", item.where);
    item.ids = encode(item.text, item.where, rules, {.bos = rules.bos, .add_special = rules.special});
  } else {
    throw lancet::file_error(item.where, "has neither 'text' nor 'ids'");
  }
  item.prompt = item.ids.size();
  std::vector<token> more;
  if (lancet::find(line, "continuation_ids") != nullptr) {
    more = lancet::get<std::vector<token>>(line, "continuation_ids", item.where);
    item.has_continuation = true;
  }
  if (lancet::find(line, "continuation") != nullptr) {
    item.continuation = lancet::get<std::string>(line, "continuation", item.where);
    if (!item.has_continuation) more = encode(item.continuation, item.where, rules, {});
    item.has_continuation = true;
  }
  if (item.has_continuation && more.empty())
    throw lancet::file_error(item.where, "continuation: has no tokens, expected at least one");
  item.ids.insert(item.ids.end(), more.begin(), more.end());
  check(item, rules);
  return item;
}

}  // namespace

text_item make_item(std::string text, std::string where, text_rules const& rules) {
  text_item item;
  item.where = std::move(where);
  item.has_text = true;
  item.ids = encode(text, item.where, rules, {.bos = rules.bos, .add_special = rules.special});
  item.text = std::move(text);
  item.prompt = item.ids.size();
  check(item, rules);
  return item;
}

std::vector<text_item> read_items(std::string const& path, bool json, text_rules const& rules) {
  std::string const shown = path == "-" ? "standard input" : path;
  std::string all;
  if (path == "-") {
    all = read_standard_input();
  } else {
    lancet::mapped_file const file(path);
    all.assign(reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size());
  }
  std::vector<text_item> out;
  std::string_view rest = all;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == line.npos) continue;
    std::string where = shown + ":" + std::to_string(number);
    if (json || path.ends_with(".jsonl"))
      out.push_back(item_of(lancet::parse_json(line, shown, {}, number), std::move(where), rules));
    else
      out.push_back(make_item(std::string(line), std::move(where), rules));
  }
  if (out.empty()) throw lancet::file_error(shown, "holds no texts, expected at least one line");
  return out;
}

std::vector<text_item> read_items(std::vector<std::string> const& texts, std::string const& path, bool json,
                                  text_rules const& rules) {
  std::vector<text_item> out;
  for (std::string const& text : texts) out.push_back(make_item(text, "text", rules));
  if (!path.empty())
    for (text_item& item : read_items(path, json, rules)) out.push_back(std::move(item));
  return out;
}

lancet::tokenizer load_tokenizer(common_options& common) {
  if (common.model.empty())
    throw lancet::usage_error(
        "--model: got nothing, expected a GGUF file or a folder with tokenizer.json (or set LANCET_MODEL)");
  auto const before = std::chrono::steady_clock::now();
  auto const read = [&] {
    if (lancet::detail::is_folder(common.model))
      return lancet::load_tokenizer_json(common.model + "/tokenizer.json");
    return lancet::load_gguf_tokenizer(lancet::gguf_file::open(common.model));
  };
  lancet::tokenizer out = read();
  common.load_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  return out;
}

void add_intervention(CLI::App& verb, intervention_options& options) {
  verb.add_option(
      "--intervention", options.folder,
      "applied to the model: a folder that `lancet train` or `lancet surgery` wrote, a PEFT adapter, or a "
      "GGUF file with a LoRA or a control vector");
  verb.add_option("--strength", options.strength, "of the intervention: 0 none, 1 as trained [as saved]")
      ->check(CLI::Range(0.0, 100.0));
}

void print_line(nlohmann::ordered_json const& line) {
  std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace program
