// SPDX-License-Identifier: Apache-2.0
// Mean, variance, quantiles and ranks; expected values from NumPy 2.4 and SciPy 1.17.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_sample
#include "lancet/stats/sample.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "support/near.hpp"

using lancet_test::near;

namespace {
std::vector<double> const x = {4, 6, 3, 9, 7, 7, 5, 8, 10, 2, 6, 6};
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
}  // namespace

BOOST_AUTO_TEST_CASE(mean_and_variance) {
  near(lancet::sample_mean(x), 73.0 / 12, 1e-15);
  near(lancet::sample_variance(x), 5.537878787878788, 1e-14);
  BOOST_CHECK_THROW((void)lancet::sample_mean({}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::sample_variance(std::vector<double>{1.0}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::sample_mean(std::vector<double>{1.0, not_a_number}), lancet::usage_error);
}

BOOST_AUTO_TEST_CASE(quantiles) {
  double const expected[][2] = {{0, 2}, {0.1, 3.1}, {0.333, 5.663}, {0.5, 6}, {1, 10}};
  for (auto const& [probability, value] : expected)
    near(lancet::sample_quantile(x, probability), value, 1e-14);
  BOOST_TEST(lancet::sample_quantile(std::vector<double>{3.0}, 0.3) == 3.0);
  for (double const probability : {-0.1, 1.1, not_a_number}) {
    BOOST_CHECK_THROW((void)lancet::sample_quantile(x, probability), lancet::usage_error);
  }
}

BOOST_AUTO_TEST_CASE(ranks_and_ties) {
  auto const r = lancet::rank_sample(x);
  std::vector<double> const ranks = {3, 6, 2, 11, 8.5, 8.5, 4, 10, 12, 1, 6, 6};
  std::vector<std::size_t> const ties = {3, 2};
  BOOST_TEST(r.rank == ranks, boost::test_tools::per_element());
  BOOST_TEST(r.ties == ties, boost::test_tools::per_element());
  BOOST_TEST(lancet::rank_sample({}).rank.empty());
  BOOST_CHECK_THROW((void)lancet::rank_sample(std::vector<double>{not_a_number}), lancet::usage_error);
}
