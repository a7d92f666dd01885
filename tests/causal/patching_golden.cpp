// SPDX-License-Identifier: Apache-2.0
// Exact effects, ablations, attribution and noise tracing on SmolLM2 against PyTorch, within the tolerances
// of the reference values: 2e-4 for exact effects, 1e-4 + 1e-4 relative for attribution.
#define BOOST_TEST_MODULE causal_patching_golden
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <set>

#include "lancet/causal/attribution_patching.hpp"
#include "lancet/causal/subject_noise.hpp"
#include "lancet/io/load_model.hpp"
#include "support/near.hpp"
#include "support/real_model.hpp"
#include "support/shared.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

struct golden {
  safetensors_file file;
  nlohmann::json about;
  std::vector<contrast_pair> pairs{1};
  std::vector<float> clean, corrupted;

  explicit golden(std::string const& name)
      : file(safetensors_file::open(shared("goldens/smollm2/patching/" + name + ".safetensors"))),
        about(read_json(shared("goldens/smollm2/patching/" + name + ".json"))),
        clean(values("base_clean")),
        corrupted(values("base_corrupt")) {
    pairs[0].clean = about["ids_clean"].get<std::vector<token>>();
    pairs[0].corrupted = about["ids_corrupt"].get<std::vector<token>>();
    pairs[0].answer = {about["answer_id"].get<token>()};
    pairs[0].contrast = {about["answer_corrupt_id"].get<token>()};
  }
  [[nodiscard]] std::vector<float> values(std::string const& key) const {
    return read_floats(file.tensors().at(key));
  }
  [[nodiscard]] std::vector<std::int32_t> whole_numbers(std::string const& key) const {
    return read_values<std::int32_t>(file.tensors().at(key), file.path());
  }
};

void check(golden const& g, effect_table const& t, std::string const& key, double base, std::size_t which,
           double absolute, double relative, double sign = 1) {
  std::vector<float> const expected = g.values(key);
  BOOST_REQUIRE(2 * t.units.size() == expected.size());
  double worst = 0;
  for (std::size_t u = 0; u < t.units.size(); ++u) {
    double const e = sign * (static_cast<double>(expected[2 * u + which]) - base);
    worst = std::max(worst, std::abs(t.effects[u][0] - e) - relative * std::abs(e));
  }
  BOOST_TEST(worst <= absolute, key << ": largest difference " << worst);
}

/// All 46,080 neurons by attribution: the 200 largest and the sum of every layer. Near-equal scores may swap
/// places, so scores are compared neuron by neuron, and no neuron outside the list may exceed its least
/// score.
void check_neurons(golden const& g, effect_table const& t) {
  std::vector<std::int32_t> const top = g.whole_numbers("neuron_top_index_grad_corrupt");
  std::vector<float> const scores = g.values("neuron_top_score_grad_corrupt"),
                           sums = g.values("neuron_layer_sum_grad_corrupt");
  index const width = std::ssize(t.units) / t.layers;
  std::set<std::size_t> listed;
  double worst = 0, least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    auto const u = static_cast<std::size_t>(top[2 * i] * width + top[2 * i + 1]);
    double const e = static_cast<double>(scores[i]);
    BOOST_REQUIRE((t.units[u] == unit{unit_kind::neuron, top[2 * i], top[2 * i + 1], -1}));
    worst = std::max(worst, std::abs(t.effects[u][0] - e) - 1e-4 * std::abs(e));
    least = std::min(least, std::abs(e));
    listed.insert(u);
  }
  BOOST_TEST(worst <= 1e-4, "neurons: largest difference " << worst);
  std::vector<double> by_layer(static_cast<std::size_t>(t.layers), 0.0);
  for (std::size_t u = 0; u < t.units.size(); ++u) {
    by_layer[static_cast<std::size_t>(t.units[u].layer)] += t.effects[u][0];
    if (!listed.contains(u)) BOOST_REQUIRE(std::abs(t.effects[u][0]) <= least + 1e-4);
  }
  for (std::size_t l = 0; l < sums.size(); ++l)
    BOOST_TEST(std::abs(by_layer[l] - static_cast<double>(sums[l])) <=
               1e-4 + 1e-4 * std::abs(static_cast<double>(sums[l])));
}

void check_exact_neurons(transformer<B> const& model, golden const& g) {
  std::vector<std::int32_t> const at = g.whole_numbers("neuron_exact_index");
  std::vector<unit> units;
  for (std::size_t i = 0; i < at.size(); i += 2) units.push_back({unit_kind::neuron, at[i], at[i + 1], -1});
  auto const exact = [&](direction d) {
    return activation_patching(model, std::span<contrast_pair const>(g.pairs),
                               {.metric = log_odds{},
                                .change = resample{},
                                .direction = d,
                                .unit = unit_kind::neuron,
                                .units = units});
  };
  check(g, exact(denoise), "neuron_exact_denoise", g.corrupted[0], 0, 2e-4, 0);
  check(g, exact(noise), "neuron_exact_noise", g.clean[0], 0, 2e-4, 0);
}

