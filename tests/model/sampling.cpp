// SPDX-License-Identifier: Apache-2.0
// Sampling: distributions worked out by hand, ties, refusals, and frequencies of many draws.
#define BOOST_TEST_MODULE model_sampling
#include "lancet/model/sampling.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "lancet/core/random.hpp"
#include "support/errors.hpp"
#include "support/near.hpp"

using lancet::candidate;
using lancet::sampling;
using lancet::token;
using lancet::usage_error;
using lancet_test::check_throws;
using lancet_test::near;

namespace {

constexpr float none = -std::numeric_limits<float>::infinity();

std::vector<float> logs(std::vector<double> const& probabilities) {
  std::vector<float> out;
  for (double const p : probabilities) out.push_back(p > 0 ? static_cast<float>(std::log(p)) : none);
  return out;
}

std::vector<candidate> left(std::vector<double> const& probabilities, sampling const& how) {
  return lancet::candidates(std::span<float const>(logs(probabilities)), how);
}

void check(std::vector<candidate> const& got, std::vector<candidate> const& expected) {
  BOOST_REQUIRE_EQUAL(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST(got[i].id == expected[i].id);
    near(got[i].probability, expected[i].probability, 1e-6);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(greedy_takes_the_first_of_the_largest) {
  check(left({0.1, 0.4, 0.1, 0.4}, {}), {{1, 1}});
  check(left({0, 0, 1}, {}), {{2, 1}});
  check(left({0.1, 0.4, 0.1, 0.4}, {.temperature = 0, .top_k = 2, .top_p = 0.1}), {{1, 1}});
}

BOOST_AUTO_TEST_CASE(temperature_is_a_power) {
  check(left({0.1, 0.2, 0.7}, {.temperature = 1}), {{0, 0.1}, {1, 0.2}, {2, 0.7}});
  check(left({0.1, 0.2, 0.7}, {.temperature = 0.5}), {{0, 0.01 / 0.54}, {1, 0.04 / 0.54}, {2, 0.49 / 0.54}});
  check(left({0.25, 0.5, 0.25}, {.temperature = 1e-300}), {{1, 1}});     // no division by zero, no NaN
  check(left({0, 0.5, 0.5}, {.temperature = 1}), {{1, 0.5}, {2, 0.5}});  // what is ruled out stays so
}

BOOST_AUTO_TEST_CASE(top_k_keeps_the_most_likely) {
  check(left({0.1, 0.4, 0.2, 0.3}, {.temperature = 1, .top_k = 2}), {{1, 0.4 / 0.7}, {3, 0.3 / 0.7}});
  check(left({0.25, 0.25, 0.25, 0.25}, {.temperature = 1, .top_k = 3}),
        {{0, 1.0 / 3}, {1, 1.0 / 3}, {2, 1.0 / 3}});
  check(left({0.1, 0.4, 0.5}, {.temperature = 1, .top_k = 7}), {{0, 0.1}, {1, 0.4}, {2, 0.5}});
}

BOOST_AUTO_TEST_CASE(top_p_keeps_the_smallest_set_that_reaches_the_share) {
  check(left({0.1, 0.45, 0.2, 0.25}, {.temperature = 1, .top_p = 0.4}), {{1, 1}});
  check(left({0.1, 0.45, 0.2, 0.25}, {.temperature = 1, .top_p = 0.5}), {{1, 0.45 / 0.7}, {3, 0.25 / 0.7}});
  check(left({0.1, 0.45, 0.2, 0.25}, {.temperature = 1, .top_p = 0.95}),
        {{0, 0.1}, {1, 0.45}, {2, 0.2}, {3, 0.25}});
  check(left({0.25, 0.25, 0.25, 0.25}, {.temperature = 1, .top_p = 0.4}), {{0, 0.5}, {1, 0.5}});
  // After top-k: 0.4 is 0.57 of what is left, so top_p = 0.5 leaves it alone.
  check(left({0.1, 0.4, 0.2, 0.3}, {.temperature = 1, .top_k = 2, .top_p = 0.5}), {{1, 1}});
  // After the temperature: of 0.01, 0.04, 0.49 the last has a share of 0.91.
  check(left({0.1, 0.2, 0.7}, {.temperature = 0.5, .top_p = 0.9}), {{2, 1}});
  check(left({0.1, 0.2, 0.7}, {.temperature = 1, .top_p = 1e-300}), {{2, 1}});
}

BOOST_AUTO_TEST_CASE(draw_inverts_the_summed_probabilities) {
  std::vector<candidate> const from{{3, 0.25}, {5, 0.0}, {8, 0.5}, {9, 0.25}};
  std::pair<double, token> const expected[] = {{0, 3},    {0.2499, 3}, {0.25, 8}, {0.7499, 8},
                                               {0.75, 9}, {0.9999, 9}, {1.5, 9}};
  for (auto const& [uniform, id] : expected) BOOST_TEST(lancet::draw(from, uniform) == id);
}

BOOST_AUTO_TEST_CASE(log_probability_is_the_models_own) {
  std::vector<float> const logits{1000.5F, 999.0F, none};
  std::span<float const> const all(logits);
  double const normaliser = 1000.5 + std::log1p(std::exp(-1.5));
  near(lancet::log_probability(all, 0), 1000.5 - normaliser, 1e-12);
  near(lancet::log_probability(all, 1), 999.0 - normaliser, 1e-12);
  BOOST_TEST(lancet::log_probability(all, 2) == -std::numeric_limits<double>::infinity());
  // Not that of the changed distribution it was drawn from.
  lancet::choice const chosen = lancet::choose(all, {.temperature = 100, .top_k = 2}, 0.9);
  BOOST_TEST(chosen.id == 1);
  near(chosen.log_prob, 999.0 - normaliser, 1e-12);
}

BOOST_AUTO_TEST_CASE(frequencies_of_draws) {
  std::vector<double> const p{0.05, 0.3, 0.15, 0.4, 0.1};
  std::vector<float> const logits = logs(p);
  lancet::philox_stream const rng(7, "test");
  std::map<token, int> counts;
  constexpr int n = 20000;
  for (int i = 0; i < n; ++i)
    ++counts[lancet::choose(std::span<float const>(logits), {.temperature = 1},
                            rng.uniform(static_cast<std::uint64_t>(i)))
                 .id];
  double chi_squared = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    double const expected = n * p[i];
    double const difference = counts[static_cast<token>(i)] - expected;
    chi_squared += difference * difference / expected;
  }
  BOOST_TEST(chi_squared < 18.47);  // 0.999 quantile of four degrees of freedom
}

BOOST_AUTO_TEST_CASE(refusals) {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  check_throws<usage_error>([] { (void)left({0.5, 0.5}, {.temperature = -1}); }, "got temperature -1");
  check_throws<usage_error>(
      [&] {
        (void)left({0.5, 0.5}, {.temperature = nan});
      },
      "expected a finite number");
  check_throws<usage_error>([] { (void)left({0.5, 0.5}, {.top_k = -1}); }, "got top_k -1, expected 0");
  check_throws<usage_error>(
      [] {
        (void)left({0.5, 0.5}, {.top_p = 0});
      },
      "expected a number above 0, up to 1");
  check_throws<usage_error>([] { (void)left({0.5, 0.5}, {.top_p = 1.01}); }, "got top_p 1.01");
  check_throws<usage_error>([&] { (void)left({0.5, 0.5}, {.top_p = nan}); }, "got top_p");
  check_throws<usage_error>(
      [] {
        (void)left({0, 0}, {.temperature = 1});
      },
      "no token has a logit above minus infinity");
  check_throws<usage_error>([] { (void)left({}, {}); }, "no token has a logit above minus infinity");
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> const logits{1.0F, bad};
    check_throws<usage_error>([&] { (void)lancet::candidates(std::span<float const>(logits), {}); },
                              "of token 1, expected a number");
  }
  check_throws<usage_error>([] { (void)lancet::draw({}, 0.5); }, "got no candidates");
}
