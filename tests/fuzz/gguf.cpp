// SPDX-License-Identifier: Apache-2.0
// Any bytes are a GGUF file whose contents can be used, or a file_error.
#include "lancet/io/gguf.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  try {
    auto const file = lancet::gguf_file::parse(std::as_bytes(std::span(data, size)), "fuzzed");
    for (auto const& value : file.metadata()) {
      if (value.is_array && value.type == lancet::gguf_type::string)
        (void)value.as_list<std::string_view>("fuzzed");
      if (value.is_array && value.type == lancet::gguf_type::f32) (void)value.as_list<float>("fuzzed");
      if (file.find(value.key) == nullptr) __builtin_trap();
    }
    for (auto const& tensor : file.tensors()) {
      if (lancet::is_dequantizable(tensor.type)) (void)lancet::read_floats(tensor);
      if (file.tensors().find(tensor.name) == nullptr) __builtin_trap();
    }
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
