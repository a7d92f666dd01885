// SPDX-License-Identifier: Apache-2.0
// A static policy type in the architecture's place: the same bits as the run-time struct.
#define BOOST_TEST_MODULE model_static_architecture
#include <boost/test/unit_test.hpp>

#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "lancet/model/static_architecture.hpp"
#include "support/errors.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::eigen<double>;

/// llama_like() as constants: the branches of other families are not even compiled.
struct one_family : static_architecture {
  static constexpr char const* family = "llama";
  static constexpr index layers = 3, width = 12, heads = 4, kv_heads = 2, head_dim = 6, mlp_width = 10,
                         vocabulary = 23, context = 40;
  static constexpr double score_scale = 0.5;
  static inline rope_settings const rope{.dims = 4};
  static constexpr bool tied_unembedding = false;
};

struct results {
  tensor<B> logits, gradient, residual;
};

template <class Arch>
results run(Arch const& arch) {
  transformer<B, Arch> const model = tiny_model<B, Arch>(arch);
  batch<B> input;
  input.add(random_tokens(6, 23, 1));
  input.add(random_tokens(3, 23, 2));
  record<B, site::resid_mid> values;
  gradients<B, site::resid_pre> slopes;
  hook_table<B> hooks;
  hooks.add(values);
  hooks.add(slopes);
  workspace<B> ws;
  lancet::forward(model, input, hooks, ws, {}, pass_kind::record);
  lancet::logits(model, hooks, ws);
  tensor<B> g = random_tensor<B>(9, 12, 3);
  lancet::backward(model, hooks, ws, g);
  return {tensor<B>::clone(ws.readout.logits), tensor<B>::clone(slopes.get<site::resid_pre>(0)),
          tensor<B>::clone(values.get<site::resid_mid>(2))};
}

BOOST_AUTO_TEST_CASE(equals_the_run_time_struct) {
  results const dynamic = run(llama_like());
  results const fixed = run(one_family{});
  BOOST_TEST(same_bits<B>(fixed.logits.all(), dynamic.logits));
  BOOST_TEST(same_bits<B>(fixed.residual.all(), dynamic.residual));
  BOOST_TEST(same_bits<B>(fixed.gradient.all(), dynamic.gradient));
  BOOST_TEST(!same_bits<B>(dynamic.logits.all(), tensor<B>(9, 23)));
}

BOOST_AUTO_TEST_CASE(sizes_follow) {
  sizes<one_family> const n{one_family{}};
  BOOST_TEST(n.q == 24);
  BOOST_TEST(n.kv == 12);
  BOOST_TEST(n.qkv == 48);
  BOOST_TEST(n.mlp_in == 20);
  BOOST_TEST(rows_of(one_family{}, proj::v).first == 36);
  BOOST_TEST(rows_of(one_family{}, proj::up).first == 10);
  BOOST_TEST(rows_of(one_family{}, proj::up).count == 10);
}

BOOST_AUTO_TEST_CASE(contradictions_are_refused) {
  auto const refused = [](auto&& change, std::string_view sentence) {
    architecture a = llama_like();
    change(a);
    check_throws<usage_error>([&] { validate_architecture(a); }, sentence);
  };
  BOOST_CHECK_NO_THROW(validate_architecture(llama_like()));
  BOOST_CHECK_NO_THROW(validate_architecture(gpt2_like()));
  refused([](architecture& a) { a.layers = 0; }, "architecture.layers: got 0, expected at least 1");
  refused([](architecture& a) { a.width = -1; }, "architecture.width: got -1");
  refused([](architecture& a) { a.kv_heads = 3; },
          "architecture.kv_heads: got 3 for 4 heads, expected a divisor of heads");
  refused([](architecture& a) { a.kv_heads = 0; }, "architecture.kv_heads");
  refused([](architecture& a) { a.heads = 0; }, "architecture.kv_heads: got 2 for 0 heads");
  refused([](architecture& a) { a.head_dim = 0; }, "architecture.head_dim");
  refused([](architecture& a) { a.mlp_width = 0; }, "architecture.mlp_width");
  refused([](architecture& a) { a.vocabulary = 0; }, "architecture.vocabulary");
  refused([](architecture& a) { a.context = 0; }, "architecture.context");
  refused([](architecture& a) { a.score_scale = 0; }, "architecture.score_scale");
  refused([](architecture& a) { a.score_scale = std::nan(""); }, "architecture.score_scale");
  refused([](architecture& a) { a.rope.dims = 5; }, "architecture.rope.dims: got 5, expected even");
  refused([](architecture& a) { a.rope.dims = 8; }, "architecture.rope.dims");
  refused([](architecture& a) { a.rope.dims = 0; }, "architecture.rope.dims");
}

}  // namespace
}  // namespace lancet_test
