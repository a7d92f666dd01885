// SPDX-License-Identifier: Apache-2.0
// The planted model and its data as files of a surgery.
#pragma once

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

}  // namespace program
