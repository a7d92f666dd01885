// SPDX-License-Identifier: Apache-2.0
// Learning-rate schedules against values worked out by hand.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE intervene_schedule
#include "lancet/intervene/schedule.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "support/near.hpp"

using lancet::decay_shape;
using lancet::learning_rate_schedule;
using lancet_test::near;

BOOST_AUTO_TEST_CASE(constant) {
  BOOST_TEST((learning_rate_schedule{.peak = 0.1}(0)) == 0.1);
  learning_rate_schedule const rate{.peak = 0.1, .warmup = 4};
  double const expected[] = {0.0, 0.025, 0.05, 0.075, 0.1, 0.1};
  for (int step = 0; step < 6; ++step) near(rate(step), expected[step], 1e-16);
  BOOST_TEST(rate(1000000) == 0.1);
}

BOOST_AUTO_TEST_CASE(linear) {
  learning_rate_schedule const rate{.shape = decay_shape::linear, .peak = 1.0, .warmup = 2, .steps = 10};
  double const expected[] = {0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0};
  for (int step = 0; step < 12; ++step) near(rate(step), expected[step], 1e-15);
  learning_rate_schedule const floored{.shape = decay_shape::linear, .peak = 1.0, .floor = 0.2, .steps = 4};
  double const higher[] = {1.0, 0.8, 0.6, 0.4, 0.2, 0.2};
  for (int step = 0; step < 6; ++step) near(floored(step), higher[step], 1e-15);
}

BOOST_AUTO_TEST_CASE(cosine) {
  learning_rate_schedule const rate{.shape = decay_shape::cosine, .peak = 2.0, .warmup = 3, .steps = 9};
  double const r = std::sqrt(3.0) / 2.0;
  double const expected[] = {0.0, 2.0 / 3, 4.0 / 3, 2.0, 1.0 + r, 1.5, 1.0, 0.5, 1.0 - r, 0.0, 0.0, 0.0};
  for (int step = 0; step < 12; ++step) near(rate(step), expected[step], 1e-15);
  learning_rate_schedule const floored{.shape = decay_shape::cosine, .peak = 2.0, .floor = 1.0, .steps = 2};
  near(floored(1), 1.5, 1e-15);
  near(floored(2), 1.0, 1e-15);
}

BOOST_AUTO_TEST_CASE(only_warmup) {
  for (auto const shape : {decay_shape::linear, decay_shape::cosine}) {
    learning_rate_schedule const rate{.shape = shape, .peak = 1.0, .warmup = 5, .steps = 5};
    near(rate(4), 0.8, 1e-16);
    BOOST_TEST(rate(5) == 0.0);
  }
}

BOOST_AUTO_TEST_CASE(refused) {
  learning_rate_schedule const bad[] = {
      {.peak = -1.0},
      {.peak = std::numeric_limits<double>::quiet_NaN()},
      {.peak = 1.0, .floor = 0.5},
      {.peak = 1.0, .warmup = -1},
      {.shape = decay_shape::linear, .peak = 1.0},
      {.shape = decay_shape::linear, .peak = 1.0, .warmup = 11, .steps = 10},
      {.shape = decay_shape::cosine, .peak = 1.0, .floor = 1.5, .steps = 10},
      {.shape = decay_shape::cosine, .peak = 1.0, .floor = -0.1, .steps = 10},
  };
  for (auto const& schedule : bad) BOOST_CHECK_THROW((void)schedule(0), lancet::usage_error);
  BOOST_CHECK_THROW((void)learning_rate_schedule{}(-1), lancet::usage_error);
}
