// SPDX-License-Identifier: Apache-2.0
// An intervention of both kinds, folded into weights: parts that meet at one projection, in any order.
#define BOOST_TEST_MODULE intervene_merge
#include "lancet/backend/eigen.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "support/interventions.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

BOOST_AUTO_TEST_CASE(offsets_go_through_the_changed_projection) {
  for (architecture const& a : {llama_like(), gpt2_like()}) {
    std::vector<part_description> parts{{"offset", "z", 1, columns(a.head_dim, a.head_dim), 0, 1},
                                        {"low_rank", "o", 1, columns(0, 2 * a.head_dim), 2, 1.5},
                                        {"offset", "mlp_post", 2, columns(2, 5), 0, 1},
                                        {"low_rank", "down", 2, {1, 3, 7}, 2, 1}};
    for (int order = 0; order < 2; ++order, std::reverse(parts.begin(), parts.end())) {
      transformer<B> const model = tiny_model<B>(a);
      intervention<B> what = random_intervention(model, parts);
      what.set_strength(0.5);
      std::vector<double> const hooked = logits_of(model, prompt, &what),
                                merged = logits_of(merge(tiny_model<B>(a), what), prompt);
      BOOST_TEST(largest_gap(logits_of(model, prompt), hooked) > 0.1);
      BOOST_TEST(largest_gap(hooked, merged) < 2e-5, a.family << ", order " << order);  // float rounding
    }
  }
}

BOOST_AUTO_TEST_CASE(scaled_rows_come_after_what_was_added_before_them) {
  for (architecture const& a : {llama_like(), gpt2_like()}) {
    sizes<architecture> const n(a);
    index const f = a.mlp_width;
    std::vector<part_description> parts{
        {"low_rank", "q", 0, columns(0, a.width), 2, 1.5}, {"rescale", "q", 0, columns(0, n.q), 0, 1},
        {"rescale", "k", 0, columns(0, n.kv), 0, 1},       {"rescale", "v", 1, columns(0, n.kv), 0, 1},
        {"low_rank", "o", 1, columns(0, 4), 2, 1},         {"rescale", "o", 1, columns(0, a.width), 0, 1},
        {"rescale", "up", 1, columns(0, f), 0, 1},         {"low_rank", "down", 2, {1, 3, 7}, 2, 1},
        {"rescale", "down", 2, columns(0, a.width), 0, 1}};
    if (a.mlp == mlp_kind::gated) parts.push_back({"rescale", "gate", 1, columns(0, f), 0, 1});
    transformer<B> const model = tiny_model<B>(a);
    intervention<B> what = random_intervention(model, parts);
    what.set_strength(0.5);
    std::vector<double> const hooked = logits_of(model, prompt, &what),
                              merged = logits_of(merge(tiny_model<B>(a), what), prompt);
    BOOST_TEST(largest_gap(logits_of(model, prompt), hooked) > 0.1);
    BOOST_TEST(largest_gap(hooked, merged) < 2e-5, a.family);  // float rounding
  }
}

}  // namespace lancet_test
