// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of texts against one pass a text and a log-softmax in double; where rotation depends on the
// length it is that of the whole text.
#define BOOST_TEST_MODULE model_score
#include "lancet/backend/reference.hpp"

#include "lancet/model/score.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "lancet/hooks/hooks.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::reference<double>;

BOOST_AUTO_TEST_CASE(texts_are_scored_as_they_are_run_whole) {
  architecture dynamic = llama_like();
  dynamic.rope.scaling = rope_scaling::dynamic;
  dynamic.rope.factor = 4;
  dynamic.rope.original = 5;
  architecture factors = llama_like();
  factors.rope.scaling = rope_scaling::factors;
  factors.rope.original = 7;
  factors.rope.divisors = {1, 1};
  factors.rope.long_divisors = {3, 2};
  std::vector<std::vector<token>> const texts{
      {1}, {1, 2}, {4, 3, 2, 1, 5}, {1, 2, 3, 4, 5, 6, 7, 8}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 2}};
  for (architecture const& a : {llama_like(), gpt2_like(), dynamic, factors}) {
    transformer<B> const model = tiny_model<B>(a);
    auto none = hooks();
    workspace<B> ws;
    auto const got = log_probabilities(model, none, std::span<std::vector<token> const>(texts), ws);
    for (std::size_t s = 0; s < texts.size(); ++s) {
      batch<B> input;
      input.add(texts[s]);
      forward(model, input, none, ws);
      logits(model, none, ws);
      for (std::size_t i = 0; i + 1 < texts[s].size(); ++i) {
        double sum = 0;
        auto const row = static_cast<index>(i);
        for (index j = 0; j < a.vocabulary; ++j) sum += std::exp(ws.readout.logits.all()(row, j));
        double const expected = ws.readout.logits.all()(row, texts[s][i + 1]) - std::log(sum);
        BOOST_TEST(std::abs(got[s][i] - expected) < 1e-12, a.family << ", text " << s << ", token " << i);
      }
    }
  }
}

}  // namespace lancet_test
