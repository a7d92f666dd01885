// SPDX-License-Identifier: Apache-2.0
#include "lancet/model_verbs/surgery_effects.hpp"

#include <chrono>

#include "lancet/causal/activation_patching.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/pairs_options.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

using namespace lancet;  // NOLINT: a program's own file
using lancet::index;

namespace {

/// Patterns of the heads with the largest effects, as many as a page has room for.
[[nodiscard]] std::vector<attention_pattern> patterns_of(model_type const& model,
                                                         std::vector<token> const& prompt,
                                                         effect_table const& heads) {
  constexpr std::size_t most_weights = 30000;
  std::vector<attention_pattern> out;
  record<backend, site::pattern> seen;
  hook_table<backend> hooks;
  hooks.add(seen);
  batch<backend> input;
  index const segment = input.add(prompt), n = std::ssize(prompt);
  workspace<backend> ws;
  forward(model, input, hooks, ws);
  circuit const ranked = select_circuit(heads, top{std::ssize(heads.units)});
  for (unit const& u : ranked.units) {
    auto& [layer, head, weights] = out.emplace_back(attention_pattern{u.layer, u.number, {}});
    weights.resize(static_cast<std::size_t>(n * n));
    if (out.size() * weights.size() > most_weights) {
      out.pop_back();
      break;
    }
    auto const pattern = seen.get<site::pattern>(layer, segment);  // [H·n, n]
    backend::download(pattern.row_range(head * n, n), weights.data());
  }
  return out;
}

}  // namespace

effect_examples examples_of(surgery_options const& o, surgery_data const& data) {
  constexpr index most_alike = 4;
  effect_examples out{spread(data.pairs.train().pairs, o.exact_examples), {}};
  for (contrast_pair const& p : data.pairs.train().pairs)
    if (std::ssize(out.alike) < most_alike &&
        (out.alike.empty() || p.clean.size() == out.alike[0].clean.size()))
      out.alike.push_back(p);
  return out;
}

void find_effects(model_type const& model, common_options const& common, effect_examples const& on,
                  std::string const& source, surgery_results& r) {
  auto const start = std::chrono::steady_clock::now();
  auto const exact = [&](unit_kind kind, positions at, std::vector<contrast_pair> const& pairs,
                         std::string label) {
    progress bar(progress_of(common, std::move(label), std::ssize(pairs)));
    effect_table t = activation_patching(model, std::span<contrast_pair const>(pairs),
                                         {.metric = log_odds{},
                                          .change = resample{},
                                          .direction = lancet::noise,
                                          .unit = kind,
                                          .at = at,
                                          .report = &bar});
    t.source = source;
    return t;
  };
  r.heads = exact(unit_kind::head, positions::all, on.spread, "effects of heads");
  r.mlps = exact(unit_kind::mlp, positions::all, on.spread, "effects of MLPs");
  r.positions = exact(unit_kind::resid, positions::each, on.alike, "effects of positions");
  std::vector<token> const& example = on.alike.at(0).clean;
  for (token const id : example) r.position_tokens.emplace_back(model.tokenizer().decode(std::span(&id, 1)));
  r.attention = patterns_of(model, example, r.heads);
  auto const estimate = [&](unit_kind kind) {
    return attribution_patching(
        model, std::span<contrast_pair const>(on.spread),
        attribution_options{.metric = log_odds{}, .direction = lancet::noise, .unit = kind});
  };
  r.attribution = estimate(unit_kind::head);
  r.neurons = estimate(unit_kind::neuron);
  r.neurons.source = r.attribution.source = source;
  r.effects_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace program::PROGRAM_BACKEND::surgery_verb
