// SPDX-License-Identifier: Apache-2.0
// Losses of every token of three passages on SmolLM2 against PyTorch: 3e-4 a token, 1e-4 relative for
// perplexity.
#define BOOST_TEST_MODULE model_perplexity_golden
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/io/json_parse.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/score.hpp"
#include "support/golden_tensors.hpp"
#include "support/real_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

BOOST_AUTO_TEST_CASE(three_passages) {
  if (skipped_without_shared("perplexity")) return;
  std::string const path = real_model("perplexity");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  golden_tensors const golden("goldens/smollm2/eval/perplexity.safetensors");
  nlohmann::json const about = read_json(shared("goldens/smollm2/eval/perplexity.json"));
  std::vector<std::vector<token>> passages;
  for (int i = 0; i < 3; ++i) passages.push_back(golden.ints("ids." + std::to_string(i)));

  hook_table<B> none;
  workspace<B> ws;
  std::vector<std::vector<double>> const log_p =
      log_probabilities(model, none, std::span<std::vector<token> const>(passages), ws);
  for (std::size_t i = 0; i < passages.size(); ++i) {
    golden_tensor const expected = golden.floats("nll_full." + std::to_string(i));
    BOOST_REQUIRE_EQUAL(log_p[i].size(), expected.values.size());
    double worst = 0;
    for (std::size_t t = 0; t < log_p[i].size(); ++t)
      worst = std::max(worst, std::abs(-log_p[i][t] - static_cast<double>(expected.values[t])));
    BOOST_TEST(worst <= 3e-4, "passage " << i << ": largest difference " << worst);
  }
  double const expected = about["corpus_ppl_full"].get<double>();
  BOOST_TEST(std::abs(perplexity(log_p) - expected) <= 1e-4 * expected);
}

}  // namespace lancet_test
