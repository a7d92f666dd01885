// SPDX-License-Identifier: Apache-2.0
// `lancet score`: log-probability of every token of texts and of given continuations, and perplexity; of encoders
// that of every token while it is masked, or of a classifier's labels.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "lancet/model/encoder_score.hpp"
#include "lancet/model/score.hpp"
#include "lancet/model_verbs/verbs.hpp"
#include "lancet/texts.hpp"

namespace program::PROGRAM_BACKEND::score_verb {
namespace {

struct options {
  std::vector<std::string> texts;
  std::string input;
  intervention_options intervention;
  bool bos = false;
  bool summary = false;
};

/// log P of the continuation, or of every token but the first.
[[nodiscard]] double total_of(text_item const& item, std::vector<double> const& log_probs) {
  std::size_t const first = item.has_continuation ? item.prompt - 1 : 0;
  return std::accumulate(log_probs.begin() + static_cast<lancet::index>(first), log_probs.end(), 0.0);
}

void print(common_options const& common, text_item const& item, std::vector<double> const& log_probs) {
  double const total = total_of(item, log_probs);
  if (!common.json) {
    std::printf("%10.4f  %s%s%s\n", total, item.text.c_str(), item.has_continuation ? " |" : "",
                item.continuation.c_str());
    return;
  }
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  if (item.has_text) line["text"] = item.text;
  if (!item.continuation.empty()) line["continuation"] = item.continuation;
  line["ids"] = item.ids;
  line["logprobs"] = nlohmann::ordered_json::array({nullptr});
  for (double const x : log_probs) line["logprobs"].push_back(x);
  line["total"] = total;
  print_line(line);
}

[[nodiscard]] lancet::token mask_of(lancet::tokenizer const& tokens) {
  for (char const* const name : {"[MASK]", "<mask>"})
    if (auto const id = tokens.find(name)) return *id;
  throw lancet::usage_error(
      "score: the tokenizer has neither [MASK] nor <mask>, expected a masked language model's");
}

/// The ids of a whole text with its numbers: one for each of `positions`, null elsewhere; or one for each label.
void print_whole(common_options const& common, text_item const& item, lancet::encoder_text const& text,
                 std::vector<double> const& log_probs, bool labels) {
  double const total = std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
  auto const best = std::max_element(log_probs.begin(), log_probs.end());
  if (!common.json) {
    if (labels)
      std::printf("label %td  %.4f  %s\n", best - log_probs.begin(), *best, item.text.c_str());
    else
      std::printf("%10.4f  %s\n", total, item.text.c_str());
    return;
  }
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  if (item.has_text) line["text"] = item.text;
  line["ids"] = item.ids;
  if (labels) {
    line["label"] = best - log_probs.begin();
    line["logprobs"] = log_probs;
  } else {
    line["logprobs"] = std::vector<nlohmann::ordered_json>(item.ids.size());
    for (std::size_t i = 0; i < log_probs.size(); ++i)
      line["logprobs"][static_cast<std::size_t>(text.positions[i])] = log_probs[i];
    line["total"] = total;
  }
  print_line(line);
}

[[nodiscard]] bool predicts_next_token(lancet::architecture const& a) { return a.causal && a.labels == 0; }

/// The items, of which an encoder or a classifier takes whole texts with their special tokens.
[[nodiscard]] std::vector<text_item> read_checked(common_options const& common, options const& o,
                                                  model_type const& model) {
  bool const next = predicts_next_token(model.arch());
  if (!next && o.bos)
    throw lancet::usage_error(
        "--bos: got a " + model.arch().family +
        " that reads whole texts, around which its tokenizer puts special tokens itself");
  if (!model.arch().causal && model.arch().labels == 0 && !model.has_tokenizer())
    throw lancet::usage_error("score: a masked language model needs its tokenizer, for the mask");
  text_rules rules = rules_of(model, o.bos);
  rules.special = !next;
  std::vector<text_item> items = read_items(o.texts, o.input, common.json, rules);
  for (text_item const& item : items) {
    if (!item.has_continuation) continue;
    if (!next)
      throw lancet::file_error(item.where, "got a continuation, which a " + model.arch().family +
                                               " that reads whole texts has no place for");
    if (item.prompt == 0)
      throw lancet::file_error(item.where,
                               "got an empty text before the continuation, expected at least one token");
  }
  return items;
}

/// What a run of the verb computes with.
struct scoring {
  common_options const& common;
  model_type const& model;
  lancet::hook_table<backend>& hooks;
  lancet::workspace<backend> ws = {};
  lancet::progress bar;
};

/// Every token after those before it.
[[nodiscard]] std::vector<std::vector<double>> score_next_tokens(scoring& s,
                                                                 std::vector<text_item> const& items) {
  std::vector<std::vector<double>> all;
  for (std::size_t first = 0; first < items.size();) {  // results appear while later texts are still to come
    std::vector<std::vector<lancet::token>> group;
    lancet::index rows = 0;
    std::size_t last = first;
    while (last < items.size() &&
           (last == first || rows + std::ssize(items[last].ids) <= 4 * lancet::score_rows))
      rows += std::ssize(group.emplace_back(items[last++].ids));
    auto const log_probs =
        lancet::log_probabilities(s.model, s.hooks, std::span<std::vector<lancet::token> const>(group), s.ws);
    for (std::size_t i = first; i < last; ++i) print(s.common, items[i], log_probs[i - first]);
    all.insert(all.end(), log_probs.begin(), log_probs.end());
    s.bar.advance(static_cast<std::int64_t>(last - first));
    first = last;
  }
  return all;
}

/// Every token while it is masked, special ones excepted; or every label.
[[nodiscard]] std::vector<std::vector<double>> score_whole_texts(scoring& s,
                                                                 std::vector<text_item> const& items) {
  bool const labels = s.model.arch().labels > 0;
  lancet::token const mask = labels ? 0 : mask_of(s.model.tokenizer());
  std::vector<std::vector<double>> all;
  for (text_item const& item : items) {
    lancet::encoder_text text{item.ids};
    for (std::size_t i = 0; i < item.ids.size() && !labels; ++i)
      if (!s.model.tokenizer().is_special(item.ids[i]))
        text.positions.push_back(static_cast<lancet::index>(i));
    std::span<lancet::encoder_text const> const one(&text, 1);
    all.push_back(labels ? lancet::label_log_probabilities(s.model, s.hooks, one, s.ws)[0]
                         : lancet::masked_log_probabilities(s.model, s.hooks, one, mask, s.ws)[0]);
    print_whole(s.common, item, text, all.back(), labels);
    s.bar.advance();
  }
  return all;
}

void run(common_options& common, options const& o) {
  if (o.texts.empty() && o.input.empty())
    throw lancet::usage_error("score: got nothing to score, expected texts or --input");
  model_type const model = load(common);
  std::vector<text_item> const items = read_checked(common, o, model);
  auto const cut = load(model, o.intervention);
  lancet::hook_table<backend> hooks;
  if (cut) cut->hook(hooks);
  scoring s{.common = common,
            .model = model,
            .hooks = hooks,
            .bar = lancet::progress(progress_of(common, "scoring", std::ssize(items)))};
  bool const next = predicts_next_token(model.arch());
  std::vector<std::vector<double>> const all =
      next ? score_next_tokens(s, items) : score_whole_texts(s, items);
  if (common.json && !o.summary) return;
  nlohmann::ordered_json summary{{"items", items.size()}};
  if (model.arch().labels == 0) {
    std::size_t scored = 0;
    for (auto const& one : all) scored += one.size();
    summary["tokens"] = scored;
    summary[next ? "perplexity" : "pseudo_perplexity"] =
        scored == 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(lancet::perplexity(all));
  }
  print_summary(common, std::move(summary));
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb =
      *app.add_subcommand("score",
                          "Log-probability of each token (of an encoder: while it is masked) and of given "
                          "continuations, or of a classifier's labels; perplexity");
  add_common(verb, common, {});
  verb.add_option("TEXT", o->texts, "texts to score");
  verb.add_option(
      "--input,-i", o->input,
      "a file with one text a line; JSON lines with --json or where it ends in .jsonl; - for standard input");
  add_intervention(verb, o->intervention);
  verb.add_flag("--bos", o->bos, "put the start token first");
  verb.add_flag("--summary", o->summary, "with --json: a last line with perplexity, seconds and memory");
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::score_verb
