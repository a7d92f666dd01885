// SPDX-License-Identifier: Apache-2.0
// t tests and effect sizes against reference values, and where they have no variance.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_t_test
#include "lancet/stats/t_test.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::alternative;
using lancet_test::near;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
std::vector<double> const a = {1.1, 2.3, 0.4, 5.2, 3.3};
std::vector<double> const b = {2.2, 7.1, 3.9, 4.4, 8.0, 0.9, 6.1};
}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("t tests")) return;
  auto const cases = lancet_test::golden("tests.json").at("cases");
  BOOST_REQUIRE(cases.size() >= 1U);
  for (auto const& c : cases) {
    auto const x = lancet_test::numbers(c.at("x"));
    auto const y = lancet_test::numbers(c.at("y"));
    auto const y2 = lancet_test::numbers(c.at("y2"));
    near(lancet::cohen_d_paired(x, y), c.at("cohen_d_paired"), 1e-9, "d");
    for (auto const& [name, claim] : lancet_test::claims) {
      auto const& expected = c.at(name);
      auto const paired = lancet::paired_t_test(x, y, {.claim = claim});
      near(paired.t, expected.at("paired_t").at("t"), 1e-9, "paired t");
      near(paired.degrees_of_freedom, expected.at("paired_t").at("df"), 0, "paired df");
      near(paired.p, expected.at("paired_t").at("p"), 1e-9, "paired p");
      auto const& interval = expected.at("paired_t").at("ci95");
      near(paired.low, interval.at(0).is_null() ? -infinity : interval.at(0).get<double>(), 1e-9, "low");
      near(paired.high, interval.at(1).is_null() ? infinity : interval.at(1).get<double>(), 1e-9, "high");

      auto const welch = lancet::welch_t_test(x, y2, {.claim = claim});
      near(welch.t, expected.at("welch").at("t"), 1e-9, "Welch t");
      near(welch.degrees_of_freedom, expected.at("welch").at("df"), 1e-9, "Welch df");
      near(welch.p, expected.at("welch").at("p"), 1e-9, "Welch p");

      auto const student = lancet::student_t_test(x, y2, {.claim = claim});
      near(student.t, expected.at("student").at("t"), 1e-9, "Student t");
      near(student.degrees_of_freedom, expected.at("student").at("df"), 0, "Student df");
      near(student.p, expected.at("student").at("p"), 1e-9, "Student p");
    }
  }
}

// SciPy 1.17: ttest_ind(a, b, ...).confidence_interval(0.9).
BOOST_AUTO_TEST_CASE(intervals_of_two_samples) {
  auto const student = lancet::student_t_test(a, b, {.confidence = 0.9});
  near(student.low, -4.6712679285201375, 1e-9);
  near(student.high, 0.27698221423442115, 1e-9);
  auto const welch = lancet::welch_t_test(a, b, {.confidence = 0.9});
  near(welch.low, -4.539778283246292, 1e-9);
  near(welch.high, 0.14549256896057683, 1e-9);
  auto const less = lancet::welch_t_test(a, b, {.claim = alternative::less, .confidence = 0.9});
  BOOST_TEST(less.low == -infinity);
  near(less.high, -0.4237685651849983, 1e-9);
  near(less.difference, 2.46 - 32.6 / 7, 1e-12);
}

BOOST_AUTO_TEST_CASE(pooled_effect_size) {
  // By hand: means 2 and 5, variances 1 and 4, two degrees of freedom each, pooled variance 2.5.
  near(lancet::cohen_d(std::vector<double>{1, 2, 3}, std::vector<double>{3, 5, 7}), -3 / std::sqrt(2.5),
       1e-15);
}

BOOST_AUTO_TEST_CASE(without_variance) {
  std::vector<double> const x = {1, 2, 3}, more = {2, 3, 4};
  auto const same = lancet::paired_t_test(x, x);
  BOOST_TEST(same.t == 0.0);
  BOOST_TEST(same.p == 1.0);
  BOOST_TEST(same.low == 0.0);
  BOOST_TEST(same.high == 0.0);
  BOOST_TEST(lancet::cohen_d_paired(x, x) == 0.0);
  auto const shifted = lancet::paired_t_test(x, more);
  BOOST_TEST(shifted.t == -infinity);
  BOOST_TEST(shifted.p == 0.0);
  BOOST_TEST(shifted.low == -1.0);
  BOOST_TEST(shifted.high == -1.0);
  BOOST_TEST(lancet::paired_t_test(x, more, {.claim = alternative::greater}).p == 1.0);
  BOOST_TEST(lancet::cohen_d_paired(more, x) == infinity);
  std::vector<double> const ones = {1, 1}, twos = {2, 2, 2};
  BOOST_TEST(lancet::welch_t_test(ones, twos).p == 0.0);
  BOOST_TEST(lancet::welch_t_test(ones, ones).p == 1.0);
  BOOST_TEST(lancet::student_t_test(twos, ones, {.claim = alternative::greater}).p == 0.0);
  // Variances whose squares would be 0.
  std::vector<double> const tiny = {1e-170, 3e-170}, tinier = {5e-170, 9e-170};
  near(lancet::welch_t_test(tiny, tinier).degrees_of_freedom,
       lancet::welch_t_test(std::vector<double>{1, 3}, std::vector<double>{5, 9}).degrees_of_freedom, 1.0);
}

BOOST_AUTO_TEST_CASE(refused_input) {
  std::vector<double> const one = {1}, two = {1, 2}, bad = {1, not_a_number}, wide = {1, infinity};
  BOOST_CHECK_THROW((void)lancet::paired_t_test(one, one), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::paired_t_test(two, a), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::paired_t_test(two, bad), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::welch_t_test(two, wide), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::welch_t_test(one, two), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::student_t_test(two, {}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::paired_t_test(two, two, {.confidence = 1.0}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::paired_t_test(two, two, {.confidence = not_a_number}), lancet::usage_error);
}
