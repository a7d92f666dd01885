// SPDX-License-Identifier: Apache-2.0
// Laws of interventions: untrained or without strength they change nothing, a breaker confined to a head
// changes only that head's contribution, merged equals hooked, the training loss has the gradient of finite
// differences, and training and validation say the same on every backend.
#pragma once

#include <boost/mpl/front.hpp>

#include "lancet/causal/metric_values.hpp"
#include "lancet/hooks/patch.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/validate/validate.hpp"
#include "laws/law.hpp"
#include "support/finite_differences.hpp"
#include "support/pairs.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

training_data tiny_data() {
  training_data d;
  d.harm = {pair_of({1, 2, 3, 4}, {1, 5, 3, 4}, {7}, {8}, 1), pair_of({2, 6, 9}, {2, 4, 9}, {8, 3}, {7}, 2)};
  d.keep = {pair_of({3, 2, 1}, {}, {5}, {6}, 3)};
  d.text = {{1, 2, 3, 4, 5}, {9, 8, 7}};
  d.validation = d.harm;
  return d;
}

/// Every kind of part, with random numbers in it.
template <class B>
intervention<B> every_kind(transformer<B> const& model) {
  intervention<B> out("test", {}, model.identity());
  for (part_description const& d : {part_description{"low_rank", "q", 1, {0, 3, 4}, 2, 1.5},
                                    {"low_rank", "o", 1, {6, 7, 8, 9, 10, 11}, 2, 2.0},
                                    {"low_rank", "down", 2, {1, 5, 9}, 1, 1.0},
                                    {"low_rank", "up", 2, {0, 1, 2}, 1, 1.0},
                                    {"offset", "z", 1, {0, 1, 2}, 0, 1},
                                    {"offset", "resid_pre", 2, detail::column_run(0, 12), 0, 1}})
    out.parts().push_back(make_part<B>(d, model.arch()));
  std::uint64_t seed = 40;
  for (auto const& t : out.tensors()) fill_random<B>(t.value->all(), seed++, 0.3);
  return out;
}

template <class B>
circuit circuit_of(transformer<B> const& model, std::vector<unit> units) {
  circuit out;
  out.model = model.identity();
  out.units = std::move(units);
  return out;
}

/// A breaker of one head of layer 1 that does something: B is not zero.
template <class B>
intervention<B> head_breaker(transformer<B> const& model, index head) {
  intervention<B> out = make_intervention<B>(circuit_breaker{.rank = 2}, model.arch(), model.identity(),
                                             circuit_of(model, {{unit_kind::head, 1, head, -1}}), 1);
  for (auto const& t : out.tensors())
    fill_random<B>(t.value->all(), 50 + static_cast<std::uint64_t>(t.value->rows()));
  return out;
}

/// Final norm and the value at two sites of layer 1, of one batch under a table of hooks.
template <class B>
struct observed {
  tensor<B> out, z, attn_out;

  observed(transformer<B> const& model, hook_table<B> hooks) {
    site_recorder<B> at_z(site_id::z), at_attn_out(site_id::attn_out);
    hooks.add(at_z);
    hooks.add(at_attn_out);
    workspace<B> ws;
    batch<B> input;
    input.add(std::vector<token>{1, 2, 3, 4});
    input.add(std::vector<token>{9, 8, 7});
    forward(model, input, hooks, ws);
    out = tensor<B>::clone(ws.readout.features());
    z = tensor<B>::clone(at_z.get(1));
    attn_out = tensor<B>::clone(at_attn_out.get(1));
  }
};
template <class B>
observed<B> observe(transformer<B> const& model, intervention<B>& what) {
  hook_table<B> hooks;
  what.hook(hooks);
  return {model, hooks};
}

BOOST_AUTO_TEST_CASE_TEMPLATE(untrained_or_without_strength_it_changes_nothing, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  observed<B> const clean(model, {});
  circuit const found = circuit_of(model, {{unit_kind::head, 1, 2, -1}, {unit_kind::neuron, 1, 4, -1}});
  intervention<B> breaker = make_intervention<B>(circuit_breaker{}, model.arch(), model.identity(), found, 1);
  intervention<B> offset =
      make_intervention<B>(activation_offset{}, model.arch(), model.identity(), found, 1);
  BOOST_TEST(same_bits<B>(observe(model, breaker).out.all(), clean.out));
  BOOST_TEST(same_bits<B>(observe(model, offset).out.all(), clean.out));
  intervention<B> trained = every_kind(model);
  BOOST_TEST(!same_bits<B>(observe(model, trained).out.all(), clean.out));
  trained.set_strength(0);
  BOOST_TEST(same_bits<B>(observe(model, trained).out.all(), clean.out));
}

