// SPDX-License-Identifier: Apache-2.0
// Kinds of tokenizers.
#pragma once

namespace lancet {

/// How words become tokens.
enum class tokenizer_kind {
  byte_bpe,       ///< byte_bpe.hpp: GPT-2, Llama 3, Qwen, SmolLM, RoBERTa
  sentencepiece,  ///< sentencepiece.hpp: Llama 2, Gemma, Mistral, Phi-3
  unigram,        ///< unigram.hpp: T5, XLM-R
  wordpiece,      ///< wordpiece.hpp: BERT
};

}  // namespace lancet
