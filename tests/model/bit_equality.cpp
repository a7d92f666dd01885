// SPDX-License-Identifier: Apache-2.0
// What may not change a bit of a result: the number of threads, the rest of the batch, a cached prefix.
#define BOOST_TEST_MODULE model_bit_equality
#include <boost/test/unit_test.hpp>

#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/cache.hpp"
#include "lancet/model/run.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::eigen<float>;

/// Large enough for several tiles of rows and columns.
architecture wide(architecture a) {
  a.width = 72;
  a.mlp_width = 200;
  a.vocabulary = 150;
  a.context = 128;
  return a;
}

struct results {
  tensor<B> out, logits, gradient;  // [R, D], [R, V], [R, D] at resid_pre of layer 0
};

/// Forward, logits, and backward from a gradient that depends on the row's place in its segment alone.
results run(transformer<B> const& model, batch<B> const& input) {
  gradients<B, site::resid_pre> slopes;
  hook_table<B> hooks;
  hooks.add(slopes);
  workspace<B> ws;
  lancet::forward(model, input, hooks, ws, {}, pass_kind::record);
  lancet::logits(model, hooks, ws);
  tensor<B> g(ws.rows, model.arch().width);
  for (segment const& s : input.segments) fill_random<B>(g.all().row_range(s.row, s.rows), 99);
  lancet::backward(model, hooks, ws, g);
  return {tensor<B>::clone(ws.readout.norm.out), tensor<B>::clone(ws.readout.logits),
          tensor<B>::clone(slopes.get<site::resid_pre>(0))};
}

std::vector<std::vector<token>> sequences(architecture const& a) {
  std::vector<std::vector<token>> out;
  std::uint64_t seed = 5;
  for (index const n : {1, 7, 100, 2, 33, 120}) out.push_back(random_tokens(n, a.vocabulary, seed++));
  return out;
}

batch<B> batch_of(std::vector<std::vector<token>> const& sequences) {
  batch<B> input;
  for (auto const& s : sequences) input.add(s);
  return input;
}