// attn_out moves by (z_h·Aᵀ)·Bᵀ, whose rank is the breaker's, and by nothing where the head is silent.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_breaker_of_a_head_changes_only_that_heads_contribution, B, backends) {
  using enum ops::transpose;
  architecture const a = llama_like();
  transformer<B> const model = tiny_model<B>(a);
  intervention<B> breaker = head_breaker(model, 2);
  observed<B> const clean(model, {}), broken = observe(model, breaker);
  BOOST_TEST(same_bits<B>(broken.z.all(), clean.z));
  tensor<B> expected = tensor<B>::clone(clean.attn_out), h(7, 2);
  auto const tensors = breaker.tensors();  // A [2, d], B [D, 2]
  ops::matmul<B>(clean.z.all().col_range(2 * a.head_dim, a.head_dim), no, *tensors[0].value, yes, h.all());
  ops::matmul<B>(h, no, *tensors[1].value, yes, expected.all(), true);
  check_close<B>(broken.attn_out, expected, by_scalar<B>(1e-5, 1e-13), "attn_out");

  auto const with_silent = [&](index head, bool and_breaker) {
    ablate<B, site::z> silence({1, {}, {}, head_columns(head, a.head_dim)});
    hook_table<B> hooks;
    hooks.add(silence);
    if (and_breaker) breaker.hook(hooks);
    return observed<B>(model, hooks);
  };
  BOOST_TEST(same_bits<B>(with_silent(2, true).out.all(), with_silent(2, false).out));
  BOOST_TEST(!same_bits<B>(with_silent(1, true).out.all(), with_silent(1, false).out));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(merged_equals_hooked, B, backends) {
  transformer<B> model = tiny_model<B>(llama_like());
  intervention<B> made = every_kind(model);
  observed<B> const hooked = observe(model, made);
  observed<B> const merged(merge(std::move(model), made), {});
  check_close<B>(merged.out, hooked.out, by_scalar<B>(1e-4, 1e-11), "final norm");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_training_loss_has_this_gradient, B, precise_backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  for (objective const what :
       {objective(squared_gap{}), objective(counterfactual_gap{}), objective(unlikelihood{}),
        objective(hinge_gap{-5}), objective(harm_log_likelihood{})}) {
    intervention<B> made = every_kind(model);
    training_options o{.objective = what};
    o.norm_weight = 0.3;
    o.keep_weight = 0.7;
    o.text_weight = 0.5;
    o.text_batch = 0;
    trainer<B> t(model, made, tiny_data(), o);
    auto const loss = [&] {
      training_record r;
      t.loss_and_gradient(r);
      return r.loss;
    };
    made.zero_gradients();
    static_cast<void>(loss());
    auto const tensors = made.tensors();
    std::vector<tensor<B>> gradients;  // what follows adds to them
    for (auto const& x : tensors) gradients.push_back(tensor<B>::clone(*x.gradient));
    for (std::size_t i = 0; i < tensors.size(); ++i)
      check_gradient<B>(std::string(what.name()) + ", " + tensors[i].name, tensors[i].value->all(),
                        gradients[i], loss, 1e-7, 3);
  }
}

