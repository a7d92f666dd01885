// SPDX-License-Identifier: Apache-2.0
// Optimisers against twenty stored steps each, in double and float; their saved state; clipping.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE intervene_optimizer
#include "lancet/intervene/optimizer.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "lancet/core/random.hpp"
#include "support/near.hpp"
#include "support/shared.hpp"

using lancet::optimizer;
using lancet::optimizer_options;
using lancet::optimizer_rule;
using lancet_test::near;

namespace {

/// Values and gradients of one parameter.
template <class Scalar>
struct trained {
  std::vector<Scalar> x, g;
  [[nodiscard]] lancet::parameter_span<Scalar> span(char const* name = "x") { return {name, x, g}; }
};

optimizer_options options_of(std::string const& run, nlohmann::json const& stored) {
  optimizer_options options;
  options.rule = run.starts_with("adamw")
                     ? optimizer_rule::adamw
                     : (run.starts_with("adam") ? optimizer_rule::adam : optimizer_rule::sgd);
  for (auto const& [key, value] : stored.items()) {
    if (key == "lr")
      options.learning_rate = value;
    else if (key == "betas")
      options.beta1 = value.at(0), options.beta2 = value.at(1);
    else if (key == "eps")
      options.epsilon = value;
    else if (key == "weight_decay")
      options.weight_decay = value;
    else if (key == "amsgrad")
      options.amsgrad = value;
    else if (key == "momentum")
      options.momentum = value;
    else if (key == "dampening")
      options.dampening = value;
    else if (key == "nesterov")
      options.nesterov = value;
    else
      BOOST_FAIL("an option this test does not know: " << key);
  }
  return options;
}

template <class Scalar>
void follow(nlohmann::json const& golden, double tolerance) {
  auto const q = golden.at("Q").get<std::vector<std::vector<Scalar>>>();
  auto const b = golden.at("b").get<std::vector<Scalar>>();
  BOOST_REQUIRE(golden.at("runs").size() >= 9U);
  for (auto const& [name, run] : golden.at("runs").items()) {
    trained<Scalar> p{golden.at("x0").get<std::vector<Scalar>>(), std::vector<Scalar>(b.size())};
    std::vector const parameters{p.span()};
    optimizer<Scalar> rule(options_of(name, run.at("options")), parameters);
    for (auto const& expected : run.at("x")) {
      for (std::size_t i = 0; i < b.size(); ++i) {
        p.g[i] = -b[i];
        for (std::size_t j = 0; j < b.size(); ++j) p.g[i] += q[i][j] * p.x[j];
      }
      rule.step(parameters);
      for (std::size_t i = 0; i < b.size(); ++i) near(p.x[i], expected.at(i), tolerance, name);
    }
    BOOST_TEST(rule.steps() == static_cast<std::int64_t>(run.at("x").size()));
  }
}

optimizer_options const every_rule[] = {
    {.rule = optimizer_rule::adamw, .weight_decay = 0.1},
    {.rule = optimizer_rule::adam, .weight_decay = 0.1, .amsgrad = true},
    {.rule = optimizer_rule::sgd},
    {.rule = optimizer_rule::sgd, .momentum = 0.9, .dampening = 0.2},
    {.rule = optimizer_rule::sgd, .momentum = 0.9, .nesterov = true},
};

/// Two parameters of some numbers; the gradients of step t are drawn from (seed, t).
struct pair_of_parameters {
  trained<float> a{std::vector<float>(7), std::vector<float>(7)};
  trained<float> b{std::vector<float>(3), std::vector<float>(3)};
  std::vector<lancet::parameter_span<float>> spans{a.span("a"), b.span("b")};

