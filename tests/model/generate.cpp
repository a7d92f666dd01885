// SPDX-License-Identifier: Apache-2.0
// Generation with caches against recomputation of the whole sequence, under hooks and in any batch; caches;
// refusals.
#define BOOST_TEST_MODULE model_generate
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/backend/reference.hpp"
#include "lancet/hooks/offset.hpp"
#include "lancet/hooks/patch.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/generate.hpp"
#include "support/errors.hpp"
#include "support/near.hpp"
#include "support/shared.hpp"

namespace lancet_test {

using lancet::continuation;
using lancet::generate_options;
using lancet::generated;
using lancet::index;
using lancet::token;
using lancet::usage_error;
using fast = lancet::backend::eigen<float>;
using plain = lancet::backend::reference<double>;

using prompt_list = std::vector<std::vector<token>>;

prompt_list const prompts{
    {5, 17, 200, 3, 88, 41}, {9}, {120, 121, 7}, {63, 64, 65, 66, 67, 68, 69, 70, 71}, {5, 17}};

template <class B>
lancet::transformer<B> tiny(std::string const& family) {
  return lancet::load_model<B>(shared("goldens/tiny/" + family));
}

/// The definition of generation: the whole sequence anew for every token, each prompt alone.
template <class B, class H>
std::vector<generated> recomputed(lancet::transformer<B> const& model, H& hooks,
                                  generate_options const& options) {
  std::vector<generated> out;
  lancet::workspace<B> ws;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    generated& result = out.emplace_back();
    std::vector<token> sequence = prompts[p];
    for (index step = 0; step < options.tokens; ++step) {
      lancet::batch<B> input;
      input.add(sequence);
      std::vector<index> const last{std::ssize(sequence) - 1};
      lancet::forward(model, input, hooks, ws, std::span<index const>(last));
      lancet::logits(model, hooks, ws);
      auto const row = ws.readout.logits.all();
      lancet::choice const chosen = lancet::choose(
          std::span<typename B::scalar const>(row.data, static_cast<std::size_t>(row.cols)),
          {options.temperature, options.top_k, options.top_p},
          lancet::philox_stream(options.seed, "generate").at(p, static_cast<std::size_t>(step)).uniform(0));
      result.ids.push_back(chosen.id);
      result.log_probs.push_back(chosen.log_prob);
      sequence.push_back(chosen.id);
    }
  }
  return out;
}

void check_same(std::vector<generated> const& got, std::vector<generated> const& expected, double tolerance) {
  BOOST_REQUIRE_EQUAL(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST_CONTEXT("prompt " << i) {
      BOOST_TEST(got[i].ids == expected[i].ids, boost::test_tools::per_element());
      BOOST_REQUIRE_EQUAL(got[i].log_probs.size(), expected[i].log_probs.size());
      for (std::size_t t = 0; t < got[i].log_probs.size(); ++t)
        near(got[i].log_probs[t], expected[i].log_probs[t], tolerance, "log-probability");
    }
  }
}

template <class B>
void check_recomputation(std::string const& family, double tolerance) {
  BOOST_TEST_CONTEXT(family << " on " << B::name) {
    auto const model = tiny<B>(family);
    lancet::hook_set<> none;
    for (generate_options const& options :
         {generate_options{.tokens = 12},
          generate_options{.tokens = 12, .temperature = 1.5, .top_k = 40, .top_p = 0.9, .seed = 3}})
      check_same(lancet::generate(model, none, prompts, options), recomputed(model, none, options),
                 tolerance);

    // Edits of what is cached, before and after the rotation, and of what is computed from it.
    index const d = model.arch().head_dim;
    lancet::offset<B, lancet::site::k> keys(0, 1, d);
    lancet::offset<B, lancet::site::rot_k> turned(1, 0, d);
    lancet::offset<B, lancet::site::v> values(2, 2, d);
    lancet::ablate<B, lancet::site::z> head({1, {}, {}, lancet::head_columns(1, d)});
    for (auto* delta : {&keys.delta(), &turned.delta(), &values.delta()})
      for (index i = 0; i < d; ++i)
        delta->all()(0, i) = static_cast<typename B::scalar>(0.3 * static_cast<double>(i) - 0.7);
    lancet::hook_table<B> hooks;
    hooks.add(keys);
    hooks.add(turned);
    hooks.add(values);
    hooks.add(head);
    generate_options const options{.tokens = 12};
    auto const hooked = lancet::generate(model, hooks, prompts, options);
    check_same(hooked, recomputed(model, hooks, options), tolerance);
    auto const bare = lancet::generate(model, none, prompts, options);
    BOOST_TEST((hooked[0].log_probs[0] != bare[0].log_probs[0]));  // the hooks do something
    auto fixed = lancet::hooks(keys, turned, values, head);
    auto const composed = lancet::generate(model, fixed, prompts, options);
    for (std::size_t i = 0; i < prompts.size(); ++i)
      BOOST_TEST((composed[i].log_probs == hooked[i].log_probs));
  }
}

