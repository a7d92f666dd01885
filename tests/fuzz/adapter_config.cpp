// SPDX-License-Identifier: Apache-2.0
// Any bytes are an adapter_config.json with a rank and a scale for a module, or a file_error.
#include <cmath>
#include <cstddef>

#include "fuzz/memory_file.hpp"
#include "lancet/io/detail/peft_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  static lancet_test::memory_file const file("adapter_config");
  try {
    auto const settings = lancet::detail::read_peft_config(file.hold(data, size));
    if (settings.rank_of("model.layers.1.self_attn.o_proj") < 1) __builtin_trap();
    (void)settings.scale_of("model.layers.1.self_attn.o_proj");
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
