// SPDX-License-Identifier: Apache-2.0
// The reference values of the statistics, as JSON.
#pragma once

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/stats/alternative.hpp"
#include "support/shared.hpp"

namespace lancet_test {

[[nodiscard]] inline nlohmann::json golden(std::string_view name) {
  std::ifstream file(shared("goldens/stats/" + std::string(name)));
  return nlohmann::json::parse(file);
}

[[nodiscard]] inline std::vector<double> numbers(nlohmann::json const& values) {
  return values.get<std::vector<double>>();
}

inline std::array<std::pair<char const*, lancet::alternative>, 3> const claims = {
    {{"two-sided", lancet::alternative::two_sided},
     {"less", lancet::alternative::less},
     {"greater", lancet::alternative::greater}}};

}  // namespace lancet_test
