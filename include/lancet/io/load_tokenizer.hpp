// SPDX-License-Identifier: Apache-2.0
// The tokenizer that comes with a model.
#pragma once

#include <string>

#include "lancet/io/tokenizer.hpp"

namespace lancet {

class gguf_file;  // gguf.hpp

/// Of a GGUF file's metadata. Throws as read_gguf_tokenizer and `tokenizer` do.
[[nodiscard]] tokenizer load_gguf_tokenizer(gguf_file const& file);

/// Of a tokenizer.json. Throws as read_tokenizer_json and `tokenizer` do.
[[nodiscard]] tokenizer load_tokenizer_json(std::string const& path);

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/detail/load_tokenizer.hpp"
#endif
