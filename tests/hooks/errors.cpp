// SPDX-License-Identifier: Apache-2.0
// What is refused, and how it is said: targets that do not exist, changes without an adjoint, passes out of
// order.
#define BOOST_TEST_MODULE hooks_errors
#include <boost/test/unit_test.hpp>

#include "hooks/spy.hpp"
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "support/errors.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::reference<double>;

/// Touches nothing at site S, in layers of one's choice.
template <class S>
struct toucher {
  using edits = sites<S>;
  layer_span where{0, 2};
  [[nodiscard]] layer_span layers() const { return where; }
  void on(S, view<B>, place const&) {}
};
/// The same at a linear site.
template <proj P>
struct adapter_without_adjoint {
  using edits = sites<site::linear<P>>;
  void on(site::linear<P>, const_view<B>, view<B>, place const&) {}
};
/// Changes nothing, and passes gradients on; counts what binds and finishes.
struct counting {
  using edits = sites<site::z>;
  using keeps = sites<site::z>;
  void bind(pass_shape const& s) {
    ++bound;
    shape = s;
  }
  void finish(pass_kind kind) { finished.push_back(kind); }
  void on(site::z, view<B>, place const&) { ++ran; }
  void adjoint(site::z, const_view<B> before, view<B> g, place const&) {
    BOOST_TEST(before.rows == g.rows);
    ++ran_back;
  }
  int bound = 0, ran = 0, ran_back = 0;
  pass_shape shape{};
  std::vector<pass_kind> finished;
};

batch<B> one_sequence() {
  batch<B> input;
  input.add(random_tokens(4, 23, 1));
  return input;
}

/// Forward under a table with one policy.
template <class P>
void run(architecture const& a, P& policy, pass_kind kind = pass_kind::forward) {
  transformer<B> const model = tiny_model<B>(a);
  hook_table<B> table;
  table.add(policy);
  workspace<B> ws;
  lancet::forward(model, one_sequence(), table, ws, {}, kind);
  if (kind != pass_kind::record) return;
  tensor<B> g = random_tensor<B>(4, a.width, 2);
  lancet::backward(model, table, ws, g);
}
/// The same under hooks(policy).
template <class P>
void run_static(architecture const& a, P& policy, pass_kind kind = pass_kind::forward) {
  transformer<B> const model = tiny_model<B>(a);
  workspace<B> ws;
  lancet::forward(model, one_sequence(), hooks(policy), ws, {}, kind);
  if (kind != pass_kind::record) return;
  tensor<B> g = random_tensor<B>(4, a.width, 2);
  lancet::backward(model, hooks(policy), ws, g);
}

template <class P>
void refused(architecture const& a, P policy, std::string_view sentence) {
  check_throws<usage_error>([&] { run(a, policy); }, sentence);
}

BOOST_AUTO_TEST_CASE(sites_that_the_architecture_lacks) {
  refused(gpt2_like(), toucher<site::mlp_up>{},
          "hooks: site mlp_up does not exist in gpt2: its MLP has no gate");
  refused(gpt2_like(), adapter_without_adjoint<proj::gate>{},
          "hooks: site linear_gate does not exist in gpt2: its MLP has no gate; the only input projection is "
          "linear<up>");
  toucher<site::mlp_up> up;
  check_throws<usage_error>([&] { run_static(gpt2_like(), up); }, "site mlp_up does not exist in gpt2");
  BOOST_CHECK_NO_THROW(run(llama_like(), up));
  adapter_without_adjoint<proj::up> only;
  BOOST_CHECK_NO_THROW(run(gpt2_like(), only));
}

BOOST_AUTO_TEST_CASE(layers_that_do_not_exist) {
  refused(llama_like(), toucher<site::z>{{0, 4}},
          "hook policy: got layers 0 to 4, expected layers between 0 and 3");
  refused(llama_like(), toucher<site::z>{{-1, 1}}, "hook policy: got layers -1 to 1");
  refused(llama_like(), toucher<site::z>{{2, 1}}, "hook policy: got layers 2 to 1");
  refused(llama_like(), toucher<site::z>{{99, 99}}, "hook policy: got layers 99 to 99");
  toucher<site::z> far{{7, 7}};
  check_throws<usage_error>([&] { run_static(llama_like(), far); }, "hook policy: got layers 7 to 7");
}

BOOST_AUTO_TEST_CASE(layers_in_which_a_site_never_fires) {
  refused(llama_like(), toucher<site::z>{{3, 3}},
          "hook policy at z: got layers 3 to 3, expected a layer in which it would fire (0 to 2; 0 for "
          "embed, 3 for "
          "final_scale, final and logits)");
  refused(llama_like(), toucher<site::embed>{{1, 2}}, "hook policy at embed: got layers 1 to 2");
  refused(llama_like(), toucher<site::final>{{0, 2}}, "hook policy at final: got layers 0 to 2");
  toucher<site::final> last{{3, 3}};
  BOOST_CHECK_NO_THROW(run(llama_like(), last));
  toucher<site::embed> first{{0, 0}};
  BOOST_CHECK_NO_THROW(run(llama_like(), first));
}

