// SPDX-License-Identifier: Apache-2.0
// Bootstrap intervals on given and on drawn resamples.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE stats_bootstrap
#include "lancet/stats/bootstrap.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "lancet/io/safetensors.hpp"
#include "stats/golden.hpp"
#include "support/near.hpp"

using lancet::interval_method;
using lancet_test::near;

namespace {

double mean(std::span<double const> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
double median(std::span<double const> x) { return lancet::sample_quantile(x, 0.5); }
double deviation(std::span<double const> x) { return std::sqrt(lancet::sample_variance(x)); }

std::vector<double> const before = {0.9, 0.7, 0.8, 0.95, 0.2, 0.6, 0.85, 0.4, 0.99, 0.75};
std::vector<double> const after = {0.1, 0.3, 0.05, 0.2, 0.25, 0.0, 0.4, 0.1, 0.3, 0.15};

}  // namespace

BOOST_AUTO_TEST_CASE(reference_values) {
  if (lancet_test::skipped_without_shared("bootstrap intervals")) return;
  auto const cases = lancet_test::golden("bootstrap.json").at("cases");
  auto const file =
      lancet::safetensors_file::open(lancet_test::shared("goldens/stats/bootstrap.safetensors"));
  BOOST_REQUIRE(cases.size() >= 1U);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto const& c = cases[i];
    auto const x = lancet_test::numbers(c.at("x"));
    auto const& tensor = file.tensors().at("indices." + std::to_string(i));
    std::vector<std::int32_t> indices(tensor.bytes.size() / sizeof(std::int32_t));
    std::memcpy(indices.data(), tensor.bytes.data(), tensor.bytes.size());
    lancet::given_resamples const resamples{indices};

    std::string const name = c.at("statistic");
    BOOST_REQUIRE((name == "mean" || name == "median" || name == "std (n - 1)"));
    auto const statistic = name == "mean" ? mean : (name == "median" ? median : deviation);
    double const confidence = c.at("confidence");
    auto const interval = [&](interval_method method) {
      return lancet::bootstrap(x, statistic, resamples, {.method = method, .confidence = confidence});
    };
    auto const same = [&](lancet::bootstrap_interval const& got, nlohmann::json const& expected) {
      near(got.low, expected.at(0), 1e-9, name + " low");
      near(got.high, expected.at(1), 1e-9, name + " high");
    };
    auto const bca = interval(interval_method::bca);
    BOOST_TEST(bca.resamples == c.at("n_resamples").get<std::ptrdiff_t>());
    near(bca.estimate, c.at("theta"), 1e-9, name);
    near(bca.bias, c.at("z0"), 1e-9, name + " z0");
    near(bca.acceleration, c.at("acceleration"), 1e-9, name + " a");
    near(bca.resample_mean, c.at("boot_mean"), 1e-9, name + " mean");
    near(bca.standard_error, c.at("boot_se"), 1e-9, name + " standard error");
    same(bca, c.at("ci_bca"));
    same(interval(interval_method::percentile), c.at("ci_percentile"));
    same(bca, c.at("ci_scipy_same_resamples").at("BCa"));
    same(interval(interval_method::basic), c.at("ci_scipy_same_resamples").at("basic"));
    if (name == "mean")
      same(lancet::bootstrap_mean(x, resamples, {.confidence = confidence}), c.at("ci_bca"));
  }
}

// The draws of philox/1 and the intervals on them, computed in another language from the descriptions.
BOOST_AUTO_TEST_CASE(relative_reduction_on_drawn_resamples) {
  lancet::drawn_resamples const resamples{{7, "bootstrap"}, 2000};
  auto const bca = lancet::bootstrap_relative_reduction(before, after, resamples);
  near(bca.estimate, 0.7408963585434174, 1e-14);
  near(bca.bias, 0.025695767236146184, 1e-12);
  near(bca.acceleration, -0.011976506255189121, 1e-12);
  near(bca.low, 0.6128623239247287, 1e-12);
  near(bca.high, 0.8454582017241352, 1e-12);
  near(bca.resample_mean, 0.7365470379849921, 1e-12);
  near(bca.standard_error, 0.05929875576702661, 1e-12);
  auto const percentile = lancet::bootstrap_relative_reduction(
      before, after, resamples, {.method = interval_method::percentile, .confidence = 0.9});
  near(percentile.low, 0.6351729651594507, 1e-12);
  near(percentile.high, 0.8278321253394061, 1e-12);
  auto const basic =
      lancet::bootstrap_relative_reduction(before, after, resamples, {.method = interval_method::basic});
  near(basic.low, 0.636707079806362, 1e-12);
  near(basic.high, 0.8690078920927073, 1e-12);
}

