// SPDX-License-Identifier: Apache-2.0
// Laws of many runs in one batch: segments equal single runs, a cached prefix and the number of threads
// change nothing, a sweep equals the naive loop of one full pass an intervention, and attributions add up.
#pragma once

#include "lancet/causal/attribution_patching.hpp"
#include "lancet/model/cache.hpp"
#include "lancet/model/run.hpp"
#include "laws/families.hpp"
#include "laws/law.hpp"
#include "support/pairs.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

/// Large enough for several tiles of rows and columns.
architecture wide(architecture a) {
  a.width = 72;
  a.mlp_width = 200;
  a.vocabulary = 150;
  a.context = 128;
  return a;
}

template <class B>
struct pass_results {
  tensor<B> out, logits, gradient;  // [R, D], [R, V], [R, D] at resid_pre of layer 0
};

/// Forward, logits, and backward from a gradient that depends on the row's place in its segment alone.
template <class B>
pass_results<B> run(transformer<B> const& model, batch<B> const& input) {
  gradients<B, site::resid_pre> slopes;
  hook_table<B> hooks;
  hooks.add(slopes);
  workspace<B> ws;
  forward(model, input, hooks, ws, {}, pass_kind::record);
  logits(model, hooks, ws);
  tensor<B> g(ws.rows, model.arch().width);
  for (segment const& s : input.segments) fill_random<B>(g.all().row_range(s.row, s.rows), 99);
  backward(model, hooks, ws, g);
  return {tensor<B>::clone(ws.readout.features()), tensor<B>::clone(ws.readout.logits),
          tensor<B>::clone(slopes.template get<site::resid_pre>(0))};
}

template <class B>
void check_results(pass_results<B> const& got, pass_results<B> const& expected, index row, double tolerance) {
  index const rows = got.out.rows();
  check_close<B>(got.out, expected.out.all().row_range(row, rows), tolerance, "final norm");
  check_close<B>(got.logits, expected.logits.all().row_range(row, rows), tolerance, "logits");
  check_close<B>(got.gradient, expected.gradient.all().row_range(row, rows), tolerance, "gradient");
}

std::vector<std::vector<token>> sequences(architecture const& a) {
  std::vector<std::vector<token>> out;
  std::uint64_t seed = 5;
  bool const plain =
      a.family == "llama" || a.family == "gpt2";  // of the emulator's kernels they use every tile
  for (index const n : {1, 7, 100, 2, 33, 120})
    out.push_back(random_tokens(plain ? n : std::min<index>(n, longest_text), a.vocabulary, seed++));
  return out;
}

template <class B>
batch<B> batch_of(std::vector<std::vector<token>> const& texts) {
  batch<B> input;
  for (auto const& s : texts) input.add(s);
  return input;
}

/// What rounding makes of a pass over these models, where sums are taken in another order.
template <class B>
constexpr double pass_tolerance = by_scalar<B>(2e-4, 1e-12);

