// SPDX-License-Identifier: Apache-2.0
// Correlations against reference values; expected values of ties and alternatives from SciPy 1.17.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_correlation
#include "lancet/stats/correlation.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "lancet/core/random.hpp"
#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::p_method;
using lancet_test::near;

namespace {
std::vector<double> const tied_x = {4, 6, 3, 9, 7, 7, 5, 8, 10, 2, 6, 6};
std::vector<double> const tied_y = {3, 4, 4, 5, 6, 7, 2, 4, 5, 1, 8, 3};
}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("correlations")) return;
  auto const all = lancet_test::golden("tests.json");
  BOOST_REQUIRE(all.at("cases").size() >= 1U);
  for (auto const& c : all.at("cases")) {
    auto const x = lancet_test::numbers(c.at("x"));
    auto const y = lancet_test::numbers(c.at("y"));
    auto const r = lancet::pearson(x, y);
    near(r.value, c.at("pearson").at("r"), 1e-9, "r");
    near(r.p, c.at("pearson").at("p"), 1e-9, "p of r");
    auto const rho = lancet::spearman(x, y);
    near(rho.value, c.at("spearman").at("rho"), 1e-9, "rho");
    near(rho.p, c.at("spearman").at("p"), 1e-9, "p of rho");
    near(lancet::kendall_tau_b(x, y).value, c.at("kendall_tau_b"), 1e-9, "tau");
  }
}

BOOST_AUTO_TEST_CASE(ties_and_alternatives) {
  double const pearson[] = {0.07606683567229246, 0.9619665821638538, 0.03803341783614623};
  double const spearman[] = {0.0301558447713263, 0.9849220776143368, 0.01507792238566315};
  double const kendall[] = {0.05786570914361841, 0.9710671454281908, 0.028932854571809205};
  for (std::size_t k = 0; k < 3; ++k) {
    auto const claim = lancet_test::claims[k].second;
    auto const r = lancet::pearson(tied_x, tied_y, claim);
    near(r.value, 0.5303920433259692, 1e-14);
    near(r.p, pearson[k], 1e-12);
    auto const rho = lancet::spearman(tied_x, tied_y, claim);
    near(rho.value, 0.6238869091789311, 1e-14);
    near(rho.p, spearman[k], 1e-12);
    auto const tau = lancet::kendall_tau_b(tied_x, tied_y, {.claim = claim});
    near(tau.value, 0.4390389003290202, 1e-14);
    near(tau.p, kendall[k], 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(kendall_exact_and_asymptotic) {
  std::vector<double> const u = {3.1, 1.2, 4.4, 0.5, 2.2, 9.1, 7.3, 6.0};
  std::vector<double> const v = {2.0, 3.5, 4.1, 1.1, 0.7, 8.8, 5.9, 9.9};
  double const exact[] = {0.03115079365079365, 0.9929315476190476, 0.015575396825396826};
  double const asymptotic[] = {0.02595245602237448, 0.9870237719888127, 0.01297622801118724};
  for (std::size_t k = 0; k < 3; ++k) {
    auto const claim = lancet_test::claims[k].second;
    near(lancet::kendall_tau_b(u, v, {.claim = claim}).p, exact[k], 1e-14);
    near(lancet::kendall_tau_b(u, v, {.claim = claim, .method = p_method::asymptotic}).p, asymptotic[k],
         1e-12);
  }
  std::vector<double> x, y;
  for (int i = 0; i < 60; ++i) {
    x.push_back((i * 37 % 101) / 7.0);
    y.push_back(((i * 53 + i * i) % 97) / 5.0);
  }
  auto const tau = lancet::kendall_tau_b(x, y);
  near(tau.value, 0.1353067958276406, 1e-14);
  near(tau.p, 0.12885652504427597, 1e-12);
  near(lancet::pearson(x, y).p, 0.18449488816296905, 1e-12);
  near(lancet::spearman(x, y).p, 0.14551120548407134, 1e-12);
}

// Tau-b by its definition, over all pairs, on samples with many ties.
BOOST_AUTO_TEST_CASE(kendall_is_its_definition) {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    lancet::philox_stream const rng{seed, "kendall"};
    std::vector<double> x(37), y(37);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<double>(rng.below(2 * i, 9));
      y[i] = x[i] + static_cast<double>(rng.below(2 * i + 1, 12));
    }
    double excess = 0, not_tied_x = 0, not_tied_y = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        double const product = (x[i] - x[j]) * (y[i] - y[j]);
        excess += product > 0 ? 1 : (product < 0 ? -1 : 0);
        not_tied_x += x[i] != x[j];
        not_tied_y += y[i] != y[j];
      }
    }
    near(lancet::kendall_tau_b(x, y).value, excess / std::sqrt(not_tied_x * not_tied_y), 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(perfect_and_undefined) {
  std::vector<double> const x = {1, 2, 3, 4, 5}, same = {2, 2, 2, 2, 2};
  std::vector<double> down = {5, 4, 3, 2, 1}, huge = x, tiny = x;
  for (double& value : huge) value *= 1e300;
  for (double& value : tiny) value *= 1e-300;
  BOOST_TEST(lancet::pearson(x, x).value == 1.0);
  BOOST_TEST(lancet::pearson(x, x).p == 0.0);
  BOOST_TEST(lancet::pearson(huge, tiny).value == 1.0);
  BOOST_TEST(lancet::spearman(x, down).value == -1.0);
  BOOST_TEST(lancet::spearman(x, down, lancet::alternative::greater).p == 1.0);
  BOOST_TEST(lancet::kendall_tau_b(x, down).value == -1.0);
  near(lancet::kendall_tau_b(x, down).p, 2.0 / 120, 1e-15);
  for (auto const& result :
       {lancet::pearson(x, same), lancet::spearman(same, x), lancet::kendall_tau_b(x, same)}) {
    BOOST_TEST(std::isnan(result.value));
    BOOST_TEST(std::isnan(result.p));
  }
}

BOOST_AUTO_TEST_CASE(refused_input) {
  std::vector<double> const two = {1, 2}, many(101, 1.0);
  BOOST_CHECK_THROW((void)lancet::pearson(two, two), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::spearman(tied_x, many), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::kendall_tau_b(tied_x, tied_y, {.method = p_method::exact}),
                    lancet::usage_error);
  std::vector<double> line(101);
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = static_cast<double>(i);
  BOOST_CHECK_THROW((void)lancet::kendall_tau_b(line, line, {.method = p_method::exact}),
                    lancet::usage_error);
}
