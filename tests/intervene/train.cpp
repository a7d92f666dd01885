// SPDX-License-Identifier: Apache-2.0
// Which step of a training is kept, and when it stops early.
#define BOOST_TEST_MODULE intervene_train
#include "lancet/backend/eigen.hpp"

#include "lancet/intervene/train.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "support/errors.hpp"
#include "support/interventions.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

transformer<B> const& model() {
  static transformer<B> const m = tiny_model<B>(llama_like());
  return m;
}

contrast_pair pair(token answer, token contrast) {
  contrast_pair p;
  p.clean = prompt;
  p.answer = {answer};
  p.contrast = {contrast};
  return p;
}

/// Validation wants the opposite of training: every step makes it worse, so that the first one validated is
/// the best.
training_data opposed() { return {.harm = {pair(7, 8)}, .validation = {pair(8, 7)}}; }

training_options options() {
  training_options o{.objective = hinge_gap{-100}};  // linear in the gap
  o.steps = 20;
  o.schedule.peak = 1e-3;
  o.validate_every = 3;
  return o;
}

intervention<B> breaker() {
  circuit c;
  c.model = model().identity();
  c.units = {{unit_kind::head, 1, 2, -1}, {unit_kind::neuron, 2, 4, -1}};
  c.effects = {1, 1};
  return make_intervention<B>(circuit_breaker{.rank = 2}, model().arch(), model().identity(), c, 5);
}

std::vector<index> validated_at(intervention<B> const& what) {
  std::vector<index> out;
  double before = -INFINITY;
  for (training_record const& r : what.history)
    if (r.validation) {
      BOOST_TEST(*r.validation > before, "validation gets worse with every step");
      before = *r.validation;
      out.push_back(r.step + 1);
    }
  return out;
}

BOOST_AUTO_TEST_CASE(the_best_step_by_validation_is_kept) {
  intervention<B> what = breaker();
  training_options o = options();
  std::map<index, std::vector<double>> after;
  o.after_step = [&](index step) { after[step] = logits_of(model(), prompt, &what); };
  trainer<B> t(model(), what, opposed(), o);
  t.run();
  BOOST_TEST(validated_at(what) == (std::vector<index>{3, 6, 9, 12, 15, 18, 20}));
  BOOST_TEST(what.history.size() == 20U);
  BOOST_TEST(t.best_step() == 3);
  BOOST_TEST(largest_gap(logits_of(model(), prompt, &what), after[3]) == 0.0);
  BOOST_TEST(largest_gap(after[3], after[20]) > 1e-5);
}

BOOST_AUTO_TEST_CASE(without_validation_the_last_step_is_kept) {
  intervention<B> what = breaker();
  training_options o = options();
  o.validate_every = 0;
  std::vector<double> last;
  o.after_step = [&](index) { last = logits_of(model(), prompt, &what); };
  trainer<B> t(model(), what, opposed(), o);
  t.run();
  BOOST_TEST(validated_at(what).empty());
  BOOST_TEST(t.best_step() == -1);
  BOOST_TEST(largest_gap(logits_of(model(), prompt, &what), last) == 0.0);
}

BOOST_AUTO_TEST_CASE(patience_ends_a_training_that_gets_no_better) {
  for (index const patience : {1, 3}) {
    intervention<B> what = breaker();
    training_options o = options();
    o.patience = patience;
    trainer<B> t(model(), what, opposed(), o);
    t.run();
    BOOST_TEST(t.step_number() == 3 + 3 * patience);
    BOOST_TEST(t.best_step() == 3);
  }
  intervention<B> what = breaker();  // one that gets better has all its steps
  training_options o = options();
  o.patience = 1;
  trainer<B> t(model(), what, {.harm = {pair(7, 8)}, .validation = {pair(7, 8)}}, o);
  t.run();
  BOOST_TEST(t.step_number() == 20);
  BOOST_TEST(t.best_step() == 20);
}

BOOST_AUTO_TEST_CASE(validation_without_pairs_is_refused) {
  intervention<B> what = breaker();
  training_data data = opposed();
  training_options o = options();
  o.validate_every = 0;
  o.patience = 2;
  check_throws<usage_error>([&] { trainer<B>(model(), what, data, o); },
                            "train: patience > 0 needs validate_every > 0");
  data.validation.clear();
  check_throws<usage_error>([&] { trainer<B>(model(), what, data, options()); },
                            "train: validate_every > 0 needs validation pairs");
}

}  // namespace
}  // namespace lancet_test
