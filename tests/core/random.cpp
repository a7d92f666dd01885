// SPDX-License-Identifier: Apache-2.0
// Philox streams: published test vectors, stored draws, and the laws of random access.
#define BOOST_TEST_DYN_LINK
#define BOOST_TEST_MODULE core_random
#include "lancet/core/random.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "lancet/core/numpy_random.hpp"

using lancet::philox_stream;

namespace {

struct moments {
  double mean = 0.0, variance = 0.0, kurtosis = 0.0;
};

moments moments_of(std::vector<double> const& values) {
  auto const n = static_cast<double>(values.size());
  moments m;
  for (double const v : values) m.mean += v / n;
  for (double const v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  for (double const v : values) m.kurtosis += std::pow(v - m.mean, 4) / n / (m.variance * m.variance);
  return m;
}

}  // namespace

// philox4x32-10 written out, against the three known answers that Random123 publishes; then the stream
// against it.
BOOST_AUTO_TEST_CASE(known_answers) {
  using four = std::array<std::uint32_t, 4>;
  auto const philox = [](four c, std::array<std::uint32_t, 2> k) {
    for (int round = 0; round < 10; ++round) {
      std::uint64_t const a = std::uint64_t{0xD2511F53U} * c[0];
      std::uint64_t const b = std::uint64_t{0xCD9E8D57U} * c[2];
      c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
           static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
      k = {k[0] + 0x9E3779B9U, k[1] + 0xBB67AE85U};
    }
    return c;
  };
  std::uint32_t const ones = 0xffffffffU;
  BOOST_TEST((philox({0, 0, 0, 0}, {0, 0}) == four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST((philox({ones, ones, ones, ones}, {ones, ones}) ==
              four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));

  auto const low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  auto const high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
  for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0xfedcba9876543210U}}) {
    for (std::uint64_t counter : {std::uint64_t{0}, std::uint64_t{0x123456789abcdef0U}, ~std::uint64_t{1}}) {
      philox_stream const rng{seed, std::uint64_t{0x0123456789abcdefU}};
      four const out = philox({low(counter / 2), high(counter / 2), low(rng.id()), high(rng.id())},
                              {low(seed), high(seed)});
      BOOST_TEST(rng.bits(counter) == (out[0] | std::uint64_t{out[1]} << 32));
      BOOST_TEST(rng.bits(counter + 1) == (out[2] | std::uint64_t{out[3]} << 32));
    }
  }
}

// These numbers are philox/1, computed from the description alone in another language. If one of them
// changes, rng_version has to change too.
BOOST_AUTO_TEST_CASE(stored_draws, *boost::unit_test::tolerance(1e-15)) {
  BOOST_TEST(lancet::rng_version == "philox/1");
  philox_stream const rng{42, "noise"};
  BOOST_TEST(rng.id() == 0x833e46646e4ede8bU);
  BOOST_TEST(rng.bits(0) == 0x3cbdde023d4a8905U);
  BOOST_TEST(rng.bits(1) == 0xa1e1722609e7fe38U);
  BOOST_TEST(rng.bits(2) == 0xd35b58eaa18e1909U);
  BOOST_TEST(rng.at(3, -1).bits(7) == 0x7d0cd2cdd6210002U);
  BOOST_TEST(rng.normal(0) == -0.4958682340878971);
  BOOST_TEST(rng.normal(1) == -0.5438958257986787);
  std::vector<std::ptrdiff_t> const order = {5, 7, 3, 1, 4, 2, 6, 0};
  BOOST_TEST(lancet::random_permutation(8, rng) == order, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_draw_depends_on_its_place_only) {
  philox_stream const rng{7, "noise"};
  std::vector<double> all(1001);
  rng.fill_normal<double>(all);
  for (std::uint64_t i : {1000U, 3U, 512U, 0U, 1U, 999U}) BOOST_TEST(rng.normal(i) == all[i]);

  std::vector<double> odd_start(10);  // starts in the second half of a block
  rng.fill_normal<double>(odd_start, 5);
  for (std::size_t i = 0; i < 10; ++i) BOOST_TEST(odd_start[i] == all[i + 5]);

  std::vector<double> threaded(1001);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::size_t const begin = 333 * t, end = t == 2 ? 1001 : begin + 333;
      rng.fill_normal(std::span(threaded).subspan(begin, end - begin), begin);
    });
  }
  for (auto& thread : threads) thread.join();
  BOOST_TEST(threaded == all);
}

BOOST_AUTO_TEST_CASE(streams_and_places_differ) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    for (auto const* name : {"", "noise", "noisf", "bootstrap"}) {
      philox_stream const rng{seed, name};
      for (int layer = -1; layer < 4; ++layer) {
        for (int position = 0; position < 5; ++position) seen.insert(rng.at(layer, position).bits(0));
      }
    }
  }
  BOOST_TEST(seen.size() == 3U * 4U * 5U * 5U);
  philox_stream const rng{1, "x"};
  BOOST_TEST(rng.at(1, 2).id() == rng.at(1).at(2).id());
  BOOST_TEST(rng.at(1, 2).id() != rng.at(2, 1).id());
  BOOST_TEST(rng.at().id() == rng.id());
}

BOOST_AUTO_TEST_CASE(uniform_has_the_right_moments_and_range) {
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    std::vector<double> u(200000);
    philox_stream{seed, "u"}.fill_uniform<double>(u);
    auto const m = moments_of(u);
    BOOST_TEST(std::abs(m.mean - 0.5) < 0.004);  // six standard errors
    BOOST_TEST(std::abs(m.variance - 1.0 / 12) < 0.001);
    BOOST_TEST(*std::min_element(u.begin(), u.end()) >= 0.0);
    BOOST_TEST(*std::max_element(u.begin(), u.end()) < 1.0);
    std::vector<float> f(200000);
    philox_stream{seed, "u"}.fill_uniform<float>(f);
    BOOST_TEST(*std::max_element(f.begin(), f.end()) < 1.0F);
    for (std::size_t i = 0; i < 100; ++i) BOOST_TEST(std::abs(f[i] - u[i]) <= 0x1p-24);
  }
}