BOOST_AUTO_TEST_CASE_TEMPLATE(threads_change_no_bit, B, backends) {
  for (architecture a : families()) {
    a = wide(a);
    transformer<B> const model = tiny_model<B>(a);
    batch<B> const input = batch_of<B>(sequences(a));
    set_threads(1);
    pass_results<B> const one = run(model, input);
    for_thread_counts([&](int) { check_results(run(model, input), one, 0, 0); });
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(segments_equal_single_runs, B, backends) {
  set_threads(2);
  for (architecture a : families()) {
    a = wide(a);
    transformer<B> const model = tiny_model<B>(a);
    auto const all = sequences(a);
    batch<B> const input = batch_of<B>(all);
    pass_results<B> const together = run(model, input);
    for (std::size_t i = 0; i < all.size(); ++i) BOOST_TEST_CONTEXT(a.family << ", sequence " << i)
    check_results(run(model, batch_of<B>({all[i]})), together, input.segments[i].row,
                  beside_others(pass_tolerance<B>));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_cached_prefix_changes_nothing, B, backends) {
  set_threads(2);
  double const tolerance = beside_others(pass_tolerance<B>);
  for (architecture a : decoders()) {
    a = wide(a);
    transformer<B> const model = tiny_model<B>(a);
    std::vector<token> const ids = random_tokens(90, a.vocabulary, 11);
    pass_results<B> const full = run(model, batch_of<B>({ids}));

    hook_table<B> none;
    workspace<B> ws;
    auto const cache = make_cache<B>(a, 90);
    continuation<B> const whole{cache, ids};
    extend<B, architecture>(model, std::span(&whole, 1), none, ws);
    BOOST_TEST(cache->length == 90);

    // Suffixes of several lengths behind the same cache in one batch, with a plain sequence between.
    batch<B> input;
    std::vector<index> const starts{1, 45, 89, 0, 64};
    for (index const start : starts) {
      input.add(std::span(ids).subspan(static_cast<std::size_t>(start)), cache, start);
      input.add(std::span(ids).first(3));
    }
    BOOST_TEST(input.prefixes.size() == 1U);
    forward(model, input, none, ws);
    logits(model, none, ws);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      segment const& s = input.segments[2 * i];
      BOOST_TEST(s.first_position == starts[i]);
      BOOST_TEST_CONTEXT(a.family << ", from position " << starts[i]) {
        check_close<B>(ws.readout.features().all().row_range(s.row, s.rows),
                       full.out.all().row_range(starts[i], s.rows), tolerance, "final norm");
        check_close<B>(ws.readout.logits.all().row_range(s.row, s.rows),
                       full.logits.all().row_range(starts[i], s.rows), tolerance, "logits");
      }
    }

    // A cache that grew run by run holds the same.
    auto const grown = make_cache<B>(a, 90);
    for (index first = 0, count = 1; first < 90;
         first += count, count = std::min<index>(2 * count, 90 - first)) {
      continuation<B> const next{
          grown, std::span(ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
      extend<B, architecture>(model, std::span(&next, 1), none, ws);
    }
    for (std::size_t l = 0; l < cache->layers.size(); ++l) {
      check_close<B>(grown->layers[l].keys, cache->layers[l].keys, tolerance, "keys");
      check_close<B>(grown->layers[l].values, cache->layers[l].values, tolerance, "values");
    }
  }
}

// The rows that are read decide what is computed, not what comes out.
BOOST_AUTO_TEST_CASE_TEMPLATE(rows_are_read_alike_in_any_company, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  batch<B> const input = batch_of<B>({random_tokens(9, 23, 3), random_tokens(5, 23, 4)});
  pass_results<B> const all = run(model, input);
  hook_table<B> none;
  workspace<B> ws;
  std::vector<index> const rows{13, 0, 8, 8};
  forward(model, input, none, ws, std::span<index const>(rows));
  logits(model, none, ws);
  BOOST_REQUIRE(ws.readout.logits.rows() == 4);
  for (std::size_t i = 0; i < rows.size(); ++i)
    check_close<B>(ws.readout.logits.all().row_range(static_cast<index>(i), 1),
                   all.logits.all().row_range(rows[i], 1), beside_others(pass_tolerance<B>), "logits");
}

// A workspace serves one batch after another, of any size, differentiated or not.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_workspace_forgets, B, backends) {
  transformer<B> const model = tiny_model<B>(gpt2_like());
  batch<B> const large = batch_of<B>({random_tokens(30, 23, 6), random_tokens(20, 23, 7)});
  batch<B> const small = batch_of<B>({random_tokens(4, 23, 8)});
  hook_table<B> none;
  gradients<B, site::resid_pre> slopes({1, 1});
  hook_table<B> hooks;
  hooks.add(slopes);
  workspace<B> fresh, used;
  auto const gradient = [&] {
    forward(model, small, hooks, used, {}, pass_kind::record);
    tensor<B> g = random_tensor<B>(4, 12, 9);
    backward(model, hooks, used, g);
    return elements<B>(slopes.template get<site::resid_pre>(1));
  };
  forward(model, large, none, used);
  auto const before = gradient();
  forward(model, large, none, used);
  forward(model, large, none, fresh);
  BOOST_TEST(same_bits<B>(used.readout.features().all(), fresh.readout.features()));
  BOOST_TEST((gradient() == before));
}

/// A model of which each layer looks back one token: what changes early cannot be seen at the end.
architecture short_sighted() {
  architecture a = llama_like();
  a.family = "short-sighted";
  a.windows = {2, 2, 2};
  return a;
}

/// The last has answers of several tokens, but for encoders, which would see them.
std::vector<contrast_pair> some_pairs(architecture const& a) {
  std::vector<contrast_pair> out{pair_of({1, 2, 3, 4, 5, 6}, {1, 2, 9, 4, 5, 6}, {7}, {8}, 1),
                                 pair_of({3, 11, 5}, {3, 12, 5}, {7}, {9}, 2),
                                 pair_of({4, 1, 2, 14, 6}, {5, 1, 2, 14, 6}, {7}, {8}, 3)};
  if (a.causal) {
    out.back().answer.push_back(3);
    out.back().contrast.push_back(2);
  }
  return out;
}

/// The metric of a full run of `text` while one unit has the values of a run of `other`.
template <class B>
double naive(transformer<B> const& model, contrast_pair const& pair, std::vector<token> const& text,
             std::vector<token> const& other, unit const& u, metric m) {
  unit_columns const c = columns_of(model.arch(), u.kind);
  double sum = 0;
  std::vector<prompt> const to = metric_prompts(m, pair, text, 0), from = metric_prompts(m, pair, other, 0);
  for (std::size_t r = 0; r < to.size(); ++r) {
    workspace<B> ws;
    site_recorder<B> source(site_of(u.kind));
    hook_table<B> reading;
    reading.add(source);
    forward(model, batch_of<B>({from[r].tokens}), reading, ws);
    index const first = u.position < 0 ? 0 : u.position, rows = u.position < 0 ? to[r].length : 1;
    do_table<B> cell;
    cell.add({site_of(u.kind), u.layer, 0, first, rows, u.number * c.width, c.width,
              source.get(u.layer).row_range(first, rows).col_range(u.number * c.width, c.width)});
    hook_table<B> hooks;
    hooks.add(cell);
    readout_plan plan;
    for (token_query const& q : to[r].queries) plan.read(q.row, q, 0);
    plan.examples = 1;
    forward(model, batch_of<B>({to[r].tokens}), hooks, ws, std::span<index const>(plan.rows));
    sum += readout<B, architecture, hook_table<B>>(model, hooks, ws).values(plan)[0];
  }
  return m.value(sum);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_sweep_equals_the_naive_loop, B, backends) {
  struct sweep_case {
    architecture arch;
    unit_kind kind;
    positions at;
    metric what;
  };
  for (auto const& [arch, kind, at, what] :
       {sweep_case{llama_like(), unit_kind::head, positions::all, log_odds{}},
        {gpt2_like(), unit_kind::head, positions::all, log_likelihood{}},
        {llama_like(), unit_kind::resid, positions::each, log_odds{}},
        {gpt2_like(), unit_kind::attn, positions::each, probability{}},
        {llama_like(), unit_kind::mlp, positions::all, log_odds{}},
        {gpt2_like(), unit_kind::neuron, positions::all, log_odds{}},
        {gemma_like(), unit_kind::resid, positions::each, log_odds{}},
        {short_sighted(), unit_kind::resid, positions::each, log_odds{}},
        {gemma_like(), unit_kind::head, positions::all, log_likelihood{}},
        {neox_like(), unit_kind::attn, positions::each, log_odds{}},
        {neox_like(), unit_kind::mlp, positions::each, probability{}},
        {olmo_like(), unit_kind::head, positions::all, log_odds{}},
        {bert_like(), unit_kind::resid, positions::each, log_odds{}},
        {bert_like(), unit_kind::neuron, positions::all, log_odds{}}}) {
    std::vector<contrast_pair> const pairs = some_pairs(arch);
    transformer<B> const model = tiny_model<B>(arch);
    for (direction const d : {denoise, noise}) {
      effect_table const table = activation_patching(
          model, std::span<contrast_pair const>(pairs),
          {.metric = what, .change = resample{}, .direction = d, .unit = kind, .at = at, .rows = 24});
      double largest = 0;
      for (std::size_t u = 0; u < table.units.size(); ++u)
        for (std::size_t e = 0; e < pairs.size(); ++e) {
          if (table.units[u].position >= std::ssize(pairs[e].clean)) {
            BOOST_TEST(std::isnan(table.effects[u][e]));
            continue;
          }
          auto const& text = d == denoise ? pairs[e].corrupted : pairs[e].clean;
          auto const& other = d == denoise ? pairs[e].clean : pairs[e].corrupted;
          double const base = d == denoise ? table.corrupted[e] : table.clean[e];
          double const expected = naive(model, pairs[e], text, other, table.units[u], what) - base;
          check_close(std::span(&table.effects[u][e], 1), std::span(&expected, 1),
                      beside_others(by_scalar<B>(1e-4, 1e-11)), "effect");
          largest = std::max(largest, std::abs(expected));
        }
      BOOST_TEST(largest > 1e-3, "no unit has an effect: nothing was compared");
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(clean_into_clean_is_exactly_nothing, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> pairs = some_pairs(model.arch());
  for (contrast_pair& p : pairs) p.corrupted = p.clean;
  effect_table const table =
      activation_patching(model, std::span<contrast_pair const>(pairs),
                          {.metric = log_odds{}, .change = resample{}, .direction = denoise});
  for (auto const& row : table.effects)
    for (double const e : row) BOOST_TEST(e == 0.0);
}

// Zero is what a mean over zeros would be, and one row serves every position: the do-operators' own sources.
BOOST_AUTO_TEST_CASE_TEMPLATE(constants_are_put_in_as_they_are, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> const pairs = some_pairs(model.arch());
  auto const effects = [&](do_operator const& change, positions at) {
    return activation_patching(
        model, std::span<contrast_pair const>(pairs),
        {.metric = log_odds{}, .change = change, .direction = noise, .unit = unit_kind::mlp, .at = at});
  };
  effect_table const zeros = effects(zero{}, positions::last), means = effects(mean{}, positions::all);
  workspace<B> ws;
  for (std::size_t e = 0; e < 2; ++e) {  // pairs of one prompt
    site_recorder<B> recorder(site_id::mlp_out);
    hook_table<B> reading;
    reading.add(recorder);
    tensor<B> pooled(1, 12);  // over the tokens of every clean prompt
    for (contrast_pair const& p : pairs) {
      forward(model, batch_of<B>({p.clean}), reading, ws);
      ops::column_sum<B>(typename B::scalar(1.0 / 14), recorder.get(1), pooled.all());
    }
    prompt const p = metric_prompts(log_odds{}, pairs[e], pairs[e].clean, 0)[0];
    auto const value = [&](do_cell<B> cell) {
      do_table<B> cells;
      cells.add(cell);
      hook_table<B> hooks;
      hooks.add(cells);
      readout_plan plan;
      for (token_query const& q : p.queries) plan.read(q.row, q, 0);
      plan.examples = 1;
      forward(model, batch_of<B>({p.tokens}), hooks, ws, std::span<index const>(plan.rows));
      return readout<B, architecture, hook_table<B>>(model, hooks, ws).values(plan)[0];
    };
    double const tolerance = by_scalar<B>(1e-4, 1e-11);
    BOOST_TEST(std::abs(zeros.effects[1][e] - (value({site_id::mlp_out, 1, 0, p.length - 1, 1, 0, 12, {}}) -
                                               zeros.clean[e])) <= tolerance);
    BOOST_TEST(std::abs(means.effects[1][e] - (value({site_id::mlp_out, 1, 0, 0, p.length, 0, 12, pooled}) -
                                               means.clean[e])) <= tolerance);
  }
}

/// Attributions of every unit of a kind, all positions together.
template <class B>
effect_table attributions(transformer<B> const& model, unit_kind kind, index steps) {
  std::vector<contrast_pair> const pairs = some_pairs(model.arch());
  return attribution_patching(
      model, std::span<contrast_pair const>(pairs),
      {.metric = log_odds{}, .direction = denoise, .unit = kind, .at = positions::all, .steps = steps});
}

// W_O and W_down are linear: what is attributed to heads and neurons adds up to their block, if no norm follows.
BOOST_AUTO_TEST_CASE_TEMPLATE(attributions_of_parts_add_up, B, backends) {
  for (architecture const& a : families()) {
    if (norms_output(a)) continue;
    transformer<B> const model = tiny_model<B>(a);
    for (auto const& [part, whole] :
         {std::pair{unit_kind::head, unit_kind::attn}, {unit_kind::neuron, unit_kind::mlp}}) {
      effect_table const parts = attributions(model, part, 0), wholes = attributions(model, whole, 0);
      for (std::size_t w = 0; w < wholes.units.size(); ++w) {
        std::vector<double> sums(wholes.effects[w].size(), 0.0);
        for (std::size_t u = 0; u < parts.units.size(); ++u)
          if (parts.units[u].layer == wholes.units[w].layer)
            for (std::size_t e = 0; e < sums.size(); ++e) sums[e] += parts.effects[u][e];
        check_close(sums, wholes.effects[w], by_scalar<B>(1e-4, 1e-12), name(part));
      }
    }
  }
}

// Sundararajan et al. 2017: integrated along the whole path, the embeddings' attribution is all that the
// metric moves by. A sum over steps is off by a term that halves when they double.
BOOST_AUTO_TEST_CASE_TEMPLATE(integrated_gradients_are_complete, B, backends) {
  for (architecture const& a : families_of_long_laws()) {
    transformer<B> const model = tiny_model<B>(a);
    double largest = 0;
    auto const off = [&](index steps) {
      effect_table const table = attributions(model, unit_kind::resid, steps);
      double sum = 0;
      for (std::size_t e = 0; e < table.clean.size(); ++e) {
        double const moved = table.clean[e] - table.corrupted[e];
        largest = std::max(largest, std::abs(moved));
        sum += std::abs(table.effects[0][e] - moved);
      }
      return sum;
    };
    double const coarse = off(40), fine = off(80);
    BOOST_TEST(largest > 0.3);
    BOOST_TEST(fine < 0.1 * largest);
    BOOST_TEST(fine < 0.6 * coarse + by_scalar<B>(1e-4, 1e-10));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_is_refused, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> pairs = some_pairs(model.arch());
  auto const run_with = [&](patching_options const& o) {
    static_cast<void>(activation_patching(model, std::span<contrast_pair const>(pairs), o));
  };
  patching_options const usual{.metric = log_odds{}, .change = resample{}, .direction = noise};
  BOOST_CHECK_THROW(run_with({.metric = log_odds{}, .change = zero{}, .direction = denoise}), usage_error);
  BOOST_CHECK_THROW(run_with({.metric = log_odds{},
                              .change = resample{},
                              .direction = noise,
                              .units = {{unit_kind::head, 9, 0, -1}}}),
                    usage_error);
  pairs[0].corrupted.pop_back();
  BOOST_CHECK_THROW(run_with(usual), usage_error);
  pairs[0].corrupted.push_back(6);
  pairs[1].contrast.clear();
  BOOST_CHECK_THROW(run_with(usual), usage_error);
  pairs.clear();
  BOOST_CHECK_THROW(run_with(usual), usage_error);
}

}  // namespace
}  // namespace lancet_test
