// SPDX-License-Identifier: Apache-2.0
// The training loss' gradient against finite differences in double, with every term and every kind of part at
// once; early stopping; what is refused.
#define BOOST_TEST_MODULE intervene_train
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/intervene/train.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::eigen<double>;

training_data tiny_data() {
  training_data d;
  d.harm = {{{1, 2, 3, 4}, {1, 5, 3, 4}, {7}, {8}, {}, "", "", "", "", "", 1},
            {{2, 6, 9}, {2, 4, 9}, {8, 3}, {7}, {}, "", "", "", "", "", 2}};
  d.keep = {{{3, 2, 1}, {}, {5}, {6}, {}, "", "", "", "", "", 3}};
  d.text = {{1, 2, 3, 4, 5}, {9, 8, 7}};
  d.validation = d.harm;
  return d;
}

std::vector<part_description> every_kind() {
  return {{"low_rank", "q", 1, {0, 3, 4}, 2, 1.5},
          {"low_rank", "o", 1, {6, 7, 8, 9, 10, 11}, 2, 2.0},
          {"low_rank", "down", 2, {1, 5, 9}, 1, 1.0},
          {"low_rank", "up", 2, {0, 1, 2}, 1, 1.0},
          {"offset", "z", 1, {0, 1, 2}, 0, 1},
          {"offset", "resid_pre", 2, detail::column_run(0, 12), 0, 1}};
}

intervention<B> make(transformer<B> const& model) {
  intervention<B> out("test", {}, model.identity());
  for (part_description const& d : every_kind()) out.parts().push_back(make_part<B>(d, model.arch()));
  std::uint64_t seed = 40;
  for (auto const& t : out.tensors()) {
    tensor<B> const values = random_tensor<B>(t.value->rows(), t.value->cols(), seed++, 0.3);
    B::copy(values, t.value->all());
  }
  return out;
}

void check_gradient(objective what) {
  transformer<B> const model = tiny_model<B>(llama_like());
  intervention<B> made = make(model);
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
  (void)loss();
  std::vector<std::vector<double>> gradients;
  for (auto const& x : made.tensors())
    gradients.emplace_back(x.gradient->all().data,
                           x.gradient->all().data + x.gradient->rows() * x.gradient->cols());
  auto const tensors = made.tensors();
  for (std::size_t k = 0; k < tensors.size(); ++k)
    for (std::size_t i = 0; i < gradients[k].size(); i += 3) {
      double& x = tensors[k].value->all().data[i];
      double const kept = x, h = 1e-5;
      x = kept + h;
      double const above = loss();
      x = kept - h;
      double const below = loss();
      x = kept;
      double const numeric = (above - below) / (2 * h);
      BOOST_TEST(std::abs(numeric - gradients[k][i]) < 1e-6 * std::max(1.0, std::abs(numeric)),
                 tensors[k].name << " " << i << ": " << numeric << " " << gradients[k][i]);
    }
}

BOOST_AUTO_TEST_CASE(gradient_of_squared_gap) { check_gradient(squared_gap{}); }
BOOST_AUTO_TEST_CASE(gradient_of_counterfactual_gap) { check_gradient(counterfactual_gap{}); }
BOOST_AUTO_TEST_CASE(gradient_of_unlikelihood) { check_gradient(unlikelihood{}); }
BOOST_AUTO_TEST_CASE(gradient_of_hinge) { check_gradient(hinge_gap{-5}); }
BOOST_AUTO_TEST_CASE(gradient_of_the_literal_objective) { check_gradient(harm_log_likelihood{}); }

BOOST_AUTO_TEST_CASE(training_lowers_the_loss_and_keeps_the_best) {
  transformer<B> const model = tiny_model<B>(llama_like());
  circuit found;
  found.model = model.identity();
  found.units = {{unit_kind::head, 1, 0, -1}, {unit_kind::head, 2, 3, -1}, {unit_kind::neuron, 1, 4, -1}};
  training_options o{.objective = squared_gap{}};
  o.steps = 60;
  o.schedule.peak = 3e-2;
  o.validate_every = 5;
  intervention<B> const made = train(circuit_breaker{.rank = 2}, model, found, tiny_data(), o);
  BOOST_TEST(made.history.back().harm < 0.5 * made.history.front().harm);
  BOOST_TEST(made.parts().size() == 3u);
  for (auto const& p : made.parts()) BOOST_TEST(p->describe().layer >= 1);
}

BOOST_AUTO_TEST_CASE(merged_equals_hooked_for_every_kind) {
  transformer<B> model = tiny_model<B>(llama_like());
  intervention<B> made = make(model);
  hook_table<B> hooks, none;
  made.hook(hooks);
  workspace<B> ws;
  batch<B> input;
  input.add(std::vector<token>{1, 2, 3, 4});
  forward(model, input, hooks, ws);
  tensor<B> const hooked = tensor<B>::clone(ws.readout.norm.out);
  transformer<B> const merged = merge(std::move(model), made);
  forward(merged, input, none, ws);
  for (index i = 0; i < hooked.rows(); ++i)
    for (index j = 0; j < hooked.cols(); ++j)
      BOOST_TEST(std::abs(hooked.all()(i, j) - ws.readout.norm.out.all()(i, j)) < 1e-10);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
  transformer<B> const model = tiny_model<B>(llama_like());
  intervention<B> made = make(model);
  training_options o{.objective = squared_gap{}};
  BOOST_CHECK_THROW(trainer<B>(model, made, training_data{}, o), usage_error);
  o.keep_weight = 1;
  BOOST_CHECK_THROW(trainer<B>(model, made, training_data{.harm = tiny_data().harm}, o), usage_error);
  circuit other;
  other.model.sha256 = "of another model";
  other.units = {{unit_kind::head, 0, 0, -1}};
  BOOST_CHECK_THROW((void)make_intervention<B>(circuit_breaker{}, model.arch(), model.identity(), other, 0),
                    usage_error);
  other.model = model.identity();
  other.units.clear();
  BOOST_CHECK_THROW((void)make_intervention<B>(circuit_breaker{}, model.arch(), model.identity(), other, 0),
                    usage_error);
  BOOST_CHECK_THROW((void)make_part<B>({"low_rank", "nowhere", 0, {1}, 1, 1}, model.arch()), usage_error);
}

}  // namespace lancet_test
