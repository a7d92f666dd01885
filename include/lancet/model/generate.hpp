// SPDX-License-Identifier: Apache-2.0
// Generation: continuations of prompts, token by token, under any hooks.
#pragma once

#include "lancet/core/progress.hpp"
#include "lancet/core/random.hpp"
#include "lancet/model/cache.hpp"
#include "lancet/model/run.hpp"
#include "lancet/model/sampling.hpp"
#include "lancet/model/score.hpp"

namespace lancet {

struct generate_options {
  index tokens = 32;       ///< at most, for each prompt
  double temperature = 0;  ///< 0: greedy; see `sampling`
  index top_k = 0;
  double top_p = 1;
  std::uint64_t seed = 0;
  std::vector<token> stop = {};  ///< a continuation ends with the first of these
  index batch = 32;              ///< prompts at a time; changes memory and speed, never a result
  progress* report = nullptr;    ///< advances by one a finished prompt
};

/// A continuation, without its prompt.
struct generated {
  std::vector<token> ids;         ///< with the stop token, where one ended it
  std::vector<double> log_probs;  ///< of each id under the model and its hooks, nats; see `choice`
  bool stopped = false;           ///< by a stop token
};

namespace detail {

/// Prompts stop entering a pass once it has this many of their rows: its memory stays small.
inline constexpr index prompt_rows = 512;

/// A prompt on its way.
template <class B>
struct unfinished {
  std::size_t prompt;
  continuation<B> next;  // what the next pass runs: the prompt, later the last token
};

template <class Arch>
void check_generation(Arch const& arch, std::span<std::vector<token> const> prompts,
                      generate_options const& options) {
  if (options.tokens < 0) fail_expected("generate", std::to_string(options.tokens) + " tokens", "0 or more");
  require_next_token_model(arch, "generate");
  if (options.batch < 1) fail_expected("generate", "batch " + std::to_string(options.batch), "at least 1");
  check_sampling({options.temperature, options.top_k, options.top_p});
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::string const where = "generate: prompt " + std::to_string(i);
    if (prompts[i].empty()) fail_expected(where, "no tokens", "at least one");
    if (std::ssize(prompts[i]) > arch.context - options.tokens + 1)  // the last token is never run
      fail_expected(where,
                    std::to_string(prompts[i].size()) + " tokens and " + std::to_string(options.tokens) +
                        " to generate",
                    "no more than the model's context of " + std::to_string(arch.context) + " has room for");
  }
}

}  // namespace detail

/// Continues each prompt by up to `options.tokens` tokens; result i belongs to prompt i. Every pass runs
/// under `hooks`: first over a whole prompt, then over one token at a time with the keys and values before it
/// cached. Prompts of any length share passes, and the next prompt starts where one ends, so a hook must not
/// depend on a segment's number; one that must fire in every pass (a patch at one position) throws in the
/// second. The random number of a token depends on (seed, prompt's number, token's number) alone. Throws
/// usage_error for an empty prompt, an option outside its range, or a sequence longer than the model's
/// context, before anything runs.
template <class B, class Arch, class H>
[[nodiscard]] std::vector<generated> generate(transformer<B, Arch> const& model, H&& hooks,
                                              std::span<std::vector<token> const> prompts,
                                              generate_options const& options = {}) {
  detail::check_generation(model.arch(), prompts, options);
  std::vector<generated> out(prompts.size());
  if (options.tokens == 0) return out;
  sampling const how{options.temperature, options.top_k, options.top_p};
  philox_stream const rng(options.seed, "generate");
  auto const columns = static_cast<std::size_t>(model.arch().vocabulary);
  workspace<B> ws;
  std::vector<detail::unfinished<B>> active;
  std::vector<continuation<B>> runs;
  std::vector<typename B::scalar> host;
  for (std::size_t waiting = 0; waiting < prompts.size() || !active.empty();) {
    for (index rows = 0;
         waiting < prompts.size() && std::ssize(active) < options.batch && rows < detail::prompt_rows;
         ++waiting) {
      index const length = std::ssize(prompts[waiting]);
      active.push_back(
          {waiting, {make_cache<B>(model.arch(), length + options.tokens - 1), prompts[waiting]}});
      rows += length;
    }
    runs.clear();
    for (detail::unfinished<B> const& a : active) runs.push_back(a.next);
    extend<B, Arch>(model, runs, hooks, ws);
    logits(model, hooks, ws);  // [active, V]
    host.resize(active.size() * columns);
    B::download(ws.readout.logits, host.data());
    for (std::size_t i = 0; i < active.size(); ++i) {
      generated& result = out[active[i].prompt];
      double const uniform = rng.at(active[i].prompt, result.ids.size()).uniform(0);
      choice const chosen =
          choose(std::span<typename B::scalar const>(host).subspan(i * columns, columns), how, uniform);
      if (result.ids.empty())
        result.ids.reserve(static_cast<std::size_t>(options.tokens));  // `run` points into it
      result.ids.push_back(chosen.id);
      result.log_probs.push_back(chosen.log_prob);
      result.stopped = std::find(options.stop.begin(), options.stop.end(), chosen.id) != options.stop.end();
      active[i].next.run = std::span<token const>(result.ids).last(1);
    }
    auto const finished = std::erase_if(active, [&](detail::unfinished<B> const& a) {
      generated const& result = out[a.prompt];
      return result.stopped || std::ssize(result.ids) == options.tokens;
    });
    if (options.report && finished > 0) options.report->advance(static_cast<index>(finished));
  }
  return out;
}

}  // namespace lancet