BOOST_AUTO_TEST_CASE(pairs_stay_together) {
  // x - y is 1 in every pair: a resample that broke pairs would not give exactly 1.
  std::vector<double> const x = {2, 5, 9, 4}, y = {1, 4, 8, 3};
  auto const difference = [](std::span<double const> a, std::span<double const> b) {
    return mean(a) - mean(b);
  };
  auto const interval =
      lancet::bootstrap_paired(x, y, difference, lancet::drawn_resamples{{1, "pairs"}, 200});
  BOOST_TEST(interval.low == 1.0);
  BOOST_TEST(interval.high == 1.0);
  BOOST_TEST(interval.standard_error == 0.0);
  BOOST_TEST(interval.acceleration == 0.0);
}

BOOST_AUTO_TEST_CASE(rows_may_be_anything) {
  // Clusters of unequal size: the statistic is the mean over all members of the chosen clusters.
  std::vector<std::vector<double>> const clusters = {{1, 2}, {5}, {2, 2, 3}, {8, 1}, {4}};
  auto const pooled = [&](std::span<std::ptrdiff_t const> rows) {
    double sum = 0, count = 0;
    for (auto const row : rows) {
      for (double const v : clusters[static_cast<std::size_t>(row)]) sum += v, count += 1;
    }
    return sum / count;
  };
  auto const interval = lancet::bootstrap_rows(5, pooled, lancet::drawn_resamples{{1, "clusters"}, 500});
  near(interval.estimate, 28.0 / 9, 1e-14);
  BOOST_TEST((interval.low < interval.estimate && interval.estimate < interval.high));
}

// Over 400 samples of 40 skewed values a 90 % interval has to hold the true mean 332 to 388 times (four
// standard deviations, less for the known lack of coverage at this size).
BOOST_AUTO_TEST_CASE(coverage) {
  for (auto const method : {interval_method::percentile, interval_method::bca}) {
    int held = 0;
    for (std::uint64_t trial = 0; trial < 400; ++trial) {
      std::vector<double> x(40);
      lancet::philox_stream{trial, "sample"}.fill_uniform<double>(x);
      for (double& value : x) value = -std::log(1.0 - value);
      auto const interval = lancet::bootstrap_mean(x, lancet::drawn_resamples{{trial, "resamples"}, 400},
                                                   {.method = method, .confidence = 0.9});
      held += interval.low <= 1.0 && 1.0 <= interval.high;
    }
    BOOST_TEST((held >= 332 && held <= 388), held);
  }
}

BOOST_AUTO_TEST_CASE(estimate_outside_all_resamples) {
  // A statistic that only the sample itself reaches: BCa has no interval then, and says so.
  std::vector<std::int32_t> const indices = {0, 0, 0, 1, 1, 1};
  std::vector<double> const x = {1, 2, 3};
  auto const largest = [](std::span<double const> v) { return *std::max_element(v.begin(), v.end()); };
  auto const bca = lancet::bootstrap(x, largest, lancet::given_resamples{indices});
  BOOST_TEST(bca.estimate == 3.0);
  BOOST_TEST((std::isnan(bca.low) && std::isnan(bca.high)));
  auto const percentile = lancet::bootstrap(x, largest, lancet::given_resamples{indices},
                                            {.method = interval_method::percentile});
  BOOST_TEST((percentile.low >= 1.0 && percentile.high <= 2.0));
}

BOOST_AUTO_TEST_CASE(refused_input) {
  lancet::drawn_resamples const draws{{1, "x"}, 50};
  std::vector<double> const one = {1}, x = {1, 2, 3}, zeros = {0, 0, 0}, sparse = {0, 0, 1};
  BOOST_CHECK_THROW((void)lancet::bootstrap_mean(one, draws), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_mean(x, draws, {.confidence = 0.0}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_mean(x, lancet::drawn_resamples{{1, "x"}, 1}),
                    lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_mean(x, lancet::drawn_resamples{{1, "x"}, -1}),
                    lancet::usage_error);
  auto const with = [&](std::vector<std::int32_t> const& indices) {
    (void)lancet::bootstrap_mean(x, lancet::given_resamples{indices});
  };
  BOOST_CHECK_THROW(with({0, 1, 2, 0}), lancet::usage_error);
  BOOST_CHECK_THROW(with({0, 1, 2, 0, 1, 3}), lancet::usage_error);
  BOOST_CHECK_THROW(with({0, 1, 2, 0, 1, -1}), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_relative_reduction(zeros, x, draws), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_relative_reduction(sparse, x, draws), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::bootstrap_paired(
                        before, x, [](auto, auto) { return 0.0; }, draws),
                    lancet::usage_error);
  auto const undefined = [](std::span<double const>) { return std::numeric_limits<double>::quiet_NaN(); };
  BOOST_CHECK_THROW((void)lancet::bootstrap(x, undefined, draws), lancet::usage_error);
}
