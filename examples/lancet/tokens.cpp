// SPDX-License-Identifier: Apache-2.0
// `lancet tokens`: texts to token ids and pieces, and back.
#include <cstdio>

#include "lancet/texts.hpp"
#include "lancet/verbs.hpp"

namespace program {
namespace {

struct options {
  std::vector<std::string> texts;
  std::vector<lancet::token> decode;
  std::string input;
  bool bos = false;
  bool special = false;
};

void print(common_options const& common, lancet::tokenizer const& tokens, text_item const& item) {
  std::vector<std::string> pieces;
  for (lancet::token const id : item.ids) pieces.emplace_back(tokens.piece(id));
  std::string const text = item.has_text ? item.text : tokens.decode(item.ids);
  if (common.json) {
    print_line({{"text", text}, {"ids", item.ids}, {"pieces", pieces}});
    return;
  }
  std::printf("%s\n", text.c_str());
  for (std::size_t i = 0; i < pieces.size(); ++i) std::printf("%8d  %s\n", item.ids[i], pieces[i].c_str());
}

void run(common_options& common, options const& o) {
  if (o.texts.empty() && o.decode.empty() && o.input.empty())
    throw lancet::usage_error("tokens: got nothing to do, expected texts, --decode or --input");
  lancet::tokenizer const tokens = load_tokenizer(common);
  auto const size = static_cast<lancet::index>(tokens.size());
  text_rules const rules{&tokens, size, lancet::index{1} << 31, o.bos, o.special};
  for (std::string const& text : o.texts) print(common, tokens, make_item(text, "text", rules));
  if (!o.decode.empty()) {
    std::string const text = tokens.decode(o.decode);
    if (common.json) {
      std::vector<std::string> pieces;
      for (lancet::token const id : o.decode) pieces.emplace_back(tokens.piece(id));
      print_line({{"text", text}, {"ids", o.decode}, {"pieces", pieces}});
    } else {
      std::printf("%s\n", text.c_str());
    }
  }
  if (!o.input.empty())
    for (text_item const& item : read_items(o.input, common.json, rules)) print(common, tokens, item);
}

}  // namespace

void add_tokens(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb =
      *app.add_subcommand("tokens", "Token ids and pieces of texts; --decode turns ids into text");
  add_common(verb, common, {});
  verb.add_option("TEXT", o->texts, "texts to take apart");
  verb.add_option("--decode", o->decode, "token ids to put together")->expected(1, 1 << 20);
  verb.add_option(
      "--input,-i", o->input,
      "a file with one text a line; JSON lines with --json or where it ends in .jsonl; - for standard input");
  auto* const bos = verb.add_flag("--bos", o->bos, "put the start token first");
  verb.add_flag("--special", o->special,
                "put around each text all special tokens that the tokenizer has for it")
      ->excludes(bos);
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program
