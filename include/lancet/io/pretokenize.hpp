// SPDX-License-Identifier: Apache-2.0
// Cutting text into the words that byte-pair merges never cross: scanners for the known families of patterns.
#pragma once

#include <cstddef>
#include <string_view>

#include "lancet/io/detail/scan.hpp"
#include "lancet/io/detail/scan_families.hpp"

namespace lancet {

/// How a text is cut: at the matches of a pattern (known_patterns.hpp has them in full), matches and what
/// lies between them being the pieces. The pieces add up to the text.
enum class split_rule {
  gpt2,    ///< GPT-2, GPT-NeoX, SmolLM: contractions, words, numbers and signs, each with a space before it
  llama3,  ///< Llama 3, cl100k: numbers of up to three digits, signs with the line breaks after them
  qwen2,   ///< Qwen 2 and 3: as llama3, with single digits
  gpt4o,   ///< o200k: as llama3, words also end where capital letters begin
  tekken,  ///< Mistral Nemo: as gpt4o, with single digits and without contractions
  deepseek3,      ///< the third pattern of DeepSeek V3
  cjk_runs,       ///< its second one: runs of Chinese characters and kana
  digits,         ///< \p{N}
  digit_runs,     ///< \p{N}+
  digit_triples,  ///< \p{N}{1,3}
};

/// The end of the piece of `text` that begins at byte `at`. Precondition: at < text.size(), and `at` begins a
/// piece. Text may be ill-formed UTF-8. No recursion; linear in the text over all its pieces.
[[nodiscard]] inline std::size_t piece_end(split_rule rule, std::string_view text, std::size_t at) noexcept {
  switch (rule) {
    case split_rule::gpt2:
      return detail::scan_gpt2(text, at);
    case split_rule::llama3:
      return detail::scan_llama3(text, at, 3);
    case split_rule::qwen2:
      return detail::scan_llama3(text, at, 1);
    case split_rule::gpt4o:
      return detail::scan_gpt4o(text, at, 3, true);
    case split_rule::tekken:
      return detail::scan_gpt4o(text, at, 1, false);
    case split_rule::deepseek3:
      return detail::scan_deepseek3(text, at);
    case split_rule::cjk_runs:
      return detail::scan_cjk(text, at);
    case split_rule::digits:
      return detail::scan_digits(text, at, 1);
    case split_rule::digit_runs:
      return detail::scan_digits(text, at, static_cast<std::size_t>(-1));
    case split_rule::digit_triples:
      return detail::scan_digits(text, at, 3);
  }
  return text.size();
}

}  // namespace lancet
