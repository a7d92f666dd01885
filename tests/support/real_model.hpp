// SPDX-License-Identifier: Apache-2.0
// Where the real model is: $LANCET_MODEL, or a GGUF file in the folder `models` of the source tree. It is not
// part of it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace lancet_test {

/// The path of SmolLM2-135M-Instruct.Q4_1.gguf; empty, with a visible line, where there is none.
[[nodiscard]] inline std::string real_model(std::string_view what) {
  constexpr std::string_view name = "SmolLM2-135M-Instruct.Q4_1.gguf";
  std::string path;
  if (char const* const given = std::getenv("LANCET_MODEL")) path = given;
  if (path.empty()) path = LANCET_SOURCE_DIR "/models/" + std::string(name);
  if (path.ends_with(name) && std::ifstream(path).good()) return path;
  std::printf("SKIPPED %.*s: neither LANCET_MODEL nor models/ names %s\n", static_cast<int>(what.size()),
              what.data(), std::string(name).c_str());
  return {};
}

}  // namespace lancet_test
