// SPDX-License-Identifier: Apache-2.0
// Where the reference values are: $LANCET_SHARED, or the folder `shared` beside the source tree. They are not
// part of it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace lancet_test {

/// The path of a file below the folder of reference values; it need not exist.
[[nodiscard]] inline std::string shared(std::string_view relative) {
  char const* folder = std::getenv("LANCET_SHARED");
  std::string const root = folder != nullptr ? folder : LANCET_SOURCE_DIR "/../shared";
  return root + "/" + std::string(relative);
}

[[nodiscard]] inline bool have_shared(std::string_view relative = "goldens/README.md") {
  return std::ifstream(shared(relative)).good();
}

/// True where the reference values are missing; says so, visibly, with what is not tested because of it.
[[nodiscard]] inline bool skipped_without_shared(std::string_view what) {
  if (have_shared()) return false;
  std::printf("SKIPPED %.*s: no reference values in %s\n", static_cast<int>(what.size()), what.data(),
              shared("").c_str());
  return true;
}

}  // namespace lancet_test
