// SPDX-License-Identifier: Apache-2.0
// Tokenizers in the format of Hugging Face's tokenizers library (tokenizer.json).
#pragma once

#include <string>

#include "lancet/io/json.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

struct tokenizer_json_options {
  /// For patterns that no scanner stands for; without it they are refused.
  pattern_compiler patterns = nullptr;
};

/// The parts of the tokenizer in a parsed tokenizer.json; `where` names the document in errors. The start
/// token is what the file's template puts in front of a text. `truncation` and `padding` are not looked at:
/// lancet never shortens or pads a text. Throws file_error for whatever would change ids and is not
/// supported, naming the key.
[[nodiscard]] tokenizer_parts parse_tokenizer_json(nlohmann::json const& document, std::string const& where,
                                                   tokenizer_json_options const& options = {});

/// The same from a file.
[[nodiscard]] inline tokenizer_parts read_tokenizer_json(std::string const& path,
                                                         tokenizer_json_options const& options = {}) {
  return parse_tokenizer_json(read_json(path), path, options);
}

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/detail/tokenizer_json_reader.hpp"
#endif