BOOST_AUTO_TEST_CASE(the_number_of_threads) {
  for (architecture const& a : {wide(llama_like()), wide(gpt2_like())}) {
    transformer<B> const model = tiny_model<B>(a);
    batch<B> const input = batch_of(sequences(a));
    set_threads(1);
    results const one = run(model, input);
    for (int const threads : {2, 3}) {
      set_threads(threads);
      results const more = run(model, input);
      BOOST_TEST(same_bits<B>(more.out.all(), one.out));
      BOOST_TEST(same_bits<B>(more.logits.all(), one.logits));
      BOOST_TEST(same_bits<B>(more.gradient.all(), one.gradient));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_rest_of_the_batch) {
  set_threads(2);
  for (architecture const& a : {wide(llama_like()), wide(gpt2_like())}) {
    transformer<B> const model = tiny_model<B>(a);
    auto const all = sequences(a);
    batch<B> const input = batch_of(all);
    results const together = run(model, input);
    for (std::size_t i = 0; i < all.size(); ++i) {
      segment const& s = input.segments[i];
      results const alone = run(model, batch_of({all[i]}));
      BOOST_TEST_CONTEXT(a.family << ", sequence " << i << " of " << s.rows << " tokens") {
        BOOST_TEST(same_bits<B>(alone.out.all(), together.out.all().row_range(s.row, s.rows)));
        BOOST_TEST(same_bits<B>(alone.logits.all(), together.logits.all().row_range(s.row, s.rows)));
        BOOST_TEST(same_bits<B>(alone.gradient.all(), together.gradient.all().row_range(s.row, s.rows)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cached_prefix) {
  set_threads(2);
  for (architecture const& a : {wide(llama_like()), wide(gpt2_like())}) {
    transformer<B> const model = tiny_model<B>(a);
    std::vector<token> const ids = random_tokens(90, a.vocabulary, 11);
    results const full = run(model, batch_of({ids}));

    hook_table<B> none;
    workspace<B> ws;
    auto const cache = make_cache<B>(a, 90);
    continuation<B> const whole{cache, ids};
    extend<B, architecture>(model, std::span(&whole, 1), none, ws);
    BOOST_TEST(cache->length == 90);

    // Suffixes of several lengths behind the same cache, together in one batch, with a plain sequence
    // between.
    batch<B> input;
    std::vector<index> const starts{1, 45, 89, 0, 64};
    for (index const start : starts) {
      input.add(std::span(ids).subspan(static_cast<std::size_t>(start)), cache, start);
      input.add(std::span(ids).first(3));
    }
    BOOST_TEST(input.prefixes.size() == 1U);
    lancet::forward(model, input, none, ws);
    lancet::logits(model, none, ws);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      segment const& s = input.segments[2 * i];
      BOOST_TEST(s.first_position == starts[i]);
      BOOST_TEST_CONTEXT(a.family << ", from position " << starts[i]) {
        BOOST_TEST(same_bits<B>(ws.readout.norm.out.all().row_range(s.row, s.rows),
                                full.out.all().row_range(starts[i], s.rows)));
        BOOST_TEST(same_bits<B>(ws.readout.logits.all().row_range(s.row, s.rows),
                                full.logits.all().row_range(starts[i], s.rows)));
      }
    }

    // A cache that grew run by run holds the same bits.
    auto const grown = make_cache<B>(a, 90);
    for (index first = 0, count = 1; first < 90;
         first += count, count = std::min<index>(2 * count, 90 - first)) {
      continuation<B> const next{
          grown, std::span(ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
      extend<B, architecture>(model, std::span(&next, 1), none, ws);
    }
    for (std::size_t l = 0; l < cache->layers.size(); ++l) {
      BOOST_TEST(same_bits<B>(grown->layers[l].keys.all(), cache->layers[l].keys));
      BOOST_TEST(same_bits<B>(grown->layers[l].values.all(), cache->layers[l].values));
    }
  }
}

// The rows that are read decide what is computed, not what comes out.
BOOST_AUTO_TEST_CASE(the_rows_that_are_read) {
  transformer<B> const model = tiny_model<B>(llama_like());
  batch<B> const input = batch_of({random_tokens(9, 23, 3), random_tokens(5, 23, 4)});
  results const all = run(model, input);
  hook_table<B> none;
  workspace<B> ws;
  std::vector<index> const rows{13, 0, 8, 8};
  lancet::forward(model, input, none, ws, std::span<index const>(rows));
  lancet::logits(model, none, ws);
  BOOST_REQUIRE(ws.readout.logits.rows() == 4);
  for (std::size_t i = 0; i < rows.size(); ++i)
    BOOST_TEST(same_bits<B>(ws.readout.logits.all().row_range(static_cast<index>(i), 1),
                            all.logits.all().row_range(rows[i], 1)));
}

// A workspace serves one batch after another, of any size, differentiated or not.
BOOST_AUTO_TEST_CASE(what_the_workspace_did_before) {
  transformer<B> const model = tiny_model<B>(gpt2_like());
  batch<B> const large = batch_of({random_tokens(30, 23, 6), random_tokens(20, 23, 7)});
  batch<B> const small = batch_of({random_tokens(4, 23, 8)});
  hook_table<B> none;
  gradients<B, site::resid_pre> slopes({1, 1});
  hook_table<B> hooks;
  hooks.add(slopes);
  workspace<B> fresh, used;
  lancet::forward(model, large, none, used);
  lancet::forward(model, small, hooks, used, {}, pass_kind::record);
  tensor<B> g = random_tensor<B>(4, 12, 9);
  lancet::backward(model, hooks, used, g);
  lancet::forward(model, large, none, used);
  lancet::forward(model, large, none, fresh);
  BOOST_TEST(same_bits<B>(used.readout.norm.out.all(), fresh.readout.norm.out));
  lancet::forward(model, small, hooks, used, {}, pass_kind::record);
  tensor<B> again = random_tensor<B>(4, 12, 9);
  tensor<B> const before = tensor<B>::clone(slopes.get<site::resid_pre>(1));
  lancet::backward(model, hooks, used, again);
  BOOST_TEST(same_bits<B>(slopes.get<site::resid_pre>(1), before));
}

}  // namespace
}  // namespace lancet_test
