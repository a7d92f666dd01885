// SPDX-License-Identifier: Apache-2.0
// Every site changed at once, each with its own parameters: their gradients against finite differences.
#define BOOST_TEST_MODULE hooks_gradient_every_site
#include <boost/test/unit_test.hpp>
#include <tuple>

#include "hooks/adjoint_policies.hpp"
#include "hooks/spy.hpp"
#include "lancet/backend/reference.hpp"
#include "lancet/model/run.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::reference<double>;

constexpr index segment_rows[] = {3, 2, 2}, prefix_rows = 2, all_rows = 7;

batch<B> make_batch(architecture const& a) {
  auto cache = std::make_shared<kv_cache<B>>();
  cache->length = prefix_rows;
  index const kv = a.kv_heads * a.head_dim;
  for (index l = 0; l < a.layers; ++l)
    cache->layers.push_back({random_tensor<B>(prefix_rows, kv, 80), random_tensor<B>(prefix_rows, kv, 81)});
  batch<B> input;
  for (index s = 0; s < 3; ++s)
    input.add(random_tokens(segment_rows[s], a.vocabulary, 1 + static_cast<std::uint64_t>(s)),
              s == 2 ? cache : nullptr, s == 2 ? 2 : 0);
  return input;
}

/// The layer where a site is changed: what q_in, k_in and v_in replace in layer 0, they in layer 1, others
/// all over.
template <class S>
constexpr index layer_of() {
  if (S::id == site_id::final_scale || S::id == site_id::final || S::id == site_id::logits) return 3;
  if (S::id == site_id::embed || common_input_sites::contains<S>) return 0;
  if (split_sites::contains<S>) return 1;
  return static_cast<index>(S::id) % 3;
}

template <class S, bool Linear = is_linear_site<S>>
struct change : affine<B, S> {
  explicit change(architecture const& a)
      : affine<B, S>(layer_of<S>(), layer_of<S>() == 3 ? -1 : segment(), width(a),
                     100 + 2 * static_cast<std::uint64_t>(S::id)) {}

 private:
  static index segment() { return static_cast<index>(S::id) % 4 - 1; }  // −1: every one
  static index width(architecture const& a) {
    if (S::id != site_id::scores && S::id != site_id::pattern) return site_columns(a, S::id);
    index const s = segment();
    return s < 0 ? 2 : segment_rows[s] + (s == 2 ? prefix_rows : 0);  // at least two keys everywhere
  }
};
template <class S>
struct change<S, true> : adapter<B, S::projection> {
  explicit change(architecture const& arch)
      : adapter<B, S::projection>(layer_of<S>(), static_cast<index>(S::id) % 4 - 1,
                                  S::projection == proj::o      ? arch.heads * arch.head_dim
                                  : S::projection == proj::down ? arch.mlp_width
                                                                : arch.width,
                                  site_columns(arch, S::id), 100 + 2 * static_cast<std::uint64_t>(S::id)) {}
};

double objective(transformer<B> const& model, batch<B> const& input, hook_table<B>& hooks, workspace<B>& ws,
                 bool differentiate) {
  lancet::forward(model, input, hooks, ws, {}, differentiate ? pass_kind::record : pass_kind::forward);
  lancet::logits(model, hooks, ws);
  tensor<B> weights = random_tensor<B>(all_rows, model.arch().vocabulary, 140);
  double const value = weighted_sum<B>(weights.all(), ws.readout.logits);
  if (differentiate) {
    tensor<B> g(all_rows, model.arch().width);
    backward_pass<B, architecture, hook_table<B>>(model, hooks, ws).logits(weights, g);
    lancet::backward(model, hooks, ws, g);
  }
  return value;
}

template <class... S>
void check(architecture const& a, sites<S...>) {
  transformer<B> const model = tiny_model<B>(a);
  batch<B> const input = make_batch(a);
  std::tuple<change<S>...> changes{change<S>(a)...};
  hook_table<B> table;
  std::apply([&](auto&... c) { (table.add(c), ...); }, changes);
  workspace<B> ws;
  (void)objective(model, input, table, ws, true);
  auto const value = [&] { return objective(model, input, table, ws, false); };
  auto const check_one = [&]<class T>(T, change<T>& c) {
    std::string const where = a.family + ", " + std::string(name(T::id));
    if constexpr (is_linear_site<T>) {
      check_gradient<B>(where + " A", c.a.value.all(), c.a.gradient, value, 1e-8, 3);
      check_gradient<B>(where + " B", c.b.value.all(), c.b.gradient, value, 1e-8, 3);
    } else {
      check_gradient<B>(where + " factor", c.factor.value.all(), c.factor.gradient, value, 1e-8);
      check_gradient<B>(where + " shift", c.shift.value.all(), c.shift.gradient, value, 1e-8, 3);
    }
  };
  (check_one(S{}, std::get<change<S>>(changes)), ...);
}

BOOST_AUTO_TEST_CASE(llama) { check(llama_like(), all_sites{}); }
BOOST_AUTO_TEST_CASE(gpt2) { check(gpt2_like(), without<all_sites, gated_sites>{}); }

}  // namespace
}  // namespace lancet_test
