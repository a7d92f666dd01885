// SPDX-License-Identifier: Apache-2.0
// What of `lancet surgery` has to do with no backend; compiled once.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace program {

/// The folder OUTPUT/planted with the planted model and its data, written unless it is there.
[[nodiscard]] std::string planted_folder(std::string const& output);

/// report.html, atlas.json and, last, report.json: its presence says that everything is there.
void write_report(std::string const& folder, nlohmann::json const& report);

}  // namespace program
