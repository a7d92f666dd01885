// SPDX-License-Identifier: Apache-2.0
// Validation against whole passes, one at a time: the validator resumes above the frozen layers, these do
// not. In double.
#define BOOST_TEST_MODULE validate_validate
#include "lancet/validate/validate.hpp"
#include "lancet/backend/reference.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/causal/metric_values.hpp"
#include "support/errors.hpp"
#include "support/near.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::reference<double>;

contrast_pair pair_of(std::vector<token> clean, std::vector<token> answer, std::vector<token> contrast,
                      index line) {
  contrast_pair out;
  out.clean = std::move(clean);
  out.answer = std::move(answer);
  out.contrast = std::move(contrast);
  out.line = line;
  return out;
}

/// A breaker of head 1 in the last layer that does something: B is not zero.
intervention<B> some_breaker(transformer<B> const& model, index layer) {
  circuit c;
  c.model = model.identity();
  c.units = {{unit_kind::head, layer, 1, -1}};
  c.effects = {0};
  intervention<B> out =
      make_intervention<B>(circuit_breaker{.rank = 2}, model.arch(), model.identity(), c, 1);
  for (auto const& t : out.tensors())
    for (index i = 0; i < t.value->rows(); ++i)
      for (index j = 0; j < t.value->cols(); ++j)
        t.value->all()(i, j) += 0.3 * std::cos(static_cast<double>(3 * i + j));
  return out;
}

struct unseen_data {
  transformer<B> model = tiny_model<B>(llama_like());
  index last = model.arch().layers - 1;
  validation_data data{
      {{pair_of({3, 1, 4, 1, 5}, {9}, {2}, 1), pair_of({6, 5, 3}, {5, 8}, {9, 7}, 2),
        pair_of({2, 7, 1, 8}, {2}, {8}, 3)},
       "harm.jsonl"},
      {{"facts", {{pair_of({1, 1, 2}, {3}, {4}, 1), pair_of({5, 8}, {1}, {3}, 2)}, "facts.jsonl"}}},
      {{7, 2, 9, 4, 1, 3}, {11}, {8, 6, 4, 2}}};
};

BOOST_AUTO_TEST_CASE(the_seed_moves_intervals_alone) {
  unseen_data c;
  for (index line = 4; line < 16; ++line)  // of three items two seeds' quantiles may be the same
    c.data.harm.pairs.push_back(
        pair_of(random_tokens(5, 23, static_cast<std::uint64_t>(line)), {9}, {2}, line));
  intervention<B> made = some_breaker(c.model, c.last);
  auto const measured = [&](std::uint64_t seed) {
    c.data.seed = seed;
    return validator<B>(c.model, c.data, log_odds{}, {c.last})(made).harm;
  };
  harm_measure const one = measured(1), again = measured(1), other = measured(2);
  BOOST_TEST((one.low == again.low && one.high == again.high));
  BOOST_TEST((one.low != other.low || one.high != other.high));
  BOOST_TEST((one.after == other.after && one.reduction == other.reduction && one.p == other.p));
}

BOOST_AUTO_TEST_CASE(every_measure_is_that_of_whole_passes) {
  unseen_data c;
  intervention<B> made = some_breaker(c.model, c.last);
  validation_result const v = validator<B>(c.model, c.data, log_odds{}, {c.last})(made);

  workspace<B> ws;
  hook_table<B> none, hooks;
  made.hook(hooks);
  auto const same = [](std::vector<double> const& got, std::vector<double> const& expected) {
    BOOST_REQUIRE_EQUAL(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-10);
  };
  same(v.harm.before,
       metric_values(c.model, none, std::span<contrast_pair const>(c.data.harm.pairs), log_odds{}, ws));
  same(v.harm.after,
       metric_values(c.model, hooks, std::span<contrast_pair const>(c.data.harm.pairs), log_odds{}, ws));
  // The 95 % t interval of three differences: 4.302653 is the 97.5 % quantile with two degrees of freedom.
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < 3; ++i) mean += (v.harm.after[i] - v.harm.before[i]) / 3;
  for (std::size_t i = 0; i < 3; ++i) squares += std::pow(v.harm.after[i] - v.harm.before[i] - mean, 2);
  double const half = 4.302653 * std::sqrt(squares / 2 / 3);
  near(v.harm.difference_low, mean - half, 1e-6 * half);
  near(v.harm.difference_high, mean + half, 1e-6 * half);
  auto const facts = std::span<contrast_pair const>(c.data.keep[0].second.pairs);
  same(v.keep[0].after, metric_values(c.model, hooks, facts, log_odds{}, ws));
  same(v.keep[0].likelihood.before, metric_values(c.model, none, facts, log_likelihood{}, ws));
  same(v.keep[0].likelihood.after, metric_values(c.model, hooks, facts, log_likelihood{}, ws));
  BOOST_TEST(v.harm.before != v.harm.after);
  BOOST_TEST(std::abs(v.harm.reduction - (1 - v.harm.mean_after / v.harm.mean_before)) < 1e-12);

  // Text: softmax of every row by hand; the window of one token predicts nothing.
  double before = 0, after = 0, kl = 0;
  index predicted = 0, rows = 0;
  for (std::vector<token> const& window : c.data.held_out) {
    if (window.size() < 2) continue;
    batch<B> input;
    input.add(window);
    auto const log_probs = [&](hook_table<B>& under) {
      forward(c.model, input, under, ws);
      logits(c.model, under, ws);
      std::vector<std::vector<double>> out;
      for (index i = 0; i < ws.readout.logits.rows(); ++i) {
        double sum = 0;
        out.emplace_back();
        for (index j = 0; j < c.model.arch().vocabulary; ++j) sum += std::exp(ws.readout.logits.all()(i, j));
        for (index j = 0; j < c.model.arch().vocabulary; ++j)
          out.back().push_back(ws.readout.logits.all()(i, j) - std::log(sum));
      }
      return out;
    };
    auto const p0 = log_probs(none), p = log_probs(hooks);
    for (std::size_t i = 0; i < p.size(); ++i, ++rows)
      for (std::size_t j = 0; j < p[i].size(); ++j) kl += std::exp(p0[i][j]) * (p0[i][j] - p[i][j]);
    for (std::size_t i = 0; i + 1 < window.size(); ++i, ++predicted) {
      before -= p0[i][static_cast<std::size_t>(window[i + 1])];
      after -= p[i][static_cast<std::size_t>(window[i + 1])];
    }
  }
  BOOST_TEST(std::abs(v.text.perplexity_before - std::exp(before / static_cast<double>(predicted))) < 1e-9);
  BOOST_TEST(std::abs(v.text.perplexity_after - std::exp(after / static_cast<double>(predicted))) < 1e-9);
  BOOST_TEST(std::abs(v.text.kl - kl / static_cast<double>(rows)) < 1e-10);
  BOOST_TEST(v.text.kl > 1e-6);
  BOOST_TEST(v.text.before.size() == 2U);
}

