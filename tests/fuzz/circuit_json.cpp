// SPDX-License-Identifier: Apache-2.0
// Any JSON is a circuit that reads the same once written, or a file_error.
#include <cstddef>

#include "lancet/io/circuit_json.hpp"
#include "lancet/io/json_parse.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  try {
    auto const json = lancet::parse_json({reinterpret_cast<char const*>(data), size}, "fuzzed");
    auto const circuit = lancet::circuit_from_json(lancet::json_field(json, "fuzzed"));
    nlohmann::json const written = lancet::to_json(circuit);
    if (lancet::circuit_from_json(lancet::json_field(written, "fuzzed")).units != circuit.units)
      __builtin_trap();
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