/// Some steps of training, by step.
template <class B>
std::vector<double> training_losses(double clip) {
  transformer<B> const model = tiny_model<B>(llama_like());
  intervention<B> made = every_kind(model);
  training_options o{.objective = squared_gap{}};
  o.norm_weight = 0.3;
  o.keep_weight = 0.7;
  o.text_weight = 0.5;
  o.schedule.peak = 1e-2;
  o.steps = 8;
  o.clip = clip;
  trainer<B>(model, made, tiny_data(), o).run();
  std::vector<double> out;
  for (training_record const& r : made.history) out.push_back(r.loss);
  return out;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(training_takes_the_same_steps_in_any_scalar, B, backends) {
  for (double const clip : {0.0, 0.1}) {
    std::vector<double> const losses = training_losses<B>(clip);
    check_close(losses, training_losses<boost::mpl::front<backends>::type>(clip), 1e-3, "losses");
    BOOST_TEST(losses.back() < losses.front() - 0.1);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(training_lowers_the_loss, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  circuit const found = circuit_of(
      model, {{unit_kind::head, 1, 0, -1}, {unit_kind::head, 2, 3, -1}, {unit_kind::neuron, 1, 4, -1}});
  training_options o{.objective = squared_gap{}};
  o.steps = 60;
  o.schedule.peak = 3e-2;
  o.validate_every = 5;
  intervention<B> const made = train(circuit_breaker{.rank = 2}, model, found, tiny_data(), o);
  BOOST_TEST(made.history.back().harm < 0.5 * made.history.front().harm);
  BOOST_TEST(made.parts().size() == 3u);
  for (auto const& p : made.parts()) BOOST_TEST(p->describe().layer >= 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_restored_training_continues_bit_for_bit, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  training_options o{.objective = squared_gap{}};
  o.schedule.peak = 1e-2;
  intervention<B> whole = every_kind(model), begun = every_kind(model), continued = every_kind(model);
  trainer<B> uninterrupted(model, whole, tiny_data(), o), first(model, begun, tiny_data(), o),
      second(model, continued, tiny_data(), o);
  for (int step = 0; step < 4; ++step) uninterrupted.step();
  for (int step = 0; step < 2; ++step) first.step();
  second.restore(first.state());
  for (int step = 0; step < 2; ++step) second.step();
  BOOST_TEST((second.state().values == uninterrupted.state().values));
  BOOST_TEST((second.state().values != first.state().values));
  for (std::size_t i = 0; i < whole.tensors().size(); ++i)  // and hooks see them
    BOOST_TEST(same_bits<B>(continued.tensors()[i].value->all(), *whole.tensors()[i].value));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(validation_says_what_whole_passes_say, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  intervention<B> made = head_breaker(model, 1);
  validation_data const data{
      {{pair_of({3, 1, 4, 1, 5}, {}, {9}, {2}, 1), pair_of({6, 5, 3}, {}, {5, 8}, {9, 7}, 2)}, "harm"},
      {{"facts", {{pair_of({1, 1, 2}, {}, {3}, {4}, 1)}, "facts"}}},
      {{7, 2, 9, 4, 1, 3}, {8, 6, 4, 2}}};
  validation_result const v = validator<B>(model, data, log_odds{}, {1})(made);
  workspace<B> ws;
  hook_table<B> none, hooks;
  made.hook(hooks);
  double const tolerance = by_scalar<B>(1e-4, 1e-11);
  auto const check = [&](std::vector<double> const& got, hook_table<B>& under, test_pairs const& pairs) {
    check_close(got, metric_values(model, under, std::span<contrast_pair const>(pairs.pairs), log_odds{}, ws),
                tolerance, "log-odds");
  };
  check(v.harm.before, none, data.harm);
  check(v.harm.after, hooks, data.harm);
  check(v.keep[0].before, none, data.keep[0].second);
  check(v.keep[0].after, hooks, data.keep[0].second);
  BOOST_TEST(difference(v.harm.after, v.harm.before) > 0.01);

  double before = 0, after = 0;  // −log P of the eight tokens that have one before them
  for (std::vector<token> const& window : data.held_out)
    for (std::size_t i = 1; i < window.size(); ++i) {
      contrast_pair const next =
          pair_of({window.begin(), window.begin() + static_cast<index>(i)}, {}, {window[i]}, {}, 1);
      before -= metric_values(model, none, std::span(&next, 1), log_likelihood{}, ws)[0];
      after -= metric_values(model, hooks, std::span(&next, 1), log_likelihood{}, ws)[0];
    }
  check_close(std::vector{v.text.perplexity_before, v.text.perplexity_after},
              std::vector{std::exp(before / 8), std::exp(after / 8)}, tolerance, "perplexity");
  BOOST_TEST(v.text.kl > 1e-4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_is_refused, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  intervention<B> made = every_kind(model);
  training_options o{.objective = squared_gap{}};
  BOOST_CHECK_THROW(trainer<B>(model, made, training_data{}, o), usage_error);
  o.keep_weight = 1;
  BOOST_CHECK_THROW(trainer<B>(model, made, training_data{.harm = tiny_data().harm}, o), usage_error);
  circuit other = circuit_of(model, {{unit_kind::head, 0, 0, -1}});
  other.model.sha256 = "of another model";
  auto const make = [&] {
    static_cast<void>(make_intervention<B>(circuit_breaker{}, model.arch(), model.identity(), other, 0));
  };
  BOOST_CHECK_THROW(make(), usage_error);
  other = circuit_of(model, {});
  BOOST_CHECK_THROW(make(), usage_error);
  BOOST_CHECK_THROW((void)make_part<B>({"low_rank", "nowhere", 0, {1}, 1, 1}, model.arch()), usage_error);
}

}  // namespace
}  // namespace lancet_test
