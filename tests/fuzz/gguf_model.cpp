// SPDX-License-Identifier: Apache-2.0
// Any bytes are a GGUF model of a family, with a tokenizer that can be used, or a file_error.
#include <cstddef>
#include <vector>

#include "fuzz/memory_file.hpp"
#include "lancet/io/family.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_gguf.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  static lancet_test::memory_file const file("model");
  if (size == 0) return 0;
  try {
    auto const model = lancet::gguf_model::open(file.hold(data, size));
    (void)lancet::describe_gguf(model);
    lancet::tokenizer const tokens(lancet::read_gguf_tokenizer(model.head()));
    (void)tokens.decode_bytes(tokens.encode("The nurse said\xff that 12 \xc3\xa9"));
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
