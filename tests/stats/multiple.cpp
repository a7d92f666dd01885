// SPDX-License-Identifier: Apache-2.0
// Adjusted p-values against reference values and their definitions.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_multiple
#include "lancet/stats/multiple.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "lancet/core/random.hpp"
#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::multiplicity;
using lancet_test::near;

namespace {

constexpr std::pair<char const*, multiplicity> methods[] = {{"bonferroni", multiplicity::bonferroni},
                                                            {"sidak", multiplicity::sidak},
                                                            {"holm", multiplicity::holm},
                                                            {"simes-hochberg", multiplicity::hochberg},
                                                            {"hommel", multiplicity::hommel},
                                                            {"fdr_bh", multiplicity::benjamini_hochberg},
                                                            {"fdr_by", multiplicity::benjamini_yekutieli}};

/// Simes' p-value of the hypotheses in `members` (a bit set).
double simes(std::vector<double> const& p, unsigned members) {
  std::vector<double> chosen;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if ((members >> i & 1U) != 0) chosen.push_back(p[i]);
  }
  std::sort(chosen.begin(), chosen.end());
  double smallest = 1.0;
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    smallest =
        std::min(smallest, static_cast<double>(chosen.size()) * chosen[k] / static_cast<double>(k + 1));
  }
  return smallest;
}

}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("adjusted p-values")) return;
  auto const all = lancet_test::golden("multiple.json");
  BOOST_REQUIRE(all.at("cases").size() >= 1U);
  double const alpha = all.at("alpha");
  for (auto const& c : all.at("cases")) {
    for (auto const& [name, method] : methods) {
      auto const got = lancet::adjust_p_values(lancet_test::numbers(c.at("p")), method, alpha);
      auto const expected = lancet_test::numbers(c.at(name).at("adjusted"));
      BOOST_REQUIRE(got.p.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        near(got.p[i], expected[i], 1e-9, name);
        BOOST_TEST(got.reject[i] == c.at(name).at("reject").at(i).get<bool>(), name);
      }
    }
  }
}

// Closed testing: a hypothesis falls when every set that holds it does. With Simes' test of the sets that is
// Hommel's procedure, with Bonferroni's Holm's.
BOOST_AUTO_TEST_CASE(hommel_and_holm_are_closed_tests) {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    lancet::philox_stream const rng{seed, "closed"};
    std::vector<double> p(9);
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = rng.uniform(i) * (i % 2 ? 1.0 : 0.1);
    p[4] = p[2];
    std::vector<double> by_simes(9, 0.0), by_bonferroni(9, 0.0);
    for (unsigned members = 1; members < 1U << 9; ++members) {
      double smallest = 1.0, size = 0.0;
      for (std::size_t i = 0; i < 9; ++i) {
        if ((members >> i & 1U) != 0) smallest = std::min(smallest, p[i]), size += 1.0;
      }
      for (std::size_t i = 0; i < 9; ++i) {
        if ((members >> i & 1U) == 0) continue;
        by_simes[i] = std::max(by_simes[i], simes(p, members));
        by_bonferroni[i] = std::max(by_bonferroni[i], std::min(1.0, size * smallest));
      }
    }
    auto const hommel = lancet::adjust_p_values(p, multiplicity::hommel);
    auto const holm = lancet::adjust_p_values(p, multiplicity::holm);
    for (std::size_t i = 0; i < 9; ++i) {
      near(hommel.p[i], by_simes[i], 1e-14, "Hommel");
      near(holm.p[i], by_bonferroni[i], 1e-14, "Holm");
    }
  }
}

BOOST_AUTO_TEST_CASE(stronger_methods_reject_no_less) {
  std::vector<double> p(200);
  lancet::philox_stream{1, "p"}.fill_uniform<double>(p);
  for (std::size_t i = 0; i < 60; ++i) p[i] *= 1e-3;
  auto const adjusted = [&](multiplicity method) { return lancet::adjust_p_values(p, method).p; };
  auto const bonferroni = adjusted(multiplicity::bonferroni), holm = adjusted(multiplicity::holm),
             hochberg = adjusted(multiplicity::hochberg), hommel = adjusted(multiplicity::hommel),
             fdr = adjusted(multiplicity::benjamini_hochberg),
             any = adjusted(multiplicity::benjamini_yekutieli);
  for (std::size_t i = 0; i < p.size(); ++i) {
    BOOST_TEST(bonferroni[i] >= holm[i]);
    BOOST_TEST(holm[i] >= hochberg[i]);
    BOOST_TEST(hochberg[i] >= hommel[i] - 1e-15);
    BOOST_TEST(hommel[i] >= fdr[i] - 1e-15);
    BOOST_TEST(any[i] >= fdr[i]);
    BOOST_TEST(fdr[i] >= p[i]);
  }
}

BOOST_AUTO_TEST_CASE(small_cases_and_refused_input) {
  for (auto const& [name, method] : methods) {
    BOOST_TEST(lancet::adjust_p_values({}, method).p.empty(), name);
    near(lancet::adjust_p_values(std::vector<double>{0.03}, method).p[0], 0.03, 1e-16, name);
    std::vector<double> const ends = {0.0, 1.0};
    BOOST_TEST(lancet::adjust_p_values(ends, method).p == ends, boost::test_tools::per_element());
    for (double const bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
      BOOST_CHECK_THROW((void)lancet::adjust_p_values(std::vector<double>{0.5, bad}, method),
                        lancet::usage_error);
      BOOST_CHECK_THROW((void)lancet::adjust_p_values(ends, method, bad), lancet::usage_error);
    }
  }
}
