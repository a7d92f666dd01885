// SPDX-License-Identifier: Apache-2.0
// Every scaling of rotary embedding, from config.json to frequencies, against those of transformers 5.23 (head size 16,
// base 10000 unless said, context 1024, float32).
#define BOOST_TEST_MODULE io_rope_config
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "lancet/io/family/config.hpp"
#include "lancet/io/json_parse.hpp"
#include "support/errors.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using lancet::index;

rope_settings settings_of(std::string const& parameters, bool legacy = false) {
  std::string const where = "config.json";
  nlohmann::json const json =
      parse_json(R"({"max_position_embeddings": 1024, ")" +
                     std::string(legacy ? "rope_scaling" : "rope_parameters") + "\": " + parameters + "}",
                 where);
  detail::config const c{json, where};
  detail::config const object = detail::rope_object(c);
  return detail::read_rope(object, c, object.value<double>("rope_theta", 10000), 16);
}

void check(rope_settings const& r, index length, std::vector<double> const& expected, double magnitude = 1) {
  std::vector<double> const got = r.frequencies(length);
  BOOST_REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    BOOST_TEST(std::abs(got[i] / expected[i] - 1) < 3e-7,
               "pair " << i << ": " << got[i] << ", " << expected[i]);
  BOOST_TEST(std::abs(r.magnitude - magnitude) < 1e-12);
}

BOOST_AUTO_TEST_CASE(plain_and_linear) {
  check(settings_of(R"({"rope_type": "default"})"), 5,
        {1, 0.316227766, 0.1, 0.0316227766, 0.01, 0.00316227766, 0.001, 0.000316227766});
  std::vector<double> const by_four{0.25,          0.079056941,    0.0250000004,   0.00790569466,
                                    0.00249999994, 0.000790569466, 0.000250000012, 7.90569466e-05};
  check(settings_of(R"({"rope_type": "linear", "factor": 4.0})"), 100, by_four);
  check(settings_of(R"({"type": "linear", "factor": 4.0})", true), 100, by_four);
}

// Left out, either would change what is computed.
BOOST_AUTO_TEST_CASE(settings_that_would_be_passed_over_are_refused) {
  std::string const where = "config.json";
  auto const read = [&](char const* text) {
    nlohmann::json const json = parse_json(text, where);
    return detail::rope_object({json, where}).value<double>("factor", 1);
  };
  BOOST_TEST(read(R"({"rope_scaling": null, "rope_parameters": {"factor": 3}})") == 3);
  BOOST_TEST(read(R"({"rope_scaling": {"factor": 3}, "rope_parameters": {"factor": 3}})") == 3);
  check_throws<file_error>([&] { read(R"({"rope_scaling": "linear"})"); },
                           "config.json: rope_scaling: got string, expected an object");
  check_throws<file_error>([&] { read(R"({"rope_parameters": [2]})"); },
                           "config.json: rope_parameters: got array, expected an object");
  check_throws<file_error>(
      [&] { read(R"({"rope_scaling": {"factor": 3}, "rope_parameters": {"factor": 2}})"); },
      "rope_scaling: got other settings than those of rope_parameters");
}

BOOST_AUTO_TEST_CASE(dynamic_follows_the_sequence) {
  rope_settings const r = settings_of(R"({"rope_type": "dynamic", "factor": 2.0})");
  check(r, 100, {1, 0.316227764, 0.1, 0.0316227786, 0.01, 0.00316227786, 0.001, 0.000316227786});
  check(r, 3000,
        {1, 0.252299905, 0.0636552423, 0.0160602108, 0.00405198941, 0.00102231663, 0.000257930369,
         6.50758084e-05});
  BOOST_TEST(r.regime(100) == r.regime(1024));
  BOOST_TEST(r.regime(1025) != r.regime(1026));
}

BOOST_AUTO_TEST_CASE(llama3) {
  check(settings_of(R"({"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
                        "high_freq_factor": 4.0, "original_max_position_embeddings": 256})"),
        100,
        {1, 0.193922758, 0.0105382307, 0.000911583134, 0.000176776681, 3.42810235e-05, 6.64786967e-06,
         1.28917316e-06});
}

BOOST_AUTO_TEST_CASE(yarn) {
  check(settings_of(R"({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256})"), 100,
        {1, 0.25693506, 0.0625, 0.0138349654, 0.0025, 0.000790569466, 0.00025, 7.90569466e-05},
        1.138629436111989);
  check(settings_of(
            R"({"rope_type": "yarn", "factor": 40.0, "mscale": 0.707, "mscale_all_dim": 1.3, "beta_fast": 16,
                        "beta_slow": 2, "truncate": false, "original_max_position_embeddings": 256})"),
        100, {1, 0.284114987, 0.0358637124, 0.000790569466, 0.00025, 7.90569466e-05, 2.5e-05, 7.90569447e-06},
        0.8521510516131852);
}

BOOST_AUTO_TEST_CASE(longrope_has_two_sets) {
  rope_settings const r =
      settings_of(R"({"rope_type": "longrope", "short_factor": [1,1.1,1.2,1.3,1.4,1.5,1.6,1.7],
      "long_factor": [1,2,3,4,5,6,7,8], "original_max_position_embeddings": 256})");
  check(r, 256,
        {1, 0.287479758, 0.0833333358, 0.0243252143, 0.00714285718, 0.00210818532, 0.000624999986,
         0.000186016332},
        1.118033988749895);
  check(r, 257,
        {1, 0.158113882, 0.0333333351, 0.00790569466, 0.002, 0.00052704633, 0.000142857141, 3.95284733e-05},
        1.118033988749895);
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_refused) {
  auto const refused = [](std::string const& json, std::string_view sentence) {
    check_throws<file_error>([&] { static_cast<void>(settings_of(json)); }, sentence);
  };
  refused(R"({"rope_type": "mrope"})", "rope_type: got 'mrope', expected default, linear");
  refused(R"({"rope_type": "linear"})", "factor");
  refused(R"({"rope_type": "linear", "factor": 0})", "factor: got 0.000000, expected a positive number");
  refused(R"({"rope_type": "default", "mrope_section": [1, 2]})", "got key 'mrope_section'");
  refused(R"({"rope_type": "longrope", "short_factor": [1, -1], "long_factor": [1]})",
          "short_factor: got -1");
}

}  // namespace
}  // namespace lancet_test
