// SPDX-License-Identifier: Apache-2.0
// The sweep engine equals the naive loop: one full forward pass under one patch for each intervention.
#define BOOST_TEST_MODULE causal_sweep
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/causal/attribution_patching.hpp"
#include "lancet/hooks/patch.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::eigen<float>;

std::vector<contrast_pair> some_pairs() {
  std::vector<contrast_pair> out(3);
  out[0] = {{1, 2, 3, 4, 5, 6}, {1, 2, 9, 4, 5, 6}, {7}, {8}, {}, "", "", "", "", "", 1};
  out[1] = {{3, 11, 5}, {3, 12, 5}, {7}, {9}, {}, "", "", "", "", "", 2};
  out[2] = {{4, 1, 2, 14, 6},
            {5, 1, 2, 14, 6},
            {7, 3},
            {8, 2},
            {},
            "",
            "",
            "",
            "",
            "",
            3};  // several tokens an answer
  return out;
}

/// The metric of a run of `text` while one unit has the values of a run of `other`.
template <class S>
double naive(transformer<B> const& model, contrast_pair const& pair, std::vector<token> const& text,
             std::vector<token> const& other, unit const& u, unit_columns c, metric m) {
  double sum = 0;
  std::vector<prompt> const to = metric_prompts(m, pair, text, 0), from = metric_prompts(m, pair, other, 0);
  for (std::size_t r = 0; r < to.size(); ++r) {
    workspace<B> ws;
    record<B, S> source;
    hook_table<B> reading;
    reading.add(source);
    batch<B> input;
    input.add(from[r].tokens);
    forward(model, input, reading, ws);
    std::vector<patch<B, S>> patches;
    index const first = u.position < 0 ? 0 : u.position,
                last = u.position < 0 ? to[r].length - 1 : u.position;
    for (index p = first; p <= last; ++p)
      patches.emplace_back(
          target{u.layer, {}, p, layer_span{u.number * c.width, (u.number + 1) * c.width - 1}},
          source.template get<S>(u.layer).col_range(u.number * c.width, c.width));
    hook_table<B> hooks;
    for (auto& p : patches) hooks.add(p);
    input.clear();
    input.add(to[r].tokens);
    readout_plan plan;
    for (token_query const& q : to[r].queries) plan.read(q.row, q, 0);
    plan.examples = 1;
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    sum += readout<B, architecture, hook_table<B>>(model, hooks, ws).values(plan)[0];
  }
  return m.value(sum);
}

template <class S>
void compare(architecture const& arch, unit_kind kind, positions at, metric m) {
  transformer<B> const model = tiny_model<B>(arch);
  std::vector<contrast_pair> const pairs = some_pairs();
  for (direction const d : {denoise, noise}) {
    effect_table const table = activation_patching(
        model, std::span<contrast_pair const>(pairs),
        {.metric = m, .change = resample{}, .direction = d, .unit = kind, .at = at, .rows = 24});
    for (std::size_t u = 0; u < table.units.size(); ++u)
      for (std::size_t e = 0; e < pairs.size(); ++e) {
        if (table.units[u].position >= std::ssize(pairs[e].clean)) {
          BOOST_TEST(std::isnan(table.effects[u][e]));
          continue;
        }
        auto const& text = d == denoise ? pairs[e].corrupted : pairs[e].clean;
        auto const& other = d == denoise ? pairs[e].clean : pairs[e].corrupted;
        double const base = d == denoise ? table.corrupted[e] : table.clean[e];
        double const expected =
            naive<S>(model, pairs[e], text, other, table.units[u], columns_of(arch, kind), m) - base;
        BOOST_TEST(table.effects[u][e] == expected);  // bit for bit
      }
  }
}

BOOST_AUTO_TEST_CASE(heads_everywhere_llama) {
  compare<site::z>(llama_like(), unit_kind::head, positions::all, log_odds{});
}
BOOST_AUTO_TEST_CASE(heads_everywhere_gpt2) {
  compare<site::z>(gpt2_like(), unit_kind::head, positions::all, log_likelihood{});
}
BOOST_AUTO_TEST_CASE(residual_by_position) {
  compare<site::resid_pre>(llama_like(), unit_kind::resid, positions::each, log_odds{});
}
BOOST_AUTO_TEST_CASE(attention_by_position) {
  compare<site::attn_out>(gpt2_like(), unit_kind::attn, positions::each, probability{});
}
BOOST_AUTO_TEST_CASE(mlps) {
  compare<site::mlp_out>(llama_like(), unit_kind::mlp, positions::all, log_odds{});
}
BOOST_AUTO_TEST_CASE(neurons) {
  compare<site::mlp_post>(gpt2_like(), unit_kind::neuron, positions::all, log_odds{});
}

BOOST_AUTO_TEST_CASE(clean_into_clean_is_exactly_nothing) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> pairs = some_pairs();
  for (contrast_pair& p : pairs) p.corrupted = p.clean;
  effect_table const table =
      activation_patching(model, std::span<contrast_pair const>(pairs),
                          {.metric = log_odds{}, .change = resample{}, .direction = denoise});
  for (auto const& row : table.effects)
    for (double const e : row) BOOST_TEST(e == 0.0);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> pairs = some_pairs();
  auto const run = [&](patching_options const& o) {
    (void)activation_patching(model, std::span<contrast_pair const>(pairs), o);
  };
  BOOST_CHECK_THROW(run({.metric = log_odds{}, .change = zero{}, .direction = denoise}), usage_error);
  BOOST_CHECK_THROW(run({.metric = log_odds{},
                         .change = resample{},
                         .direction = noise,
                         .units = {{unit_kind::head, 9, 0, -1}}}),
                    usage_error);
  pairs[0].corrupted.pop_back();
  BOOST_CHECK_THROW(run({.metric = log_odds{}, .change = resample{}, .direction = noise}), usage_error);
  pairs[0].corrupted.push_back(6);
  pairs[1].contrast.clear();
  BOOST_CHECK_THROW(run({.metric = log_odds{}, .change = resample{}, .direction = noise}), usage_error);
  pairs.clear();
  BOOST_CHECK_THROW(run({.metric = log_odds{}, .change = resample{}, .direction = noise}), usage_error);
}

}  // namespace lancet_test
