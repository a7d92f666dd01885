// SPDX-License-Identifier: Apache-2.0
// Any JSON is an atlas that can be merged with itself and written, or a file_error.
#include <cstddef>

#include "lancet/atlas/atlas.hpp"
#include "lancet/io/json_parse.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  try {
    auto const json = lancet::parse_json({reinterpret_cast<char const*>(data), size}, "fuzzed");
    auto const atlas = lancet::atlas::from_json(json, "fuzzed");
    (void)lancet::merge(atlas, atlas);
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
