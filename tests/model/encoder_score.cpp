// SPDX-License-Identifier: Apache-2.0
// Scores of encoders against one pass a masked token and a log-softmax in double; other models are refused.
#define BOOST_TEST_MODULE model_encoder_score
#include "lancet/backend/reference.hpp"

#include "lancet/model/encoder_score.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "lancet/causal/metric_values.hpp"
#include "lancet/hooks/hooks.hpp"
#include "lancet/model/generate.hpp"
#include "lancet/validate/validate.hpp"
#include "support/errors.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::reference<double>;

namespace {

constexpr token mask = 3;

architecture classifier(index labels, bool first = true) {
  architecture a = first ? bert_like() : gpt2_like();
  a.labels = labels;
  a.labels_of_first = first;
  a.tied_unembedding = false;
  return a;
}

/// One row of a single text's logits.
std::vector<double> logits_of(transformer<B> const& model, encoder_text const& text,
                              std::vector<token> const& ids, index row) {
  auto none = hooks();
  workspace<B> ws;
  batch<B> input;
  if (text.types.empty())
    input.add(std::span<token const>(ids));
  else
    input.add(std::span<token const>(ids), std::span<index const>(text.types));
  index const rows[] = {row};
  forward(model, input, none, ws, rows);
  logits(model, none, ws);
  return elements<B>(ws.readout.logits.all());
}

/// Its log-softmax.
std::vector<double> row_of(transformer<B> const& model, encoder_text const& text,
                           std::vector<token> const& ids, index row) {
  std::vector<double> out = logits_of(model, text, ids, row);
  double sum = 0;
  for (double const x : out) sum += std::exp(x);
  for (double& x : out) x -= std::log(sum);
  return out;
}

std::vector<encoder_text> texts() {
  std::vector<encoder_text> out{{{1, 7, 9, 12, 2}, {0, 0, 0, 1, 1}, {1, 3}},
                                {{1, 2}, {0, 0}, {}},
                                {{1, 5, 5, 8, 11, 20, 4, 2}, std::vector<index>(8, 0), {1, 2, 3, 4, 5, 6}}};
  for (token i = 0; i < 12; ++i)  // more rows than one pass has
    out.push_back({{1, i, static_cast<token>(i + 1), 13, 17, 2}, std::vector<index>(6, 0), {1, 2, 3, 4}});
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_position_is_masked_by_itself) {
  transformer<B> const model = tiny_model<B>(bert_like());
  auto none = hooks();
  workspace<B> ws;
  std::vector<encoder_text> const all = texts();
  auto const got = masked_log_probabilities(model, none, std::span<encoder_text const>(all), mask, ws);
  BOOST_TEST_REQUIRE(got.size() == all.size());
  for (std::size_t s = 0; s < all.size(); ++s) {
    BOOST_TEST_REQUIRE(got[s].size() == all[s].positions.size());
    for (std::size_t i = 0; i < got[s].size(); ++i) {
      auto const at = static_cast<std::size_t>(all[s].positions[i]);
      std::vector<token> ids = all[s].ids;
      ids[at] = mask;
      double const expected =
          row_of(model, all[s], ids, all[s].positions[i])[static_cast<std::size_t>(all[s].ids[at])];
      BOOST_TEST(std::abs(got[s][i] - expected) < 1e-12, "text " << s << ", token " << at);
    }
  }
}

BOOST_AUTO_TEST_CASE(labels_add_up_to_one) {
  for (bool const first : {true, false}) {
    transformer<B> const model = tiny_model<B>(classifier(3, first));
    auto none = hooks();
    workspace<B> ws;
    std::vector<encoder_text> all = texts();
    for (encoder_text& text : all)
      if (!first) text.types.clear();
    auto const got = label_log_probabilities(model, none, std::span<encoder_text const>(all), ws);
    BOOST_TEST_REQUIRE(got.size() == all.size());
    for (std::size_t s = 0; s < all.size(); ++s) {
      std::vector<double> const expected =
          row_of(model, all[s], all[s].ids, first ? 0 : std::ssize(all[s].ids) - 1);
      BOOST_TEST_REQUIRE(got[s].size() == 3U);
      double sum = 0;
      for (std::size_t l = 0; l < 3; ++l) {
        BOOST_TEST(std::abs(got[s][l] - expected[l]) < 1e-12);
        sum += std::exp(got[s][l]);
      }
      BOOST_TEST(std::abs(sum - 1) < 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(independent_labels_have_a_probability_each) {
  for (index const labels : {1, 3}) {
    architecture arch = classifier(labels);
    arch.labels_are = label_kind::independent;
    transformer<B> const model = tiny_model<B>(arch);
    auto none = hooks();
    workspace<B> ws;
    std::vector<encoder_text> const all = texts();
    auto const got = label_log_probabilities(model, none, std::span<encoder_text const>(all), ws);
    BOOST_TEST_REQUIRE(got.size() == all.size());
    for (std::size_t s = 0; s < all.size(); ++s) {
      std::vector<double> const x = logits_of(model, all[s], all[s].ids, 0);
      BOOST_TEST_REQUIRE(std::ssize(got[s]) == labels);
      for (std::size_t l = 0; l < x.size(); ++l)
        BOOST_TEST(std::abs(got[s][l] - std::log(1 / (1 + std::exp(-x[l])))) < 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(outputs_that_are_no_distribution_are_refused) {
  auto none = hooks();
  workspace<B> ws;
  std::vector<encoder_text> const all = texts();
  auto const refused = [&](index labels, label_kind kind, std::string_view sentence) {
    architecture arch = classifier(labels);
    arch.labels_are = kind;
    transformer<B> const model = tiny_model<B>(arch);
    check_throws<usage_error>(
        [&] { (void)label_log_probabilities(model, none, std::span<encoder_text const>(all), ws); },
        sentence);
  };
  refused(3, label_kind::numbers, "got a regression, whose outputs are no labels, expected labels of which");
  refused(1, label_kind::numbers, "got a regression");
  refused(1, label_kind::exclusive, "got a classifier with one label");
  architecture arch = classifier(3);
  arch.labels_are = label_kind::independent;
  transformer<B> const model = tiny_model<B>(arch);
  contrast_pair pair;
  pair.clean = {1, 2, 2};
  pair.answer = {0};
  pair.contrast = {1};
  hook_table<B> table;
  std::span<contrast_pair const> const one(&pair, 1);
  check_throws<usage_error>([&] { (void)metric_values(model, table, one, log_odds{}, ws); },
                            "readout: got independent labels, expected labels of which one holds");
}

BOOST_AUTO_TEST_CASE(a_model_of_another_kind_is_refused) {
  auto none = hooks();
  workspace<B> ws;
  std::vector<encoder_text> const all = texts();
  std::span<encoder_text const> const some(all);
  check_throws<usage_error>(
      [&] { (void)masked_log_probabilities(tiny_model<B>(gpt2_like()), none, some, mask, ws); },
      "got gpt2, whose tokens see only those before them; expected a masked language model");
  check_throws<usage_error>(
      [&] { (void)masked_log_probabilities(tiny_model<B>(classifier(2)), none, some, mask, ws); },
      "got bert, a classifier; expected a masked language model");
  check_throws<usage_error>(
      [&] { (void)label_log_probabilities(tiny_model<B>(bert_like()), none, some, ws); },
      "got bert, which has no labels; expected a classifier");
  std::vector<std::vector<token>> const plain{{1, 2, 3}};
  std::span<std::vector<token> const> const sequences(plain);
  check_throws<usage_error>([&] { (void)log_probabilities(tiny_model<B>(bert_like()), none, sequences, ws); },
                            "log_probabilities: got bert, whose tokens see those after them");
  check_throws<usage_error>([&] { (void)generate(tiny_model<B>(classifier(2)), none, sequences, {}); },
                            "generate: got bert, a classifier");
  contrast_pair pair;
  pair.clean = {1, 2, 3};
  pair.answer = {4, 5};
  hook_table<B> table;
  std::span<contrast_pair const> const one(&pair, 1);
  check_throws<usage_error>(
      [&] { (void)metric_values(tiny_model<B>(bert_like()), table, one, log_likelihood{}, ws); },
      "got an answer of several tokens, which bert would see");
  validation_data data;
  pair.answer = {4};
  pair.contrast = {5};
  data.harm.pairs = {pair};
  data.held_out = {{1, 2, 3}};
  check_throws<usage_error>([&] { validator<B>(tiny_model<B>(bert_like()), data, log_odds{}, {0}); },
                            "validate: held-out text: got bert, whose tokens see those after them");
  std::vector<encoder_text> const outside{{{1, 2}, {0, 0}, {2}}};
  check_throws<usage_error>(
      [&] {
        (void)masked_log_probabilities(tiny_model<B>(bert_like()), none,
                                       std::span<encoder_text const>(outside), mask, ws);
      },
      "position 2");
}

}  // namespace lancet_test
