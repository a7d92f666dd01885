// SPDX-License-Identifier: Apache-2.0
// apply: a function of the user's at a site, its gradient, and the same on a device.
#define BOOST_TEST_MODULE hooks_apply
#include "lancet/hooks/apply.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "lancet/backend/eigen.hpp"
#include "lancet/backend/emulated.hpp"
#include "lancet/hooks/hook_table.hpp"
#include "lancet/hooks/hooks.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;  // not that of <strings.h>

/// limit·tanh(x / limit).
struct soft_clip {
  double limit;
  double value(double x) const { return limit * std::tanh(x / limit); }
  double slope(double x) const { return 1 - std::pow(std::tanh(x / limit), 2); }
};

template <class B>
using clip_of = apply<B, site::mlp_post, soft_clip>;

template <class B>
batch<B> make_batch() {
  batch<B> input;
  input.add(random_tokens(5, 23, 1));
  input.add(random_tokens(3, 23, 2));
  return input;
}

/// What mlp_post of layer 1 is after the policies.
template <class B, class... P>
std::vector<double> seen(P&... policies) {
  transformer<B> const model = tiny_model<B>(llama_like());
  record<B, site::mlp_post> watch;
  auto all = hooks(policies..., watch);
  workspace<B> ws;
  lancet::forward(model, make_batch<B>(), all, ws);
  return numbers<B>(watch.template get<site::mlp_post>(1));
}

template <class B>
void check_values() {
  clip_of<B> clip({1, 1}, {0.05}), elsewhere({2, 2}, {0.05});
  std::vector<double> const before = seen<B>(), after = seen<B>(clip), other = seen<B>(elsewhere);
  BOOST_TEST(other == before);
  double moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    BOOST_TEST(std::abs(after[i] - soft_clip{0.05}.value(before[i])) < 1e-14);
    moved = std::max(moved, std::abs(after[i] - before[i]));
  }
  BOOST_TEST(moved > 0.01);
}

BOOST_AUTO_TEST_CASE(values_are_the_functions) {
  check_values<backend::eigen<double>>();
  check_values<backend::emulated<double>>();
}

/// Adds a parameter to every row of the MLP's input: its gradient passes the function.
template <class B>
struct shift {
  using edits = sites<site::mlp_norm>;
  tensor<B> value, gradient;  // [1, D]
  layer_span layers() const { return {1, 1}; }
  void on(site::mlp_norm, view<B> x, place const&) { ops::add_row_vector<B>(1, value, x); }
  void adjoint(site::mlp_norm, view<B> g, place const&) { ops::column_sum<B>(1, g, gradient.all()); }
};

BOOST_AUTO_TEST_CASE(gradients_pass_through_its_slope) {
  using B = backend::eigen<double>;
  transformer<B> const model = tiny_model<B>(llama_like());
  clip_of<B> clip({1, 1}, {0.05}), again({1, 1}, {0.04});
  shift<B> moved{random_tensor<B>(1, 12, 5, 0.2), tensor<B>(1, 12)};
  hook_table<B> table;
  table.add(moved);
  table.add(clip);
  table.add(again);
  workspace<B> ws;
  tensor<B> const weights = random_tensor<B>(8, 12, 9);
  auto const objective = [&](pass_kind kind) {
    lancet::forward(model, make_batch<B>(), table, ws, {}, kind);
    return weighted_sum<B>(weights, ws.readout.features());
  };
  static_cast<void>(objective(pass_kind::record));
  tensor<B> g = tensor<B>::clone(weights);
  lancet::backward(model, table, ws, g);
  check_gradient<B>(
      "shift", moved.value.all(), moved.gradient, [&] { return objective(pass_kind::forward); }, 1e-8);
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_fit) {
  using B = backend::eigen<double>;
  tensor<B> x(2, 3), y(3, 2);
  check_throws<usage_error>([&] { ops::transform<B>(x, y.all(), [](double a, double) { return a; }); },
                            "ops::transform: got [2, 3], expected [3, 2]");
}

}  // namespace
}  // namespace lancet_test
