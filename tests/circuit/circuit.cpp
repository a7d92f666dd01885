// SPDX-License-Identifier: Apache-2.0
// Selecting, measuring and pruning circuits, on the planted model whose circuit is known; a cut of it,
// validated.
#define BOOST_TEST_MODULE circuit_circuit
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/causal/attribution_patching.hpp"
#include "lancet/circuit/evaluate.hpp"
#include "lancet/circuit/random_circuit.hpp"
#include "lancet/circuit/select.hpp"
#include "lancet/planted.hpp"
#include "lancet/planted/data.hpp"
#include "lancet/validate/validate.hpp"
#include "support/errors.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

struct planted_case {
  planted<B> made = planted_model<B>();
  training_pairs train = planted_pairs<split::train>(planted_occupation_lines(), planted_tokenizer());
  validation_pairs validation =
      planted_pairs<split::validation>(planted_occupation_lines(), planted_tokenizer());
  test_pairs test = planted_pairs<split::test>(planted_occupation_lines(), planted_tokenizer());
  test_pairs stated = planted_pairs<split::test>(planted_stated_lines(), planted_tokenizer());
  training_pairs stated_train = planted_pairs<split::train>(planted_stated_lines(), planted_tokenizer());

  [[nodiscard]] effect_table heads() const {
    return activation_patching(made.model, train,
                               {.metric = log_odds{}, .change = resample{}, .direction = noise});
  }
};

std::set<unit> as_set(std::vector<unit> const& units) { return {units.begin(), units.end()}; }

BOOST_AUTO_TEST_CASE(rules_find_exactly_the_planted_heads) {
  planted_case const c;
  effect_table const effects = c.heads();
  std::set<unit> const truth = as_set(planted_units().heads);
  BOOST_TEST((as_set(select_circuit(effects, top{std::ssize(planted_units().heads)}).units) == truth));
  circuit const by_size = select_circuit(effects, threshold{0.3});
  BOOST_TEST((as_set(by_size.units) == truth));
  for (std::size_t i = 1; i < by_size.effects.size(); ++i)
    BOOST_TEST(std::abs(by_size.effects[i - 1]) >= std::abs(by_size.effects[i]));
  circuit const significant = select_circuit(effects, significance{.level = 1e-6});
  for (unit const& u : truth) BOOST_TEST(as_set(significant.units).contains(u));
  BOOST_CHECK_THROW((void)select_circuit(effects, top{0}), usage_error);
}

BOOST_AUTO_TEST_CASE(the_planted_circuit_is_faithful_complete_and_what_pruning_leaves) {
  planted_case const c;
  circuit_options const how{.metric = log_odds{}, .change = resample{}};
  circuit found = select_circuit(c.heads(), top{std::ssize(planted_units().heads)});
  measure_circuit(c.made.model, found, std::span<contrast_pair const>(c.validation.pairs), how);
  BOOST_TEST(found.faithfulness->value > 0.9);
  BOOST_TEST(found.completeness->value > 0.9);
  BOOST_TEST(found.faithfulness->low <= found.faithfulness->value);
  BOOST_TEST(found.faithfulness->value <= found.faithfulness->high);
  circuit const wide = select_circuit(c.heads(), top{8});
  circuit const pruned =
      prune_circuit(c.made.model, wide, 0.9, std::span<contrast_pair const>(c.train.pairs).first(12), how);
  BOOST_TEST((as_set(pruned.units) == as_set(planted_units().heads)));
  circuit other = random_circuit(found, c.made.model.arch(), 1, 0);
  measure_circuit(c.made.model, other, std::span<contrast_pair const>(c.validation.pairs), how);
  BOOST_TEST(std::abs(other.completeness->value) < 0.2);
  BOOST_CHECK_THROW(
      (void)prune_circuit(c.made.model, wide, 0, std::span<contrast_pair const>(c.train.pairs), how),
      usage_error);
  circuit foreign = found;
  foreign.model.sha256 = "of another";
  BOOST_CHECK_THROW(
      measure_circuit(c.made.model, foreign, std::span<contrast_pair const>(c.train.pairs), how),
      usage_error);
}

