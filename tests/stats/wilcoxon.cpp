// SPDX-License-Identifier: Apache-2.0
// Wilcoxon's signed-rank test against reference values, and its exact distribution against enumeration.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_wilcoxon
#include "lancet/stats/wilcoxon.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "lancet/core/random.hpp"
#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::alternative;
using lancet::p_method;
using lancet::zero_differences;
using lancet_test::near;

namespace {

std::vector<double> const x = {4, 6, 3, 9, 7, 7, 5, 8, 10, 2, 6, 6};
std::vector<double> const y = {3, 4, 4, 5, 6, 7, 2, 4, 5, 1, 8, 3};
zero_differences const all_zeros[] = {zero_differences::dropped, zero_differences::ranked,
                                      zero_differences::split};

/// P-value by all 2^n signs of the ranks of |d|, zeros keeping theirs.
double enumerated(std::vector<double> const& ranks, double observed, alternative claim) {
  double lower = 0, upper = 0;
  std::size_t const all = std::size_t{1} << ranks.size();
  for (std::size_t signs = 0; signs < all; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i) sum += (signs >> i & 1U) != 0 ? ranks[i] : 0.0;
    lower += sum <= observed;
    upper += sum >= observed;
  }
  return lancet::detail::p_from_tails(lower / static_cast<double>(all), upper / static_cast<double>(all),
                                      claim);
}

}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("Wilcoxon's test")) return;
  auto const all = lancet_test::golden("tests.json");
  BOOST_REQUIRE(all.at("cases").size() >= 1U);
  for (auto const& c : all.at("cases")) {
    auto const a = lancet_test::numbers(c.at("x"));
    auto const b = lancet_test::numbers(c.at("y"));
    for (auto const& [name, claim] : lancet_test::claims) {
      auto const& expected = c.at(name).at("wilcoxon");
      auto const w = lancet::wilcoxon_signed_rank(a, b, {.claim = claim});
      near(w.statistic, expected.at("statistic"), 1e-9, "statistic");
      near(w.p, expected.at("p"), 1e-9, "p");
      BOOST_TEST((w.method == p_method::exact) == (expected.at("method") == "exact"));

      auto const& corrected = c.at(name).at("wilcoxon_asymptotic_corrected");
      auto const z = lancet::wilcoxon_signed_rank(
          a, b, {.claim = claim, .method = p_method::asymptotic, .continuity_correction = true});
      near(z.statistic, corrected.at("statistic"), 1e-9, "corrected statistic");
      near(z.p, corrected.at("p"), 1e-9, "corrected p");
    }
  }
  auto const& ties = all.at("wilcoxon_with_ties_and_zeros");
  auto const a = lancet_test::numbers(ties.at("x"));
  auto const b = lancet_test::numbers(ties.at("y"));
  char const* const names[] = {"wilcox", "pratt", "zsplit"};
  for (int i = 0; i < 3; ++i) {
    auto const w = lancet::wilcoxon_signed_rank(a, b, {.zeros = all_zeros[i]});
    near(w.statistic, ties.at(names[i]).at("statistic"), 1e-9, names[i]);
    near(w.p, ties.at(names[i]).at("p"), 1e-9, names[i]);
    BOOST_TEST((w.method == p_method::asymptotic));
  }
}

// SciPy 1.17, wilcoxon(x, y, zero_method, alternative, correction=True, method="asymptotic"), and with
// method=PermutationMethod, which goes through all signs.
BOOST_AUTO_TEST_CASE(ties_and_zeros) {
  double const statistic[3][3] = {{8, 58, 58}, {10, 67, 67}, {10.5, 67.5, 67.5}};
  double const corrected[3][3] = {{0.02834752641891229, 0.988753280686729, 0.014173763209456146},
                                  {0.027154923896741748, 0.9889366700388356, 0.013577461948370874},
                                  {0.027274522022530386, 0.98888479761189, 0.013637261011265193}};
  double const exact[3][3] = {{0.0263671875, 0.99072265625, 0.01318359375},
                              {0.0224609375, 0.99267578125, 0.01123046875},
                              {0.0224609375, 0.99267578125, 0.01123046875}};
  for (int z = 0; z < 3; ++z) {
    for (std::size_t k = 0; k < 3; ++k) {
      auto const claim = lancet_test::claims[k].second;
      auto const approximate = lancet::wilcoxon_signed_rank(x, y,
                                                            {.claim = claim,
                                                             .method = p_method::asymptotic,
                                                             .zeros = all_zeros[z],
                                                             .continuity_correction = true});
      near(approximate.statistic, statistic[z][k], 0);
      near(approximate.p, corrected[z][k], 1e-12);
      auto const w = lancet::wilcoxon_signed_rank(
          x, y, {.claim = claim, .method = p_method::exact, .zeros = all_zeros[z]});
      near(w.statistic, statistic[z][k], 0);
      near(w.p, exact[z][k], 1e-15);
    }
  }
}