BOOST_AUTO_TEST_CASE(normal_has_the_right_moments) {
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    std::vector<double> z(200000);
    philox_stream{seed, "z"}.fill_normal<double>(z);
    auto const m = moments_of(z);
    BOOST_TEST(std::abs(m.mean) < 0.0134);
    BOOST_TEST(std::abs(m.variance - 1.0) < 0.019);
    BOOST_TEST(std::abs(m.kurtosis - 3.0) < 0.066);
    double neighbours = 0.0;
    for (std::size_t i = 0; i + 1 < z.size(); ++i) neighbours += z[i] * z[i + 1];
    BOOST_TEST(std::abs(neighbours / 200000.0) < 0.0134);
    auto const beyond = std::count_if(z.begin(), z.end(), [](double v) { return std::abs(v) > 1.959963985; });
    BOOST_TEST(std::abs(static_cast<double>(beyond) - 10000.0) < 600.0);
  }
}

BOOST_AUTO_TEST_CASE(integers_are_equally_likely) {
  philox_stream const rng{5, "dice"};
  std::vector<double> count(7);
  for (std::uint64_t i = 0; i < 70000; ++i) count[rng.below(i, 7)] += 1.0;
  double chi_square = 0.0;
  for (double const c : count) chi_square += (c - 10000.0) * (c - 10000.0) / 10000.0;
  BOOST_TEST(chi_square < 33.1);  // 1e-5 of chi-square with 6 degrees of freedom

  // With a bound of 3 * 2^62 a plain remainder would give the lowest third twice as often as each other
  // third.
  std::vector<double> third(3);
  std::uint64_t const bound = std::uint64_t{3} << 62;
  for (std::uint64_t i = 0; i < 30000; ++i) third[rng.below(i, bound) >> 62] += 1.0;
  for (double const c : third) BOOST_TEST(std::abs(c - 10000.0) < 500.0);

  for (std::uint64_t i = 0; i < 100; ++i) {
    BOOST_TEST(rng.below(i, 1) == 0U);
    auto const v = rng.between(i, -2, 2);
    BOOST_TEST((v >= -2 && v <= 2));
  }
  BOOST_TEST(rng.between(9, INT64_MIN, INT64_MAX) ==
             static_cast<std::int64_t>(rng.bits(9) + static_cast<std::uint64_t>(INT64_MIN)));
  BOOST_CHECK_THROW((void)rng.below(0, 0), lancet::usage_error);
  BOOST_CHECK_THROW((void)rng.between(0, 1, 0), lancet::usage_error);
}

BOOST_AUTO_TEST_CASE(permutations_are_permutations_and_equally_likely) {
  auto const order = lancet::random_permutation(100, {3, "order"});
  BOOST_TEST(std::set<std::ptrdiff_t>(order.begin(), order.end()).size() == 100U);
  BOOST_TEST(!std::is_sorted(order.begin(), order.end()));
  auto const some = lancet::sample_without_replacement(100, 10, {3, "order"});
  BOOST_TEST(some == std::vector<std::ptrdiff_t>(order.begin(), order.begin() + 10),
             boost::test_tools::per_element());

  std::map<std::vector<std::ptrdiff_t>, int> count;
  philox_stream const rng{11, "orders"};
  for (int i = 0; i < 24000; ++i) ++count[lancet::random_permutation(4, rng.at(i))];
  BOOST_TEST(count.size() == 24U);
  for (auto const& [_, c] : count) BOOST_TEST(std::abs(c - 1000) < 190);  // six standard deviations

  std::vector<std::ptrdiff_t> shuffled(100);
  for (std::size_t i = 0; i < 100; ++i) shuffled[i] = static_cast<std::ptrdiff_t>(i);
  lancet::shuffle(std::span(shuffled), {3, "order"});
  BOOST_TEST(shuffled == order, boost::test_tools::per_element());

  BOOST_TEST(lancet::random_permutation(0, rng).empty());
  BOOST_TEST(lancet::random_permutation(1, rng).size() == 1U);
  BOOST_CHECK_THROW((void)lancet::sample_without_replacement(3, 4, rng), lancet::usage_error);
  BOOST_CHECK_THROW((void)lancet::sample_without_replacement(3, -1, rng), lancet::usage_error);
}

// numpy 2.4: RandomState(1).randn(1000), RandomState(123456789).randn(4), RandomState(2**32 - 1).randn(1).
BOOST_AUTO_TEST_CASE(numpy_draws, *boost::unit_test::tolerance(1e-15)) {
  lancet::numpy_normal one{1};
  for (double const expected :
       {1.6243453636632417, -0.6117564136500754, -0.5281717522634557, -1.0729686221561705, 0.8654076293246785,
        -2.3015386968802827, 1.74481176421648, -0.7612069008951028, 0.31903909605709857,
        -0.2493703754774101}) {
    BOOST_TEST(one() == expected);
  }
  std::vector<double> rest(990);
  one.fill<double>(rest);
  BOOST_TEST(rest[987] == -0.06962453945512911);
  BOOST_TEST(rest[989] == -0.18695501653274957);
  lancet::numpy_normal other{123456789};
  for (double const expected :
       {2.2129019979039612, 2.128397797652002, 1.8417114045748335, 0.08238247951406152}) {
    BOOST_TEST(other() == expected);
  }
  lancet::numpy_normal largest{0xffffffffU};
  BOOST_TEST(largest() == 0.6484086742306527);
}
