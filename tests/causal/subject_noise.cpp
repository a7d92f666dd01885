// SPDX-License-Identifier: Apache-2.0
// Noise for subjects: its unit is the deviation of the embeddings, its numbers depend on seed and line alone.
#define BOOST_TEST_MODULE causal_subject_noise
#include "lancet/backend/reference.hpp"

#include "lancet/causal/subject_noise.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "support/errors.hpp"
#include "support/near.hpp"
#include "support/random_tensor.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = backend::reference<double>;

namespace {

contrast_pair about(index first, index last, index line) {
  contrast_pair p;
  p.clean = {3, 1, 4, 1, 5};
  p.subject = layer_span{first, last};
  p.line = line;
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(unit_is_the_deviation_of_all_entries) {
  architecture a = llama_like();
  a.vocabulary = 1500;  // more than are read at once
  transformer<B> const model = tiny_model<B>(a);
  tensor<B> table(a.vocabulary, a.width);
  std::vector<index> rows(static_cast<std::size_t>(a.vocabulary));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<index>(i);
  model.weights().embedding.gather(rows, table.all());
  double sum = 0, squares = 0;
  std::vector<double> const values = elements<B>(table.all());
  for (double const x : values) sum += x;
  double const mean = sum / static_cast<double>(values.size());
  for (double const x : values) squares += (x - mean) * (x - mean);
  near(embedding_deviation(model), std::sqrt(squares / static_cast<double>(values.size())), 1e-12);
}

BOOST_AUTO_TEST_CASE(numbers_depend_on_seed_and_line_alone) {
  architecture a = llama_like();
  a.width = 600;
  transformer<B> const model = tiny_model<B>(a);
  std::vector<contrast_pair> const pairs{about(1, 2, 7), about(0, 0, 9)}, other{about(0, 0, 9)};
  subject_noise const some = draw_subject_noise(model, std::span(pairs), 3, 11);
  BOOST_TEST(some.noise[0].size() == 2U * 600U);
  BOOST_TEST(some.noise[1].size() == 600U);
  BOOST_TEST((some.noise[1] == draw_subject_noise(model, std::span(other), 3, 11).noise[0]));
  BOOST_TEST((some.noise[1] != draw_subject_noise(model, std::span(other), 3, 12).noise[0]));
  BOOST_TEST((std::vector(some.noise[0].begin(), some.noise[0].begin() + 600) != some.noise[1]));
  double sum = 0, squares = 0;
  for (double const x : some.noise[0]) sum += x, squares += x * x;
  double const n = 1200, deviation = 3 * embedding_deviation(model);
  BOOST_TEST(std::abs(sum / n) < 4 * deviation / std::sqrt(n));  // four standard errors, and so below
  BOOST_TEST(std::abs(squares / n / (deviation * deviation) - 1) < 4 * std::sqrt(2 / n));
}

BOOST_AUTO_TEST_CASE(a_pair_without_a_subject_is_refused) {
  transformer<B> const model = tiny_model<B>(llama_like());
  std::vector<contrast_pair> pairs{about(0, 1, 4)};
  pairs[0].subject.reset();
  check_throws<usage_error>([&] { (void)draw_subject_noise(model, std::span(std::as_const(pairs)), 3, 0); },
                            "line 4 has no subject");
}

}  // namespace lancet_test