  void run(optimizer<float>& rule, int first, int last) {
    for (int t = first; t < last; ++t) {
      lancet::philox_stream const rng{1, "gradients"};
      rng.at(t, 0).fill_normal<float>(a.g);
      rng.at(t, 1).fill_normal<float>(b.g);
      rule.step(spans);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("optimisers")) return;
  std::ifstream file(lancet_test::shared("goldens/optim/optimisers.json"));
  auto const golden = nlohmann::json::parse(file);
  follow<double>(golden, 1e-10);
  follow<float>(golden, 1e-5);
}

BOOST_AUTO_TEST_CASE(first_steps_by_hand) {
  trained<double> p{{1.0, -2.0}, {0.5, -0.25}};
  std::vector const parameters{p.span()};
  optimizer<double> sgd({.rule = optimizer_rule::sgd, .learning_rate = 0.1}, parameters);
  sgd.step(parameters);
  near(p.x[0], 0.95, 1e-15);
  near(p.x[1], -1.975, 1e-15);
  optimizer<double> adam({.rule = optimizer_rule::adam, .learning_rate = 0.1, .epsilon = 0.0}, parameters);
  adam.step(parameters, 0.01);  // Adam's first step is the rate times the sign
  near(p.x[0], 0.94, 1e-12);
  near(p.x[1], -1.965, 1e-12);
  optimizer<double> adamw({.weight_decay = 0.5}, parameters);
  p.g = {0.0, 0.0};
  adamw.step(parameters, 0.2);  // no gradient: decay only
  near(p.x[0], 0.94 * 0.9, 1e-12);
}

BOOST_AUTO_TEST_CASE(a_resumed_run_is_bit_equal) {
  for (auto const& options : every_rule) {
    pair_of_parameters whole;
    optimizer<float> rule(options, whole.spans);
    whole.run(rule, 0, 20);

    pair_of_parameters part;
    optimizer<float> before(options, part.spans);
    part.run(before, 0, 8);
    // What a file would hold, in another order.
    std::vector<std::pair<std::string, std::vector<float>>> file;
    auto const saved = before.state();
    for (auto const& array : saved.arrays) {
      file.insert(file.begin(), {array.name, {array.values.begin(), array.values.end()}});
    }
    lancet::optimizer_state<float> loaded{saved.steps, {}};
    for (auto const& [name, values] : file) loaded.arrays.push_back({name, values});
    optimizer<float> after(options, part.spans);
    after.restore(loaded);
    BOOST_TEST(after.steps() == 8);
    part.run(after, 8, 20);
    BOOST_TEST(part.a.x == whole.a.x, boost::test_tools::per_element());
    BOOST_TEST(part.b.x == whole.b.x, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(state_has_names_and_refuses_others) {
  pair_of_parameters p;
  optimizer<float> rule({.rule = optimizer_rule::adam, .amsgrad = true}, p.spans);
  auto const state = rule.state();
  std::vector<std::string> names;
  for (auto const& array : state.arrays) names.push_back(array.name);
  std::vector<std::string> const expected = {"first_moment.a",          "first_moment.b",
                                             "second_moment.a",         "second_moment.b",
                                             "largest_second_moment.a", "largest_second_moment.b"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  p.run(rule, 0, 2);

  auto wrong = rule.state();
  wrong.arrays[0].name = "first_moment.c";
  BOOST_CHECK_THROW(rule.restore(wrong), lancet::usage_error);
  wrong = rule.state();
  wrong.arrays[5].values = wrong.arrays[0].values;
  BOOST_CHECK_THROW(rule.restore(wrong), lancet::usage_error);
  wrong = rule.state();
  wrong.arrays.pop_back();
  BOOST_CHECK_THROW(rule.restore(wrong), lancet::usage_error);
  wrong = rule.state();
  wrong.steps = -1;
  BOOST_CHECK_THROW(rule.restore(wrong), lancet::usage_error);
  BOOST_TEST(rule.steps() == 2);
  BOOST_TEST((optimizer<float>({.rule = optimizer_rule::sgd}, p.spans).state().arrays.empty()));
}

BOOST_AUTO_TEST_CASE(a_refused_step_changes_nothing) {
  pair_of_parameters p;
  optimizer<float> rule({}, p.spans);
  p.run(rule, 0, 1);
  auto const a = p.a.x;
  p.b.g[1] = std::numeric_limits<float>::infinity();
  BOOST_CHECK_EXCEPTION(rule.step(p.spans), lancet::error, [](lancet::error const& e) {
    return std::string(e.what()) == "optimizer::step: the gradient of b is not finite at step 1";
  });
  BOOST_TEST(p.a.x == a, boost::test_tools::per_element());
  BOOST_TEST(rule.steps() == 1);
  p.b.g[1] = 0.0F;
  BOOST_CHECK_THROW(rule.step(p.spans, -1.0), lancet::usage_error);
  BOOST_CHECK_THROW(rule.step(p.spans, std::numeric_limits<double>::quiet_NaN()), lancet::usage_error);
  BOOST_CHECK_THROW(rule.step(std::span(p.spans).first(1)), lancet::usage_error);
  auto swapped = p.spans;
  std::swap(swapped[0], swapped[1]);
  BOOST_CHECK_THROW(rule.step(swapped), lancet::usage_error);
  auto shorter = p.spans;
  shorter[0].gradient = shorter[0].gradient.first(6);
  BOOST_CHECK_THROW(rule.step(shorter), lancet::usage_error);
}

BOOST_AUTO_TEST_CASE(refused_options) {
  double const nan_value = std::numeric_limits<double>::quiet_NaN();
  optimizer_options const bad[] = {
      {.learning_rate = -1},
      {.learning_rate = nan_value},
      {.weight_decay = -0.1},
      {.beta1 = 1.0},
      {.beta2 = -0.1},
      {.epsilon = -1e-8},
      {.momentum = 0.9},                                                                   // adamw has none
      {.nesterov = true},                                                                  // nor this
      {.rule = optimizer_rule::sgd, .amsgrad = true},                                      // adam's
      {.rule = optimizer_rule::sgd, .nesterov = true},                                     // needs momentum
      {.rule = optimizer_rule::sgd, .momentum = 0.9, .dampening = 0.1, .nesterov = true},  // and no dampening
      {.rule = optimizer_rule::sgd, .dampening = 0.1},
  };
  for (auto const& options : bad) {
    BOOST_CHECK_THROW((optimizer<double>(options, {})), lancet::usage_error);
  }
  trained<float> p{{1.0F}, {1.0F}};
  std::vector const twice{p.span("x"), p.span("x")};
  BOOST_CHECK_THROW((optimizer<float>({}, twice)), lancet::usage_error);
}

BOOST_AUTO_TEST_CASE(clipping) {
  trained<double> p{{0, 0}, {3.0, 0.0}}, q{{0}, {4.0}};
  std::vector<lancet::parameter_span<double>> const parameters{p.span("p"), q.span("q")};
  std::span<lancet::parameter_span<double> const> const all = parameters;
  near(lancet::gradient_norm(all), 5.0, 1e-15);
  near(lancet::clip_gradients(all, 6.0), 5.0, 1e-15);  // short enough: untouched
  BOOST_TEST(p.g[0] == 3.0);
  near(lancet::clip_gradients(all, 1.0), 5.0, 1e-15);
  near(p.g[0], 3.0 / (5.0 + 1e-6), 1e-15);
  near(q.g[0], 4.0 / (5.0 + 1e-6), 1e-15);
  BOOST_CHECK_THROW(lancet::clip_gradients(all, 0.0), lancet::usage_error);
  q.g[0] = std::numeric_limits<double>::quiet_NaN();
  BOOST_CHECK_THROW(lancet::clip_gradients(all, 0.1), lancet::error);
  near(p.g[0], 3.0 / (5.0 + 1e-6), 1e-15);
}
