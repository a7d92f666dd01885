// SPDX-License-Identifier: Apache-2.0
// Any JSON is a tokenizer that encodes and decodes every text, or a file_error.
#include <cstddef>
#include <string_view>

#include "lancet/io/json_parse.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  try {
    auto const json = lancet::parse_json({reinterpret_cast<char const*>(data), size}, "fuzzed");
    lancet::tokenizer const tokens(lancet::parse_tokenizer_json(json, "fuzzed"));
    for (std::string_view const text :
         {"", " a  b\n", "The nurse said\xff that 12 \xc3\xa9\xe4\xb8\x80", "hello hello"})
      (void)tokens.decode(tokens.encode(text));
  } catch (lancet::file_error const&) {
    return 0;  // every other exception is a finding
  }
  return 0;
}