BOOST_AUTO_TEST_CASE(resuming_lower_changes_nothing) {
  unseen_data c;
  intervention<B> made = some_breaker(c.model, c.last);
  validation_result const high = validator<B>(c.model, c.data, probability{}, {c.last})(made),
                          low = validator<B>(c.model, c.data, probability{}, {0})(made);
  BOOST_TEST(high.harm.after == low.harm.after);
  BOOST_TEST(high.keep[0].after == low.keep[0].after);
  BOOST_TEST(high.text.after == low.text.after);
  BOOST_TEST(validator<B>(c.model, c.data, probability{}, {c.last, 0})(made).harm.after == low.harm.after);
  for (double const p : high.harm.before) BOOST_TEST((p > 0 && p < 1));
}

BOOST_AUTO_TEST_CASE(a_sham_changes_nothing_and_fewer_windows_are_fewer_items) {
  unseen_data c;
  intervention<B> made = some_breaker(c.model, c.last);
  validator<B> measured(c.model, c.data, log_odds{}, {c.last});
  made.set_strength(0);
  validation_result const sham = measured(made, 1);
  BOOST_TEST(sham.harm.reduction == 0);
  BOOST_TEST(sham.harm.before == sham.harm.after);
  BOOST_TEST(std::abs(sham.text.kl) < 1e-12);
  BOOST_TEST(sham.text.before.size() == 1U);
  BOOST_TEST(measured(made, 0).text.before.empty());
}

BOOST_AUTO_TEST_CASE(the_verdict_needs_all_four) {
  validation_result good;
  good.harm.reduction = 0.5;
  good.harm.p = 0.049;
  good.text.before = {1};
  good.text.perplexity_before = 100;
  good.text.perplexity_after = 104.9;
  good.keep.resize(1);
  good.keep[0].accuracy_before = 0.9;
  good.keep[0].accuracy_after = 0.88;
  BOOST_TEST(judge(good).met());
  auto const spoilt = [&](auto change) {
    validation_result r = good;
    change(r);
    return !judge(r).met();
  };
  BOOST_TEST(spoilt([](auto& r) { r.harm.reduction = 0.499; }));
  BOOST_TEST(spoilt([](auto& r) { r.harm.p = 0.05; }));
  BOOST_TEST(spoilt([](auto& r) { r.text.perplexity_after = 105; }));
  BOOST_TEST(spoilt([](auto& r) { r.keep[0].accuracy_after = 0.879; }));
}

BOOST_AUTO_TEST_CASE(what_was_not_measured_is_not_judged) {
  validation_result harm_only;
  harm_only.harm.reduction = 0.9;
  harm_only.harm.p = 0.001;
  verdict const v = judge(harm_only);
  BOOST_TEST(!v.collateral_within_5_percent.has_value());
  BOOST_TEST(!v.keeps_answers.has_value());
  BOOST_TEST(!v.failed());
  BOOST_TEST(!v.met());
  validation_result with_text = harm_only;
  with_text.text.before = {1};
  with_text.text.perplexity_before = with_text.text.perplexity_after = 100;
  BOOST_TEST(judge(with_text).collateral_within_5_percent.value());
  BOOST_TEST(!judge(with_text).met());
  with_text.text.perplexity_after = 106;
  BOOST_TEST(judge(with_text).failed());
}

BOOST_AUTO_TEST_CASE(what_proves_nothing_is_refused) {
  unseen_data c;
  intervention<B> made = some_breaker(c.model, c.last), lower = some_breaker(c.model, 0);
  validator<B> measured(c.model, c.data, log_odds{}, {c.last});
  check_throws<usage_error>([&] { (void)measured(lower); }, "an intervention in layer 0");
  made.trained_on_source = "harm.jsonl";
  made.trained_on = {2};
  check_throws<usage_error>([&] { (void)measured(made); }, "harm.jsonl:2 was trained on");
  validation_data empty = c.data;
  empty.harm.pairs.clear();
  check_throws<usage_error>([&] { validator<B>(c.model, empty, log_odds{}, {0}); },
                            "an empty test split of 'harm'");
  validation_data short_text = c.data;
  short_text.held_out = {{1}};
  check_throws<usage_error>([&] { validator<B>(c.model, short_text, log_odds{}, {0}); },
                            "no window of at least two tokens");
  validation_data no_contrast = c.data;
  no_contrast.harm.pairs[1].contrast.clear();
  check_throws<usage_error>([&] { validator<B>(c.model, no_contrast, log_odds{}, {0}); },
                            "line 2 has no contrast");
}

}  // namespace lancet_test