BOOST_AUTO_TEST_CASE(random_circuits_are_like_the_found_one_and_outside_it) {
  architecture const arch = planted_architecture();  // 4 layers of 4 heads
  circuit found;
  found.units = {{unit_kind::head, 2, 1, -1}, {unit_kind::mlp, 2, 0, -1}, {unit_kind::head, 3, 2, -1}};
  found.effects = {3, 2, 1};
  found.faithfulness = measured_share{};
  std::set<std::set<unit>> drawn;
  for (index draw = 0; draw < 10; ++draw) {
    circuit const c = random_circuit(found, arch, 7, draw);
    BOOST_REQUIRE_EQUAL(c.units.size(), 3U);
    BOOST_TEST(c.effects.size() == 3U);
    BOOST_TEST(!c.faithfulness.has_value());
    std::set<unit> all = as_set(found.units);
    for (std::size_t i = 0; i < 3; ++i) {
      BOOST_TEST((c.units[i].kind == found.units[i].kind));
      BOOST_TEST(c.units[i].layer >= 2);
      BOOST_TEST(all.insert(c.units[i]).second);
    }
    BOOST_TEST(drawn.insert(as_set(c.units)).second);
    BOOST_TEST((random_circuit(found, arch, 7, draw).units == c.units));
  }
  // What a seed draws does not change: reports of the same seed stay comparable.
  BOOST_TEST((random_circuit(found, arch, 7, 0).units == std::vector<unit>{{unit_kind::head, 3, 1, -1},
                                                                           {unit_kind::mlp, 3, 0, -1},
                                                                           {unit_kind::head, 3, 0, -1}}));
  // In layer 3 there are three heads more, and then none.
  circuit last;
  for (index head = 0; head < 3; ++head) last.units.push_back({unit_kind::head, 3, head, -1});
  BOOST_TEST((random_circuit(last, arch, 7, 1).units == std::vector<unit>{{unit_kind::head, 3, 3, -1}}));
  last.units.push_back({unit_kind::head, 3, 3, -1});
  check_throws<usage_error>([&] { (void)random_circuit(last, arch, 7, 0); }, "in layers 3 to 3");
  check_throws<usage_error>([&] { (void)random_circuit(circuit{}, arch, 7, 0); }, "got no units");
}

BOOST_AUTO_TEST_CASE(a_cut_of_the_circuit_removes_the_bias_and_keeps_stated_gender) {
  planted_case const c;
  circuit const found = select_circuit(c.heads(), top{std::ssize(planted_units().heads)});
  training_options o{.objective = counterfactual_gap{}};
  o.keep_weight = 1;
  o.steps = 80;
  o.harm_batch = o.keep_batch = 16;
  o.schedule.peak = 2e-2;
  intervention<B> cut = train(circuit_breaker{.rank = 2}, c.made.model, found,
                              {.harm = c.train.pairs, .keep = c.stated_train.pairs}, o);
  cut.trained_on_source = c.train.source;
  std::vector<std::vector<token>> const text{planted_tokenizer().encode(planted_text(split::test, 2))};
  validation_result const v = validate(c.made.model, cut, {c.test, {{"stated", c.stated}}, text}, log_odds{});
  BOOST_TEST(v.harm.reduction > 0.8);
  BOOST_TEST(v.harm.p < 0.05);
  BOOST_TEST(v.harm.low <= v.harm.reduction);
  BOOST_TEST(v.keep[0].accuracy_after >= v.keep[0].accuracy_before - 0.02);
  BOOST_TEST(std::abs(v.text.change()) < 0.05);
  BOOST_TEST(v.text.kl >= -1e-6);
  BOOST_TEST(v.verdict.met());
  cut.set_strength(0);  // a sham changes nothing
  validation_result const sham = validate(c.made.model, cut, {c.test, {}, {}}, log_odds{});
  BOOST_TEST(sham.harm.reduction == 0);
  BOOST_TEST(!sham.verdict.met());
}

BOOST_AUTO_TEST_CASE(what_was_trained_on_is_refused) {
  planted_case const c;
  circuit const found = select_circuit(c.heads(), top{1});
  intervention<B> made =
      make_intervention<B>(circuit_breaker{}, c.made.model.arch(), c.made.model.identity(), found, 0);
  made.trained_on_source = c.test.source;
  made.trained_on = {c.test.pairs[0].line};
  BOOST_CHECK_THROW((void)validate(c.made.model, made, {c.test, {}, {}}, log_odds{}), usage_error);
  BOOST_CHECK_THROW((void)validate(c.made.model, made, {test_pairs{}, {}, {}}, log_odds{}), usage_error);
}

}  // namespace lancet_test
