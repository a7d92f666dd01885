// SPDX-License-Identifier: Apache-2.0
// Any JSON is a configuration whose rotation can be computed, or a file_error.
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "lancet/io/family.hpp"
#include "lancet/io/json_parse.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  static lancet::tensor_table const tensors = [] {
    std::vector<lancet::tensor_entry> all;
    for (char const* const name :
         {"classifier.weight", "cls.predictions.bias", "lm_head.bias", "transformer.wte.weight", "x"})
      all.push_back({.name = name});
    return lancet::tensor_table("model.safetensors", std::move(all));
  }();
  try {
    auto const json = lancet::parse_json({reinterpret_cast<char const*>(data), size}, "fuzzed");
    auto const model = lancet::describe_config(json, "fuzzed", tensors);
    if (model.arch.rope.dims > 4096) return 0;
    for (double const f : model.arch.rope.frequencies(100))
      if (std::isnan(f)) __builtin_trap();
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
