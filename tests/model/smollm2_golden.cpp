// SPDX-License-Identifier: Apache-2.0
// SmolLM2-135M from its GGUF file against PyTorch: logits, log-probabilities, hidden states, attention
// patterns.
#define BOOST_TEST_MODULE model_smollm2_golden
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/io/json_parse.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/run.hpp"
#include "lancet/ops/softmax.hpp"
#include "support/golden_tensors.hpp"
#include "support/real_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;
using B = backend::eigen<float>;

/// ‖got − expected‖ / ‖expected‖ of one row.
double relative_distance(float const* got, std::span<float const> expected) {
  double top = 0, bottom = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double const d = static_cast<double>(got[i]) - static_cast<double>(expected[i]);
    top += d * d;
    bottom += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(top / bottom);
}

// All prompts run in one batch, with hooks on one of them.
BOOST_AUTO_TEST_CASE(six_prompts) {
  if (skipped_without_shared("SmolLM2's forward pass")) return;
  std::string const path = real_model("SmolLM2's forward pass");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  BOOST_REQUIRE(model.arch().layers == 30);
  BOOST_REQUIRE(model.arch().vocabulary == 49152);

  golden_tensors const golden("goldens/smollm2/forward/forward.safetensors");
  nlohmann::json const about = read_json(shared("goldens/smollm2/forward/forward.json"));
  batch<B> input;
  std::vector<std::string> names;
  std::vector<index> rows;  // every row
  for (auto const& p : about.at("prompts")) {
    names.push_back(p.at("name").get<std::string>());
    input.add(golden.ints(names.back() + ".ids"));
  }
  for (index i = 0; i < input.rows(); ++i) rows.push_back(i);

  hook_table<B> none;
  workspace<B> ws;
  lancet::forward(model, input, none, ws, std::span<index const>(rows));
  lancet::logits(model, none, ws);
  std::vector<double> lse(rows.size());
  ops::log_sum_exp<B>(ws.readout.logits, lse);

  for (std::size_t p = 0; p < names.size(); ++p) BOOST_TEST_CONTEXT("prompt " << names[p]) {
      segment const& s = input.segments[p];
      index const last = s.row + s.rows - 1;
      check_close<B>("logits", ws.readout.logits.all().row_range(last, 1),
                     golden.floats(names[p] + ".last_logits").values, 5e-4);
      auto const logits = ws.readout.logits.all().row(last);
      BOOST_TEST(std::max_element(logits, logits + model.arch().vocabulary) - logits ==
                 about.at("prompts")[p].at("greedy_next").get<index>());
      golden_tensor const next = golden.floats(names[p] + ".next_logprob");
      double worst = 0;
      for (index i = 0; i + 1 < s.rows; ++i) {
        token const id = input.tokens[static_cast<std::size_t>(s.row + i + 1)];
        double const log_p = static_cast<double>(ws.readout.logits.all()(s.row + i, id)) -
                             lse[static_cast<std::size_t>(s.row + i)];
        worst =
            std::max(worst, std::abs(log_p - static_cast<double>(next.values[static_cast<std::size_t>(i)])));
      }
      BOOST_TEST(worst <= 3e-4);
    }

  // The prompts with hidden states and patterns once more, with recorders; attention then runs in steps.
  batch<B> again;
  auto const add = [&](char const* key) {
    return static_cast<std::size_t>(again.add(golden.ints(about.at(key).get<std::string>() + ".ids")));
  };
  std::size_t const described = add("hidden_prompt"), attended = add("attn_prompt");
  segment const& hidden = again.segments[described];
  record<B, site::resid_pre, site::resid_post, site::pattern> values;
  hook_table<B> hooks;
  hooks.add(values);
  lancet::forward(model, again, hooks, ws);

  golden_tensor const embed = golden.floats("hidden.embed"), post = golden.floats("hidden.resid_post"),
                      final = golden.floats("hidden.final_norm");
  double worst_post = 0, worst_embed = 0, worst_final = 0;
  for (index i = 0; i < hidden.rows; ++i) {
    worst_embed = std::max(
        worst_embed, relative_distance(values.get<site::resid_pre>(0).row(hidden.row + i), embed.at(i)));
    worst_final =
        std::max(worst_final, relative_distance(ws.readout.norm.out.all().row(hidden.row + i), final.at(i)));
    for (index l = 0; l < 30; ++l)
      worst_post = std::max(
          worst_post, relative_distance(values.get<site::resid_post>(l).row(hidden.row + i), post.at(l, i)));
  }
  BOOST_TEST(worst_embed <= 5e-5);
  BOOST_TEST(worst_post <= 5e-5);
  BOOST_TEST(worst_final <= 5e-5);

  index const n = again.segments[attended].rows;
  std::vector<std::int32_t> const heads = golden.ints("attn.heads");
  golden_tensor const patterns = golden.floats("attn.patterns");
  for (std::size_t i = 0; i < heads.size() / 2; ++i)
    check_close<B>("pattern",
                   values.get<site::pattern>(heads[2 * i], static_cast<index>(attended))
                       .row_range(heads[2 * i + 1] * n, n),
                   patterns.at(i), 1e-4);
}

}  // namespace
}  // namespace lancet_test