BOOST_AUTO_TEST_CASE(equals_recomputation) {
  if (skipped_without_shared("generation against recomputation")) return;
  for (char const* family : {"llama", "gpt2"}) {
    check_recomputation<plain>(family, 1e-12);
    check_recomputation<fast>(family, 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(batches_change_nothing) {
  if (skipped_without_shared("generation in batches")) return;
  lancet::hook_set<> none;
  for (char const* family : {"llama", "gpt2"}) {
    auto const model = tiny<fast>(family);
    generate_options options{.tokens = 9, .temperature = 1, .seed = 11};
    auto const all = lancet::generate(model, none, prompts, options);
    options.stop = {all[2].ids[3]};  // sequences end at different times, so others move up
    auto const expected = lancet::generate(model, none, prompts, options);
    for (index const batch : {1, 2, 3}) {
      options.batch = batch;
      auto const got = lancet::generate(model, none, prompts, options);
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        BOOST_TEST(got[i].ids == expected[i].ids, boost::test_tools::per_element());
        BOOST_TEST((got[i].log_probs == expected[i].log_probs));  // to the last bit
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(seeds) {
  if (skipped_without_shared("seeds of generation")) return;
  auto const model = tiny<fast>("llama");
  lancet::hook_set<> none;
  prompt_list const twice{prompts[0], prompts[0]};
  auto const run = [&](std::uint64_t seed, double temperature) {
    return lancet::generate(model, none, twice, {.tokens = 10, .temperature = temperature, .seed = seed});
  };
  auto const one = run(1, 1.0), again = run(1, 1.0), other = run(2, 1.0);
  BOOST_TEST((one[0].ids == again[0].ids && one[1].ids == again[1].ids));
  BOOST_TEST((one[0].ids != other[0].ids));
  BOOST_TEST((one[0].ids != one[1].ids));  // the prompt's number is part of the key
  auto const greedy = run(1, 0), greedy_other = run(2, 0);
  BOOST_TEST((greedy[0].ids == greedy_other[0].ids && greedy[0].ids == greedy[1].ids));
}

BOOST_AUTO_TEST_CASE(stop_tokens) {
  if (skipped_without_shared("stop tokens")) return;
  auto const model = tiny<fast>("llama");
  lancet::hook_set<> none;
  auto const free = lancet::generate(model, none, prompts, {.tokens = 8});
  token const stop = free[0].ids[2];
  auto const cut = lancet::generate(model, none, prompts, {.tokens = 8, .stop = {210, stop}});
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto const& ids = free[i].ids;
    auto const at = std::find_if(ids.begin(), ids.end(), [&](token t) { return t == stop || t == 210; });
    std::vector<token> const expected(ids.begin(), at == ids.end() ? at : at + 1);
    BOOST_TEST(cut[i].ids == expected, boost::test_tools::per_element());
    BOOST_TEST(cut[i].stopped == (at != ids.end()));
  }
  BOOST_TEST(cut[0].stopped);
}

BOOST_AUTO_TEST_CASE(context_is_the_limit) {
  if (skipped_without_shared("the context's limit")) return;
  auto const model = tiny<fast>("gpt2");  // a context of 40
  lancet::hook_set<> none;
  prompt_list const half{std::vector<token>(21, 4)};
  BOOST_TEST(lancet::generate(model, none, half, {.tokens = 20})[0].ids.size() ==
             20U);  // the last is never run
  check_throws<usage_error>(
      [&] { (void)lancet::generate(model, none, half, {.tokens = 21}); },
      "prompt 0: got 21 tokens and 21 to generate, expected no more than the model's context of 40");
  check_throws<usage_error>(
      [&] {
        (void)lancet::generate(model, none, prompt_list{{1}, {}});
      },
      "prompt 1: got no tokens");
  check_throws<usage_error>([&] { (void)lancet::generate(model, none, half, {.tokens = -1}); },
                            "got -1 tokens");
  check_throws<usage_error>([&] { (void)lancet::generate(model, none, half, {.tokens = 1, .batch = 0}); },
                            "got batch 0");
  check_throws<usage_error>([&] { (void)lancet::generate(model, none, half, {.tokens = 1, .top_p = 2}); },
                            "top_p");
  check_throws<usage_error>(
      [&] {
        (void)lancet::generate(model, none, prompt_list{{1, 211}});
      },
      "token id 211");
  BOOST_TEST(lancet::generate(model, none, half, {.tokens = 0})[0].ids.empty());
  BOOST_TEST(lancet::generate(model, none, prompt_list{}).empty());
}

/// Throws in the last layer: by then the other layers' keys are in place.
struct failing {
  using reads = lancet::sites<lancet::site::mlp_out>;
  bool armed = false;
  void on(lancet::site::mlp_out, lancet::const_view<plain>, lancet::place const& at) {
    if (armed && at.layer == 2) throw usage_error("as asked");
  }
};

BOOST_AUTO_TEST_CASE(caches) {
  if (skipped_without_shared("caches")) return;
  auto const model = tiny<plain>("llama");
  failing policy;
  auto hooks = lancet::hooks(policy);
  lancet::workspace<plain> ws;
  auto const& sequence = prompts[3];
  auto const cache = lancet::make_cache<plain>(model.arch(), 9);
  BOOST_TEST(lancet::capacity(*cache) == 9);
  double const* const keys = cache->layers[0].keys.all().data;
  auto const run = [&](std::size_t first, std::size_t count) {
    std::vector<continuation<plain>> const one{
        {cache, std::span<token const>(sequence).subspan(first, count)}};
    lancet::extend<plain>(model, one, hooks, ws);
  };

  run(0, 2);
  run(2, 4);
  policy.armed = true;
  check_throws<usage_error>([&] { run(6, 3); }, "as asked");
  BOOST_TEST(cache->length == 6);
  policy.armed = false;
  run(6, 3);
  BOOST_TEST(cache->length == 9);
  BOOST_TEST((cache->layers[0].keys.all().data == keys));
  std::vector<double> const in_parts(ws.readout.norm.out.all().row(0),
                                     ws.readout.norm.out.all().row(0) + model.arch().width);

  lancet::batch<plain> whole;
  whole.add(sequence);
  lancet::forward(model, whole, hooks, ws);
  for (index i = 0; i < model.arch().width; ++i)
    near(in_parts[static_cast<std::size_t>(i)], ws.readout.norm.out.all()(8, i), 1e-12,
         "after the final norm");

  check_throws<usage_error>([&] { run(0, 1); },
                            "got 9 cached positions and 1 more, expected at most the cache's capacity of 9");
  check_throws<usage_error>([&] { (void)lancet::make_cache<plain>(model.arch(), 65); },
                            "the model's context of 64");
  check_throws<usage_error>([&] { (void)lancet::make_cache<plain>(model.arch(), 0); }, "got a capacity of 0");
  auto const roomy = lancet::make_cache<plain>(model.arch(), 20);
  std::vector<continuation<plain>> const same{{roomy, sequence}, {roomy, sequence}};
  check_throws<usage_error>([&] { lancet::extend<plain>(model, same, hooks, ws); },
                            "two runs continue the same cache");
  std::vector<continuation<plain>> const empty{{roomy, {}}};
  check_throws<usage_error>([&] { lancet::extend<plain>(model, empty, hooks, ws); }, "empty run");
  BOOST_TEST(roomy->length == 0);
}

}  // namespace lancet_test
