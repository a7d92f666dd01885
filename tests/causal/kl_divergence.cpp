// SPDX-License-Identifier: Apache-2.0
// The KL metric: against sums over the vocabulary written out, its gradient against central differences, in
// double.
#define BOOST_TEST_MODULE causal_kl_divergence
#include "lancet/backend/reference.hpp"
#include "lancet/causal/activation_patching.hpp"
#include "lancet/causal/metric_values.hpp"
#include "lancet/circuit/evaluate.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/hooks/patch.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"
#include "support/near.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::reference<double>;

contrast_pair some_pair() {
  contrast_pair p;
  p.clean = {3, 1, 4, 1};
  p.corrupted = {3, 7, 4, 1};
  p.line = 1;
  return p;  // KL needs neither answer nor contrast
}

std::vector<double> next_log_probs(transformer<B> const& model, hook_table<B>& hooks,
                                   std::vector<token> const& text) {
  workspace<B> ws;
  batch<B> input;
  input.add(text);
  forward(model, input, hooks, ws);
  logits(model, hooks, ws);
  const_view<B> const last = ws.readout.logits.all().row_range(std::ssize(text) - 1, 1);
  double sum = 0;
  std::vector<double> out;
  for (index j = 0; j < last.cols; ++j) sum += std::exp(last(0, j));
  for (index j = 0; j < last.cols; ++j) out.push_back(last(0, j) - std::log(sum));
  return out;
}

double kl(std::vector<double> const& p, std::vector<double> const& q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

BOOST_AUTO_TEST_CASE(effects_are_differences_of_divergences) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> const pairs{some_pair()};
  hook_table<B> none;
  std::vector<double> const clean = next_log_probs(model, none, pairs[0].clean);
  double const apart = kl(clean, next_log_probs(model, none, pairs[0].corrupted));
  BOOST_REQUIRE(apart > 1e-3);
  for (direction const d : {noise, denoise}) {
    effect_table const t =
        activation_patching(model, std::span<contrast_pair const>(pairs),
                            {.metric = kl_divergence{}, .change = resample{}, .direction = d});
    near(t.clean[0], 0, 1e-12, "KL of the clean run with itself");
    near(t.corrupted[0], apart, 1e-10, "KL of the corrupted run");
  }
  effect_table const zeroed =
      activation_patching(model, std::span<contrast_pair const>(pairs),
                          {.metric = kl_divergence{}, .change = zero{}, .direction = noise});
  for (std::size_t u = 0; u < zeroed.units.size(); ++u) {
    index const w = model.arch().head_dim, n = zeroed.units[u].number;
    ablate<B, site::z> cut(target{zeroed.units[u].layer, {}, {}, layer_span{n * w, (n + 1) * w - 1}});
    hook_table<B> hooks;
    hooks.add(cut);
    near(zeroed.effects[u][0], kl(clean, next_log_probs(model, hooks, pairs[0].clean)), 1e-10,
         "ablated head");
  }
}

BOOST_AUTO_TEST_CASE(its_gradient_is_that_of_central_differences) {
  transformer<B> const model = tiny_model<B>(gpt2_like());
  contrast_pair const pair = some_pair();
  workspace<B> ws;
  auto const seen = clean_predictions(model, metric(kl_divergence{}), std::span(&pair, 1), ws);
  readout_plan plan;
  plan.read(3, {0, -1, 1.5, 0, seen[0]}, 0);
  plan.read(3, {0, 5, -0.7, 0}, 0);  // beside a log-probability of the same row
  plan.examples = 1;
  BOOST_TEST(plan.rows.size() == 1U);
  batch<B> input;
  input.add(pair.corrupted);
  hook_table<B> none;
  forward(model, input, none, ws, std::span<index const>(plan.rows));
  readout<B, architecture, hook_table<B>> reader(model, none, ws);
  (void)reader.values(plan);
  tensor<B> g;
  reader.gradient(plan, std::vector<double>{0.8}, g);
  check_gradient<B>("KL and log P", ws.readout.features().all(), g,
                    [&] { return 0.8 * reader.values(plan)[0]; });
}

BOOST_AUTO_TEST_CASE(circuits_know_it_and_training_does_not) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> const pairs{some_pair()};
  circuit_runs<B, architecture> runs(model, pairs, {.metric = kl_divergence{}, .change = resample{}});
  near(runs.ablated({})[0], 0, 1e-12, "nothing ablated");
  std::vector<unit> const one{{unit_kind::head, 0, 0, -1}};
  BOOST_TEST(runs.ablated(one)[0] > 0);
  workspace<B> ws;
  hook_table<B> none;
  check_throws<usage_error>(
      [&] { (void)metric_values(model, none, std::span<contrast_pair const>(pairs), kl_divergence{}, ws); },
      "metric kl_divergence compares with a clean run");
}

}  // namespace lancet_test
