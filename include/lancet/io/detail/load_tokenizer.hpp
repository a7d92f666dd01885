// SPDX-License-Identifier: Apache-2.0
// The bodies of what io/load_tokenizer.hpp declares.
#pragma once

#include <string>

#include "lancet/core/inline.hpp"
#include "lancet/io/load_tokenizer.hpp"
#include "lancet/io/tokenizer_gguf.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

LANCET_INLINE tokenizer load_gguf_tokenizer(gguf_file const& file) {
  return tokenizer(read_gguf_tokenizer(file));
}

LANCET_INLINE tokenizer load_tokenizer_json(std::string const& path) {
  return tokenizer(read_tokenizer_json(path));
}

}  // namespace lancet
