// SPDX-License-Identifier: Apache-2.0
// Gradients by stored weights against PyTorch: a low-rank part with A = I and B = 0 has ∂/∂W as B's gradient, and goes
// out by the names and the order of rows of the family's files.
#define BOOST_TEST_MODULE model_weight_gradients
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/io/low_rank_update.hpp"
#include "model/tiny_golden.hpp"
#include "support/interventions.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

/// objective = Σ over sequences of logits[last, k]; adds its gradient to the parts' tensors.
void backward_of_objective(transformer<B> const& model, golden_tensors const& golden, index length, index k,
                           intervention<B>& what) {
  batch<B> input;
  for (golden_sequence const& s : golden_sequences(golden.ints("ids"), {}, {}, length)) input.add(s.ids);
  std::vector<index> last;
  for (segment const& s : input.segments) last.push_back(s.row + s.rows - 1);
  hook_table<B> hooks;
  what.hook(hooks);
  workspace<B> ws;
  forward(model, input, hooks, ws, std::span<index const>(last), pass_kind::record);
  logits(model, hooks, ws);
  index const m = std::ssize(last);
  tensor<B> g_logits(m, ws.readout.logits.cols()), g_final(m, model.arch().width);
  for (index i = 0; i < m; ++i) g_logits.all()(i, k) = 1;
  backward_pass<B, architecture, hook_table<B>>(model, hooks, ws).logits(g_logits, g_final);
  backward(model, hooks, ws, g_final);
}

/// B·A in the file's layout.
std::vector<float> product(low_rank_update const& u, bool transposed) {
  std::vector<float> out(static_cast<std::size_t>(u.out * u.in));
  for (index i = 0; i < u.out; ++i)
    for (index j = 0; j < u.in; ++j) {
      double sum = 0;
      for (index r = 0; r < u.rank; ++r)
        sum += static_cast<double>(u.b[static_cast<std::size_t>(i * u.rank + r)]) *
               static_cast<double>(u.a[static_cast<std::size_t>(r * u.in + j)]);
      out[static_cast<std::size_t>(transposed ? j * u.out + i : i * u.in + j)] = static_cast<float>(sum);
    }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gradients_of_projections_are_those_of_pytorch) {
  if (skipped_without_shared("gradients of the small models")) return;
  index compared = 0;
  for (char const* const family : tiny_families) {
    if (std::string(family) == "bert") continue;  // adapters of encoders have no file format here
    std::string const folder = "goldens/tiny/" + std::string(family);
    golden_tensors const golden(folder + "/golden.safetensors");
    transformer<B> const model = load_model<B>(shared(folder));
    architecture const& a = model.arch();
    peer_names const peer = peer_names_of(a, naming::hugging_face);
    for (auto const& [name, stored] : stored_projections(peer, a)) {
      if (!golden.contains("gradw:" + name + ".weight")) continue;
      std::vector<part_description> parts;
      for (auto const& [which, rows] : stored.rows)
        parts.push_back({"low_rank", std::string(detail::proj_name(which)), stored.layer,
                         columns(0, stored.in), stored.in, 1});
      intervention<B> what = random_intervention(model, parts, 0);
      for (auto const& t : what.tensors())
        for (index i = 0; i < t.value->rows() && t.name.ends_with(".A"); ++i) t.value->all()(i, i) = 1;
      index const length = golden.floats("attn").shape[4];
      auto const k = static_cast<index>(read_json(shared(folder + "/golden.json")).at("k").get<int>());
      backward_of_objective(model, golden, length, k, what);
      std::vector<host_part> gradient = host_parts(what);
      for (std::size_t i = 0; i < gradient.size(); ++i)
        gradient[i].b = detail::host_floats<B>(what.parts()[i]->tensors().at(1).gradient->all());
      std::vector<low_rank_update> const updates = low_rank_updates(gradient, peer, a);
      BOOST_TEST_REQUIRE(updates.size() == 1U);
      golden_tensor const expected = golden.floats("gradw:" + name + ".weight");
      std::vector<float> const got = product(updates[0], peer.names.transposed);
      BOOST_TEST_REQUIRE(got.size() == expected.values.size());
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst =
            std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected.values[i])));
      BOOST_TEST(worst <= tolerance_of(expected), family << ": " << name << " differs by " << worst);
      ++compared;
    }
  }
  BOOST_TEST(compared == 12);
}

}  // namespace lancet_test