BOOST_AUTO_TEST_CASE(own_inputs_of_heads_replace_the_common_one) {
  transformer<B> const model = tiny_model<B>(llama_like());
  toucher<site::k_in> split{{1, 1}};
  toucher<site::attn_norm> norm{{0, 2}};
  hook_table<B> table;
  table.add(split);
  table.add(norm);
  workspace<B> ws;
  check_throws<usage_error>(
      [&] { lancet::forward(model, one_sequence(), table, ws); },
      "hooks: layer 1: site attn_norm cannot be hooked together with q_in, k_in or v_in, which replace it");
  norm.where = {2, 2};
  BOOST_CHECK_NO_THROW(lancet::forward(model, one_sequence(), table, ws));
}

BOOST_AUTO_TEST_CASE(a_change_without_an_adjoint_cannot_be_differentiated) {
  toucher<site::mlp_out> policy;
  BOOST_CHECK_NO_THROW(run(llama_like(), policy));
  std::string_view const sentence =
      "hooks: a policy edits site mlp_out but has no adjoint(site, gradient, place); a backward pass needs "
      "one";
  check_throws<usage_error>([&] { run(llama_like(), policy, pass_kind::record); }, sentence);
  check_throws<usage_error>([&] { run_static(llama_like(), policy, pass_kind::record); }, sentence);
  adapter_without_adjoint<proj::o> adapter;
  std::string_view const linear =
      "hooks: a policy edits site linear_o but has no adjoint(site, x, gx, gy, place)";
  check_throws<usage_error>([&] { run(llama_like(), adapter, pass_kind::record); }, linear);
  check_throws<usage_error>([&] { run_static(llama_like(), adapter, pass_kind::record); }, linear);
}

BOOST_AUTO_TEST_CASE(policies_are_bound_before_and_finished_after) {
  counting erased, fixed;
  run(llama_like(), erased, pass_kind::record);
  run_static(llama_like(), fixed, pass_kind::record);
  for (counting const& c : {erased, fixed}) {
    BOOST_TEST(c.bound == 1);
    BOOST_TEST(c.ran == 3);
    BOOST_TEST(c.ran_back == 3);  // in every layer: a hooks() of its own serves the backward pass
    BOOST_TEST((c.finished == std::vector{pass_kind::record, pass_kind::backward}));
    BOOST_TEST(c.shape.layers == 3);
    BOOST_TEST(c.shape.heads == 4);
    BOOST_TEST(c.shape.kv_heads == 2);
    BOOST_TEST(c.shape.head_dim == 6);
    BOOST_TEST(c.shape.width == 12);
    BOOST_TEST(c.shape.mlp_width == 10);
    BOOST_TEST(c.shape.vocabulary == 23);
    BOOST_TEST(c.shape.gated);
  }
}

struct refuses {
  void bind(pass_shape const&) { throw usage_error("refuses: head 12 of 4"); }
  static void on(site::q, view<B>, place const&) { BOOST_ERROR("ran"); }
  layer_span layers() const { return {0, 2}; }
  using edits = sites<site::q>;
};

BOOST_AUTO_TEST_CASE(what_bind_throws_stops_the_pass) {
  refuses policy;
  check_throws<usage_error>([&] { run(llama_like(), policy); }, "refuses: head 12 of 4");
  check_throws<usage_error>([&] { run_static(llama_like(), policy); }, "refuses: head 12 of 4");
}

/// Lists much, acts at pattern in layer 1 alone.
struct choosy {
  using reads = sites<site::pattern, site::head_out, site::mlp_up>;
  [[nodiscard]] bool acts_at(site_id site, index layer) const {
    return site == site_id::pattern && layer == 1;
  }
  template <class S>
  requires(reads::contains<S>) void on(S, const_view<B>, place const& at) {
    fired.push_back({S::id, at.layer, at.segment, 0, 0});
  }
  std::vector<firing> fired;
};

