// SPDX-License-Identifier: Apache-2.0
// Any bytes are a safetensors file whose contents can be used, or a file_error.
#include "lancet/io/safetensors.hpp"

#include <cstddef>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  try {
    auto const file = lancet::safetensors_file::parse(std::as_bytes(std::span(data, size)), "fuzzed");
    std::size_t covered = 0;
    for (auto const& tensor : file.tensors()) {
      if (lancet::is_dequantizable(tensor.type)) (void)lancet::read_floats(tensor);
      covered += tensor.bytes.size();
    }
    if (covered > size) __builtin_trap();  // no byte belongs to two tensors
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
