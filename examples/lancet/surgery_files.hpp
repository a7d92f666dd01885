// SPDX-License-Identifier: Apache-2.0
// What of `lancet surgery` has to do with no backend; compiled once.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace program {

/// The folder OUTPUT/planted with the planted model and its data, written unless it is there. A dry run gets
/// a temporary folder instead, which goes with this object.
class planted_files {
 public:
  planted_files(std::string const& output, bool dry_run);
  ~planted_files();
  planted_files(planted_files const&) = delete;
  planted_files& operator=(planted_files const&) = delete;
  [[nodiscard]] std::string const& folder() const { return folder_; }

 private:
  std::string folder_, temporary_;
};

/// report.html, atlas.json and, last, report.json: its presence says that everything is there.
void write_report(std::string const& folder, nlohmann::json const& report);

}  // namespace program
