// SPDX-License-Identifier: Apache-2.0
// What is accepted means the same to nlohmann's own parser; what that refuses is refused here too.
#include "lancet/io/json.hpp"

#include <cstddef>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  try {
    nlohmann::json const value = lancet::parse_json(text, "fuzzed");
    if (value != nlohmann::json::parse(text)) __builtin_trap();
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
