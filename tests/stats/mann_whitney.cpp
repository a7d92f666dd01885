// SPDX-License-Identifier: Apache-2.0
// Mann and Whitney's U against reference values; expected values of the exact test from SciPy 1.17.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_mann_whitney
#include "lancet/stats/mann_whitney.hpp"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "lancet/core/numpy_random.hpp"
#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::p_method;
using lancet_test::near;

namespace {
std::vector<double> const a = {1.1, 2.3, 0.4, 5.2, 3.3};
std::vector<double> const b = {2.2, 7.1, 3.9, 4.4, 8.0, 0.9, 6.1};
std::vector<double> const tied = {1, 2, 2, 3, 5};
std::vector<double> const tied_too = {2, 3, 3, 4, 4, 6};
}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("Mann and Whitney's test")) return;
  auto const all = lancet_test::golden("tests.json");
  BOOST_REQUIRE(all.at("cases").size() >= 1U);
  for (auto const& c : all.at("cases")) {
    auto const x = lancet_test::numbers(c.at("x"));
    auto const y = lancet_test::numbers(c.at("y2"));
    for (auto const& [name, claim] : lancet_test::claims) {
      auto const& expected = c.at(name).at("mann_whitney_asymptotic");
      auto const u = lancet::mann_whitney(x, y, {.claim = claim, .method = p_method::asymptotic});
      near(u.statistic, expected.at("U"), 1e-9, "U");
      near(u.p, expected.at("p"), 1e-9, "p");
    }
  }
}

BOOST_AUTO_TEST_CASE(exact) {
  double const p[] = {0.20202020202020204, 0.10101010101010102, 0.9255050505050505};
  double const swapped[] = {0.20202020202020204, 0.9255050505050505, 0.10101010101010102};
  double const with_ties[] = {0.21212121212121213, 0.10606060606060606, 0.9134199134199135};
  for (std::size_t k = 0; k < 3; ++k) {
    auto const claim = lancet_test::claims[k].second;
    auto const u = lancet::mann_whitney(a, b, {.claim = claim});
    BOOST_TEST((u.method == p_method::exact));
    BOOST_TEST(u.statistic == 9.0);
    near(u.p, p[k], 1e-14);
    auto const v = lancet::mann_whitney(b, a, {.claim = claim});
    BOOST_TEST(v.statistic == 26.0);
    near(v.p, swapped[k], 1e-14);
    near(lancet::mann_whitney(tied, tied_too, {.claim = claim, .method = p_method::exact}).p, with_ties[k],
         1e-14);
  }
}

BOOST_AUTO_TEST_CASE(ties) {
  double const corrected[] = {0.22559760855754862, 0.11279880427877431, 0.9189741928151816};
  double const plain[] = {0.19189590332395567, 0.09594795166197784, 0.9040520483380221};
  for (std::size_t k = 0; k < 3; ++k) {
    auto const claim = lancet_test::claims[k].second;
    auto const u = lancet::mann_whitney(tied, tied_too, {.claim = claim});
    BOOST_TEST((u.method == p_method::asymptotic));
    BOOST_TEST(u.statistic == 8.0);
    near(u.p, corrected[k], 1e-12);
    near(lancet::mann_whitney(tied, tied_too, {.claim = claim, .continuity_correction = false}).p, plain[k],
         1e-12);
  }
  BOOST_TEST(lancet::mann_whitney(std::vector<double>{1, 1}, std::vector<double>{1, 1, 1}).p == 1.0);
}

// SciPy 1.17, x = RandomState(0).randn(90), y = RandomState(1).randn(110) + 0.2.
BOOST_AUTO_TEST_CASE(two_hundred_values) {
  std::vector<double> x(90), y(110);
  lancet::numpy_normal{0}.fill<double>(x);
  lancet::numpy_normal{1}.fill<double>(y);
  for (double& value : y) value += 0.2;
  double const exact[] = {0.06930842561808806, 0.03465421280904403, 0.9655345754649829};
  double const asymptotic[] = {0.06937208402293282, 0.03468604201146641, 0.9655018918702362};
  for (std::size_t k = 0; k < 3; ++k) {
    auto const claim = lancet_test::claims[k].second;
    near(lancet::mann_whitney(x, y, {.claim = claim, .method = p_method::exact}).p, exact[k], 1e-12);
    auto const u = lancet::mann_whitney(x, y, {.claim = claim});
    near(u.p, asymptotic[k], 1e-12);
    BOOST_TEST(u.statistic == 4210.0);
  }
}

BOOST_AUTO_TEST_CASE(refused_input) {
  std::vector<double> const many(200, 1.0);
  BOOST_CHECK_THROW((void)lancet::mann_whitney({}, a), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::mann_whitney(a, {}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::mann_whitney(a, many, {.method = p_method::exact}), lancet::usage_error);
}