// The same pairs and two more zeros, which are then tied among themselves. SciPy 1.17, correction=False.
BOOST_AUTO_TEST_CASE(several_zeros) {
  auto a = x, b = y;
  a.insert(a.end(), {3, 3});
  b.insert(b.end(), {3, 3});
  double const statistic[] = {8, 14, 17};
  double const p[] = {0.025274130407633034, 0.02435913382945046, 0.025223953021019707};
  for (int z = 0; z < 3; ++z) {
    auto const w = lancet::wilcoxon_signed_rank(a, b, {.zeros = all_zeros[z]});
    near(w.statistic, statistic[z], 0);
    near(w.p, p[z], 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(exact_is_enumeration) {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    lancet::philox_stream const rng{seed, "wilcoxon"};
    std::vector<double> a(11), b(11, 0.0), magnitude(11);
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = static_cast<double>(rng.between(i, 1, 6)) * (i % 3 ? 1 : -1);
    for (std::size_t i = 0; i < a.size(); ++i) magnitude[i] = std::abs(a[i]);
    auto const ranks = lancet::rank_sample(magnitude).rank;
    double plus = 0;
    for (std::size_t i = 0; i < a.size(); ++i) plus += a[i] > 0 ? ranks[i] : 0.0;
    for (auto const& [name, claim] : lancet_test::claims) {
      auto const w = lancet::wilcoxon_signed_rank(a, b, {.claim = claim, .method = p_method::exact});
      near(w.p, enumerated(ranks, plus, claim), 1e-14, name);
    }
  }
}

// One zero and, after rounding, some ties: SciPy 1.17, method="asymptotic"; all signs counted in whole
// numbers.
BOOST_AUTO_TEST_CASE(sixty_pairs) {
  std::vector<double> a, b;
  for (int i = 0; i < 60; ++i) {
    a.push_back((i * 37 % 101) / 7.0);
    b.push_back(((i * 53 + i * i) % 97) / 5.0);
  }
  auto const w = lancet::wilcoxon_signed_rank(a, b);
  BOOST_TEST((w.method == p_method::asymptotic));
  near(w.p, 0.3396658178227744, 1e-12);
  near(lancet::wilcoxon_signed_rank(a, b, {.method = p_method::exact}).p, 0.34320691401594466, 1e-14);
  BOOST_TEST(w.statistic == 758.5);
}

BOOST_AUTO_TEST_CASE(nothing_changed) {
  for (auto const zeros : all_zeros) {
    for (auto const method : {p_method::automatic, p_method::exact, p_method::asymptotic}) {
      for (auto const& [name, claim] : lancet_test::claims) {
        auto const w = lancet::wilcoxon_signed_rank(x, x, {.claim = claim, .method = method, .zeros = zeros});
        BOOST_TEST(w.p == 1.0, name);
      }
    }
  }
  BOOST_TEST(lancet::wilcoxon_signed_rank(std::vector<double>{2.0}, std::vector<double>{1.0}).p == 1.0);
}

BOOST_AUTO_TEST_CASE(refused_input) {
  std::vector<double> const many(1001, 1.0), none(1001, 0.0);
  BOOST_CHECK_THROW((void)lancet::wilcoxon_signed_rank({}, {}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::wilcoxon_signed_rank(x, many), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::wilcoxon_signed_rank(many, none, {.method = p_method::exact}),
                    lancet::usage_error);
  BOOST_TEST(lancet::wilcoxon_signed_rank(many, none).p < 1e-200);
  auto bad = x;
  bad[3] = std::numeric_limits<double>::quiet_NaN();
  BOOST_CHECK_THROW((void)lancet::wilcoxon_signed_rank(x, bad), lancet::usage_error);
}
