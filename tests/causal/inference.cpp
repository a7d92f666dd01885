// SPDX-License-Identifier: Apache-2.0
// Effects summarised, against numbers that were computed independently.
//
// scipy 1.17: mean, stats.sem and stats.ttest_1samp(x, 0); Holm's and Benjamini and Hochberg's adjustments
// of the four p-values by their formulas and stats.false_discovery_control; the interval from the quantiles
// 0.025 and 0.975 of the means of all n^n resamples, instead of random ones.
#define BOOST_TEST_MODULE causal_inference
#include "lancet/causal/inference.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;  // not that of <strings.h>

double const none = std::nan("");

effect_table table() {
  effect_table t;
  t.example_lines = {1, 2, 3, 4, 5, 6};
  for (index head = 0; head < 6; ++head) t.units.push_back({unit_kind::head, 0, head, -1});
  t.effects = {{0.9, 1.1, 0.2, 0.4, 2.0, 0.1},          {0.1, none, -0.2, 0.05, 0.3, -0.1},
               {-0.5, -0.6, -0.4, -0.55, -0.45, -0.52}, {none, none, 0.7, none, none, none},
               {0.4, -0.1, 0.6, 0.3, 0.2, 0.5},         {none, none, none, none, none, none}};
  return t;
}

struct expected_summary {
  double effect, se, p, low, high, holm, benjamini_hochberg;
};
expected_summary const expected[] = {
    {0.7833333333333332, 0.2914523021772936, 0.04341854379958573, 0.3166666666666667, 1.35,
     0.08683708759917146, 0.05789139173278097},
    {0.03, 0.08602325267042626, 0.7448652012024438, -0.12, 0.18, 0.7448652012024438, 0.7448652012024438},
    {-0.5033333333333333, 0.029059326290271158, 1.1750789697642952e-05, -0.5533333333333333, -0.45,
     4.700315879057181e-05, 4.700315879057181e-05},
    {0.7, none, none, none, none, none, none},
    {0.31666666666666665, 0.10137937550497034, 0.02614624251160817, 0.1333333333333333, 0.4833333333333333,
     0.0784387275348245, 0.05229248502321634},
    {none, none, none, none, none, none, none}};

void check(double got, double wanted, double tolerance, char const* what, std::size_t u) {
  bool const equal = std::isnan(wanted) ? std::isnan(got) : std::abs(got - wanted) <= tolerance;
  BOOST_CHECK_MESSAGE(equal, what << " of unit " << u << ": got " << got << ", expected " << wanted);
}

BOOST_AUTO_TEST_CASE(every_number_of_a_summary) {
  effect_table const t = table();
  std::vector<effect_summary> const holm =
      summarise(t, {.method = multiplicity::holm, .resamples = 20000, .seed = 1});
  std::vector<effect_summary> const fdr = summarise(t);
  BOOST_REQUIRE(holm.size() == std::size(expected));
  BOOST_REQUIRE(fdr.size() == std::size(expected));
  for (std::size_t u = 0; u < std::size(expected); ++u) {
    expected_summary const& e = expected[u];
    check(holm[u].effect, e.effect, 1e-15, "effect", u);
    check(holm[u].se, e.se, 1e-14, "standard error", u);
    check(holm[u].p, e.p, 1e-12, "p", u);
    check(holm[u].p_adjusted, e.holm, 1e-12, "Holm's p", u);
    check(fdr[u].p_adjusted, e.benjamini_hochberg, 1e-12, "Benjamini and Hochberg's p", u);
    // Means of resamples lie about 0.017 apart; an interval of 90 % is 0.05 off, a mirrored one 0.1.
    check(holm[u].low, e.low, 0.02, "low", u);
    check(holm[u].high, e.high, 0.02, "high", u);
  }
}

}  // namespace
}  // namespace lancet_test
