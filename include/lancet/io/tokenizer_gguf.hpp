// SPDX-License-Identifier: Apache-2.0
// The tokenizer in a GGUF file's metadata (tokenizer.ggml.*, see ggml's docs/gguf.md).
#pragma once

#include "lancet/io/gguf.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

/// The parts of a GGUF file's tokenizer. Start and end tokens are those that the file names; whether its
/// tokenizer.ggml.add_bos_token asks for the start token only matters for encode_options::add_special.
/// Throws file_error for models that are not known, for unknown ways of cutting text, and for what does not
/// fit together.
[[nodiscard]] tokenizer_parts read_gguf_tokenizer(gguf_file const& file);

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/detail/tokenizer_gguf_reader.hpp"
#endif
