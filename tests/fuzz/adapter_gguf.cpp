// SPDX-License-Identifier: Apache-2.0
// Any bytes are a LoRA adapter or a control vector for a small Llama, or a file_error.
#include <cstddef>

#include "fuzz/memory_file.hpp"
#include "lancet/io/control_vector.hpp"
#include "lancet/io/lora_gguf.hpp"
#include "support/tiny_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  static lancet_test::memory_file const file("adapter");
  static lancet::architecture const arch = lancet_test::llama_like();
  if (size == 0) return 0;
  std::string const path = file.hold(data, size);
  auto const reads = [](auto&& read) {
    try {
      for (lancet::host_part const& p : read()) {
        auto const numbers = static_cast<std::size_t>(p.what.rank) * p.what.columns.size();
        if (p.a.size() != numbers) __builtin_trap();
      }
    } catch (lancet::file_error const&) {  // every other exception is a finding
    }
  };
  reads([&] { return lancet::read_lora_gguf(path, arch); });
  reads([&] { return lancet::read_control_vector(path, arch); });
  return 0;
}