BOOST_AUTO_TEST_CASE(patching) {
  if (skipped_without_shared("patching")) return;
  std::string const path = real_model("patching");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  for (std::string const name : {"nurse_mechanic", "secretary_farmer", "librarian_soldier", "france_italy"}) {
    golden const g(name);
    std::span<contrast_pair const> const pairs = g.pairs;
    auto const exact = [&](metric m, do_operator change, direction d, unit_kind kind, positions at) {
      return activation_patching(
          model, pairs, {.metric = m, .change = std::move(change), .direction = d, .unit = kind, .at = at});
    };
    auto const all = positions::all, each = positions::each;
    check(g, exact(log_odds{}, resample{}, denoise, unit_kind::head, all), "head_denoise", g.corrupted[0], 0,
          2e-4, 0);
    check(g, exact(log_likelihood{}, resample{}, noise, unit_kind::head, all), "head_noise", g.clean[1], 1,
          2e-4, 0);
    check(g, exact(log_odds{}, zero{}, noise, unit_kind::head, all), "head_zero", g.clean[0], 0, 2e-4, 0);
    check(g, exact(log_odds{}, resample{}, denoise, unit_kind::resid, each), "resid_pre_denoise",
          g.corrupted[0], 0, 2e-4, 0);
    check(g, exact(log_odds{}, resample{}, noise, unit_kind::attn, each), "attn_out_noise", g.clean[0], 0,
          2e-4, 0);
    check(g, exact(log_odds{}, resample{}, denoise, unit_kind::mlp, each), "mlp_out_denoise", g.corrupted[0],
          0, 2e-4, 0);
    auto const estimate = [&](metric m, direction d, unit_kind kind, positions at, index steps) {
      return attribution_patching(
          model, pairs,
          attribution_options{.metric = m, .direction = d, .unit = kind, .at = at, .steps = steps});
    };
    check(g, estimate(log_odds{}, denoise, unit_kind::head, all, 0), "attr_head_grad_corrupt", 0, 0, 1e-4,
          1e-4);
    check(g, estimate(log_likelihood{}, denoise, unit_kind::head, all, 5), "attr_head_ig5", 0, 1, 1e-4, 1e-4);
    check(g, estimate(log_odds{}, noise, unit_kind::resid, each, 0), "attr_resid_pre_grad_clean", 0, 0, 1e-4,
          1e-4, -1);
    check(g, estimate(log_odds{}, denoise, unit_kind::attn, each, 5), "attr_attn_out_ig5", 0, 0, 1e-4, 1e-4);
    check(g, estimate(log_likelihood{}, noise, unit_kind::mlp, each, 0), "attr_mlp_out_grad_clean", 0, 1,
          1e-4, 1e-4, -1);
    mean const over{read_json(shared("goldens/smollm2/patching/mean_z.json"))["ids"]
                        .get<std::vector<std::vector<token>>>()};
    // Head 0.2 of librarian_soldier is ill-conditioned in float: in double it lies 7e-5 from the reference
    // (every other cell 1e-5), and the last bit of the mean moves it by 1e-4.
    check(g, exact(log_odds{}, over, noise, unit_kind::head, all), "head_mean", g.clean[0], 0,
          name == "librarian_soldier" ? 4e-4 : 2e-4, 0);
    check_neurons(g, estimate(log_odds{}, denoise, unit_kind::neuron, all, 0));
    check_exact_neurons(model, g);
  }
}

BOOST_AUTO_TEST_CASE(noise_tracing) {
  if (skipped_without_shared("noise tracing")) return;
  std::string const path = real_model("noise tracing");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  golden g("france_italy");
  std::vector<float> const noise_values = g.values("trace_noise");
  std::vector<index> const where = g.about["subject_positions"].get<std::vector<index>>();
  g.pairs[0].subject = layer_span{where.front(), where.back()};
  subject_noise const change{{std::vector<double>(noise_values.begin(), noise_values.end())}};
  near(embedding_deviation(model), g.about["embedding_std"].get<double>(), 1e-6, "embedding_std");
  double const base = static_cast<double>(g.values("trace_base_noised")[0]);
  for (index const window : {index{1}, index{10}}) {
    std::string const suffix = "_w" + std::to_string(window);
    for (auto const& [kind, key] :
         {std::pair{unit_kind::attn, "trace_attn"}, {unit_kind::mlp, "trace_mlp"}}) {
      effect_table const t = activation_patching(model, std::span<contrast_pair const>(g.pairs),
                                                 {.metric = log_odds{},
                                                  .change = change,
                                                  .direction = denoise,
                                                  .unit = kind,
                                                  .at = positions::each,
                                                  .window = window});
      check(g, t, key + suffix, base, 0, 2e-4, 0);
    }
  }
}

}  // namespace lancet_test