BOOST_AUTO_TEST_CASE(wants_says_what_is_made) {
  toucher<site::pattern> middle{{1, 1}};
  gradients<B, site::head_out> slopes({0, 1});
  hook_table<B> table;
  BOOST_TEST(!table.wants<site::pattern>(1));
  table.add(middle);
  table.add(slopes);
  auto const fixed = hooks(middle, slopes);
  for (index l = 0; l < 3; ++l) {
    BOOST_TEST(table.wants<site::pattern>(l) == (l == 1));
    BOOST_TEST(table.wants<site::head_out>(l) == (l <= 1));
    BOOST_TEST(!table.wants<site::scores>(l));
    BOOST_TEST(fixed.wants<site::pattern>(l) == (l == 1));
    BOOST_TEST(fixed.wants<site::head_out>(l) == (l <= 1));
    BOOST_TEST(!fixed.wants<site::scores>(l));
  }
  static_assert(decltype(fixed)::lists<site::pattern> && !decltype(fixed)::lists<site::head_out>);
  static_assert(decltype(fixed)::lists_backward<site::head_out> && !decltype(fixed)::lists_backward<site::z>);
  static_assert(!hook_set<>::lists<site::z> && !hook_set<>::lists_backward<site::z>);

  choosy erased, composed;
  run(gpt2_like(), erased);
  run_static(gpt2_like(), composed);
  BOOST_TEST(erased.fired.size() == 1U);
  BOOST_TEST((erased.fired == composed.fired));
  BOOST_TEST((erased.fired.at(0) == firing{site_id::pattern, 1, 0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(backward_needs_a_pass_that_kept_its_values) {
  transformer<B> const model = tiny_model<B>(llama_like());
  gradients<B, site::z> slopes;
  hook_table<B> table;
  table.add(slopes);
  workspace<B> ws;
  tensor<B> g(4, 12);
  std::string_view const sentence = "backward: got a workspace of a forward pass that kept nothing";
  check_throws<usage_error>([&] { lancet::backward(model, table, ws, g); }, sentence);
  lancet::forward(model, one_sequence(), table, ws);
  check_throws<usage_error>([&] { lancet::backward(model, table, ws, g); }, sentence);
  lancet::forward(model, one_sequence(), table, ws, {}, pass_kind::record);
  tensor<B> wrong(3, 12);
  check_throws<usage_error>([&] { lancet::backward(model, table, ws, wrong); },
                            "ops::backward (g_final): got [3, 12], expected [4, 12]");
  BOOST_CHECK_NO_THROW(lancet::backward(model, table, ws, g));
}

// The pass stops at the lowest layer that a gradient has to reach.
BOOST_AUTO_TEST_CASE(backward_stops_where_nobody_listens) {
  transformer<B> const model = tiny_model<B>(llama_like());
  gradients<B, site::resid_pre> top({2, 2}), all;
  auto const lowest = [&](gradients<B, site::resid_pre>& policy) {
    hook_table<B> table;
    table.add(policy);
    workspace<B> ws;
    lancet::forward(model, one_sequence(), table, ws, {}, pass_kind::record);
    tensor<B> g = random_tensor<B>(4, 12, 2);
    lancet::backward(model, table, ws, g);
    return ws.first_kept;
  };
  BOOST_TEST(lowest(top) == 2);
  BOOST_TEST(lowest(all) == 0);
  BOOST_TEST(same_bits<B>(top.get<site::resid_pre>(2), all.get<site::resid_pre>(2)));
  check_throws<usage_error>([&] { (void)top.get<site::resid_pre>(1); }, "was not recorded");
}

BOOST_AUTO_TEST_CASE(batches_that_do_not_fit_the_model) {
  transformer<B> const model = tiny_model<B>(llama_like());
  hook_table<B> none;
  workspace<B> ws;
  auto const refuse = [&](batch<B> const& input, std::string_view sentence,
                          std::vector<index> const& rows = {0}) {
    check_throws<usage_error>([&] { lancet::forward(model, input, none, ws, std::span<index const>(rows)); },
                              sentence);
  };
  batch<B> input;
  check_throws<usage_error>([&] { input.add(std::vector<token>{}); },
                            "batch.add: got an empty run of tokens");
  input.add(std::vector<token>{3, 23});
  refuse(input, "forward: got token id 23, expected an id below the vocabulary's size 23");
  input.tokens[1] = -1;
  refuse(input, "forward: got token id -1");
  input.tokens[1] = 4;
  refuse(input, "forward: got row 2 to read, expected a row below the batch's 2", {0, 2});
  refuse(input, "forward: got row -1 to read", {-1});
  input.tokens.push_back(5);
  refuse(input, "forward: got 3 tokens, expected one for each of 2 rows");
  batch<B> longer;
  longer.add(random_tokens(41, 23, 1));
  refuse(longer, "forward: got a sequence of 41 tokens, expected at most the model's context of 40");
  batch<B> gap = one_sequence();
  gap.segments[0].row = 1;
  refuse(gap, "forward: got a segment of rows [1, 5)");

  auto cache = std::make_shared<kv_cache<B>>();
  cache->length = 2;
  for (index l = 0; l < 3; ++l) cache->layers.push_back({tensor<B>(2, 12), tensor<B>(2, l == 2 ? 11 : 12)});
  batch<B> behind;
  check_throws<usage_error>([&] { behind.add(std::vector<token>{1}, cache, 3); },
                            "batch.add: got a prefix of 3 positions, expected at most the cached 2");
  behind.add(std::vector<token>{1}, cache, 2);
  refuse(behind, "forward: got a prefix of another model, expected keys and values [2, 12] of 3 layers");
  cache->layers.pop_back();
  refuse(behind, "forward: got a prefix of another model");
  cache->layers.push_back({tensor<B>(2, 12), tensor<B>(2, 12)});
  BOOST_CHECK_NO_THROW(lancet::forward(model, behind, none, ws));
  behind.segments[0].first_position = 3;
  refuse(behind, "forward: got a segment after 3 positions of a prefix, expected at most the cached 2");
}

}  // namespace
}  // namespace lancet_test
