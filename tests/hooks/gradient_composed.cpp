// SPDX-License-Identifier: Apache-2.0
// Many policies in one pass: every gradient against finite differences, and hooks(…) bit-equal to hook_table.
#define BOOST_TEST_MODULE hooks_gradient_composed
#include <boost/test/unit_test.hpp>

#include "hooks/adjoint_policies.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "support/finite_differences.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::eigen<double>;

/// Three ragged segments; the last continues a prefix.
batch<B> make_batch(architecture const& a) {
  auto cache = std::make_shared<kv_cache<B>>();
  cache->length = 3;
  index const kv = a.kv_heads * a.head_dim;
  for (index l = 0; l < a.layers; ++l)
    cache->layers.push_back({random_tensor<B>(3, kv, 80 + static_cast<std::uint64_t>(l)),
                             random_tensor<B>(3, kv, 90 + static_cast<std::uint64_t>(l))});
  batch<B> input;
  input.add(random_tokens(4, a.vocabulary, 1));
  input.add(random_tokens(2, a.vocabulary, 2));
  input.add(random_tokens(3, a.vocabulary, 3), cache, 3);
  return input;
}
constexpr index rows = 9, segment_0 = 0, segment_1 = 1, segment_2 = 2;

/// One of each kind of change that interventions make, on different layers and segments.
struct changes {
  architecture a;
  shifted_rows<B, site::embed> input{0, rows, a.width, 100};
  affine<B, site::attn_in> own_input{0, segment_0, a.width, 102};
  affine<B, site::attn_scale> scale{0, segment_2, 1, 104};
  adapter<B, proj::v> values{0, segment_1, a.width, a.kv_heads* a.head_dim, 106};
  affine<B, site::scores> score{0, segment_2, 6, 108};
  affine<B, site::z> gate{0, segment_1, a.head_dim, 110, a.head_dim};  // head 1
  affine<B, site::pattern> pattern{1, segment_0, 4, 112};
  frozen<B, site::attn_scale> frozen_scale{1};
  adapter<B, proj::o> out{1, segment_0, a.heads* a.head_dim, a.width, 114};
  replaced_row<B, site::resid_mid> row{1, 5, a.width, 116};
  adapter<B, proj::up> up{1, segment_2, a.width, a.mlp_width, 118};
  adapter<B, proj::down> down{1, segment_2, a.mlp_width, a.width, 120};
  affine<B, site::resid_post> offset{1, segment_0, a.width, 122};
  affine<B, site::resid_post> offset_after{1, -1, a.width, 132};  // of the same value, once changed
  affine<B, site::q_in> query_input{2, segment_0, 2 * a.width, 124, a.width};  // heads 1 and 2
  affine<B, site::head_out> write{2, segment_2, a.width, 126, a.width};        // head 1
  frozen<B, site::mlp_scale> frozen_mlp_scale{2};
  affine<B, site::final> last{a.layers, -1, a.width, 128};
  record<B, site::resid_mid> watch;
  gradients<B, site::resid_pre> slopes;

  explicit changes(architecture const& arch) : a(arch) {}

  /// f(name, parameter) for each parameter.
  template <class F>
  void each(F&& f) {
    f("input", input.by);
    f("attn_in factor", own_input.factor), f("attn_in shift", own_input.shift);
    f("attn_scale factor", scale.factor), f("attn_scale shift", scale.shift);
    f("linear<v> A", values.a), f("linear<v> B", values.b);
    f("scores factor", score.factor), f("scores shift", score.shift);
    f("z factor", gate.factor), f("z shift", gate.shift);
    f("pattern factor", pattern.factor), f("pattern shift", pattern.shift);
    f("linear<o> A", out.a), f("linear<o> B", out.b);
    f("resid_mid row", row.value);
    f("linear<up> A", up.a), f("linear<up> B", up.b);
    f("linear<down> A", down.a), f("linear<down> B", down.b);
    f("resid_post factor", offset.factor), f("resid_post shift", offset.shift);
    f("second resid_post factor", offset_after.factor), f("second resid_post shift", offset_after.shift);
    f("q_in factor", query_input.factor), f("q_in shift", query_input.shift);
    f("head_out factor", write.factor), f("head_out shift", write.shift);
    f("final factor", last.factor), f("final shift", last.shift);
  }
  /// All policies, as arguments of f.
  template <class F>
  auto with(F&& f) {
    return f(watch, input, own_input, scale, values, score, gate, pattern, frozen_scale, out, row, up, down,
             offset, offset_after, query_input, write, frozen_mlp_scale, last, slopes);
  }
};

