// SPDX-License-Identifier: Apache-2.0
// What becomes of a report; compiled once for all backends.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace program {

/// report.html, atlas.json and, last, report.json: its presence says that everything is there.
void write_report(std::string const& folder, nlohmann::json const& report);

}  // namespace program
