// SPDX-License-Identifier: Apache-2.0
// `lancet generate`: continuations of prompts, greedy or sampled.
#include "lancet/model/generate.hpp"

#include <cstdio>

#include "lancet/model_verbs/verbs.hpp"
#include "lancet/texts.hpp"

namespace program::PROGRAM_BACKEND::generate_verb {
namespace {

struct options {
  std::vector<std::string> texts;
  std::string input;
  intervention_options intervention;
  lancet::generate_options how;
  std::vector<lancet::token> stop;
  bool ignore_end = false;
  bool bos = false;
};

void print(common_options const& common, lancet::tokenizer const* tokens, text_item const& item,
           lancet::generated const& made) {
  std::string text;
  if (tokens != nullptr) {
    std::vector<lancet::token> known;  // a model can have rows that are no token
    for (lancet::token const id : made.ids)
      if (tokens->contains(id)) known.push_back(id);
    text = tokens->decode(known, {.skip_special = true});
  }
  if (!common.json) {
    std::printf("%s%s\n", item.text.c_str(), text.c_str());
    return;
  }
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  if (item.has_text) line["text"] = item.text;
  line["ids"] = item.ids;
  if (tokens != nullptr) line["continuation"] = text;
  line["continuation_ids"] = made.ids;
  line["logprobs"] = made.log_probs;
  line["stopped"] = made.stopped;
  print_line(line);
}

void run(common_options& common, options o) {
  if (o.texts.empty() && o.input.empty())
    throw lancet::usage_error("generate: got no prompts, expected texts or --input");
  model_type const model = load(common);
  text_rules const rules = rules_of(model, o.bos);
  std::vector<text_item> const items = read_items(o.texts, o.input, common.json, rules);
  std::vector<std::vector<lancet::token>> prompts;
  for (text_item const& item : items) {
    if (item.has_continuation)
      throw lancet::file_error(item.where, "continuation: got one, expected a prompt alone");
    if (std::ssize(item.ids) > model.arch().context - o.how.tokens + 1)
      throw lancet::file_error(item.where, "got " + std::to_string(item.ids.size()) +
                                               " tokens and --tokens " + std::to_string(o.how.tokens) +
                                               ", expected no more than the model's context of " +
                                               std::to_string(model.arch().context) + " has room for");
    prompts.push_back(item.ids);
  }
  auto const cut = load(model, o.intervention);
  lancet::hook_table<backend> hooks;
  if (cut) cut->hook(hooks);
  o.how.seed = common.seed;
  o.how.stop = o.stop;
  if (!o.ignore_end && rules.tokenizer != nullptr && rules.tokenizer->eos_id())
    o.how.stop.push_back(*rules.tokenizer->eos_id());
  lancet::progress bar(progress_of(common, "generating", std::ssize(prompts)));
  o.how.report = &bar;
  auto const made =
      lancet::generate(model, hooks, std::span<std::vector<lancet::token> const>(prompts), o.how);
  for (std::size_t i = 0; i < items.size(); ++i) print(common, rules.tokenizer, items[i], made[i]);
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand("generate", "Continuations of prompts, greedy or sampled");
  add_common(verb, common, {});
  verb.add_option("TEXT", o->texts, "prompts");
  verb.add_option("--input,-i", o->input,
                  "a file with one prompt a line; JSON lines with --json or where it ends in .jsonl; - for "
                  "standard input");
  add_intervention(verb, o->intervention);
  verb.add_option("--tokens,-n", o->how.tokens, "at most so many tokens a prompt [32]")
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--temperature", o->how.temperature, "0: the most likely token [0]");
  verb.add_option("--top-k", o->how.top_k, "draw among the k most likely; 0: among all [0]");
  verb.add_option("--top-p", o->how.top_p, "draw among the most likely that hold this share [1]");
  verb.add_option("--stop", o->stop, "token ids that end a continuation, besides the model's end token")
      ->expected(1, 1 << 16);
  verb.add_flag("--ignore-end", o->ignore_end, "go on after the model's end token");
  verb.add_flag("--bos", o->bos, "put the start token first");
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::generate_verb