/// The gated MLP's own projection, where there is one.
struct gated_changes : changes {
  adapter<B, proj::gate> gate_adapter{1, segment_1, a.width, a.mlp_width, 130};

  using changes::changes;
  template <class F>
  void each(F&& f) {
    changes::each(f);
    f("linear<gate> A", gate_adapter.a), f("linear<gate> B", gate_adapter.b);
  }
  template <class F>
  auto with(F&& f) {
    return changes::with([&](auto&... p) { return f(gate_adapter, p...); });
  }
};

/// Σ weights ∘ logits of the rows read, and on request its gradients.
template <class H>
double objective(transformer<B> const& model, batch<B> const& input, H& hooks, workspace<B>& ws,
                 bool differentiate) {
  std::vector<index> const read{8, 3, 0, 5, 4, 4};  // one row twice
  lancet::forward(model, input, hooks, ws, std::span<index const>(read),
                  differentiate ? pass_kind::record : pass_kind::forward);
  lancet::logits(model, hooks, ws);
  tensor<B> weights = random_tensor<B>(6, model.arch().vocabulary, 140);
  double const value = weighted_sum<B>(weights.all(), ws.readout.logits);
  if (differentiate) {
    tensor<B> g(6, model.arch().width);
    backward_pass<B, architecture, H>(model, hooks, ws).logits(weights, g);
    lancet::backward(model, hooks, ws, g);
  }
  return value;
}

template <class Changes>
void check(architecture const& a) {
  transformer<B> const model = tiny_model<B>(a);
  batch<B> const input = make_batch(a);
  workspace<B> ws;
  Changes fixed(a), erased(a);

  auto composed = fixed.with([](auto&... p) { return hooks(p...); });
  double const value = objective(model, input, composed, ws, true);
  fixed.each([&](char const* name, parameter<B>& p) {
    check_gradient<B>(
        a.family + ", " + name, p.value.all(), p.gradient,
        [&] { return objective(model, input, composed, ws, false); }, 1e-8);
  });

  BOOST_TEST(objective(model, input, composed, ws, false) ==
             value);  // and the recorder holds these values again

  hook_table<B> table;
  erased.with([&](auto&... p) { (table.add(p), ...); });
  workspace<B> other;
  BOOST_TEST(objective(model, input, table, other, true) == value);
  std::vector<parameter<B>*> mine;
  fixed.each([&](char const*, parameter<B>& p) { mine.push_back(&p); });
  std::size_t i = 0;
  erased.each([&](char const* name, parameter<B>& p) {
    BOOST_CHECK_MESSAGE(same_bits<B>(p.gradient.all(), mine[i]->gradient),
                        name << ": hooks(…) and hook_table differ");
    ++i;
  });
  for (index l = 0; l < a.layers; ++l) {
    BOOST_TEST(same_bits<B>(erased.slopes.template get<site::resid_pre>(l),
                            fixed.slopes.template get<site::resid_pre>(l)));
    BOOST_TEST(same_bits<B>(erased.watch.template get<site::resid_mid>(l),
                            fixed.watch.template get<site::resid_mid>(l)));
  }
}

BOOST_AUTO_TEST_CASE(llama) { check<gated_changes>(llama_like()); }
BOOST_AUTO_TEST_CASE(gpt2) { check<changes>(gpt2_like()); }

}  // namespace
}  // namespace lancet_test
