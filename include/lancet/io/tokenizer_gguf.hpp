// SPDX-License-Identifier: Apache-2.0
// The tokenizer in a GGUF file's metadata (tokenizer.ggml.*, see ggml's docs/gguf.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/split.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/tokenizer_parts.hpp"

namespace lancet {

namespace detail {

/// What a value of tokenizer.ggml.pre stands for: the format names the way of cutting text, it does not
/// describe it. Nor does it speak of normalisation, which is set here where the models' own tokenizers have
/// it.
struct gguf_pre_tokenizer {
  std::string_view name;
  std::vector<split_step> steps;
  struct {
    bool ignore_merges = false;
    bool nfc = false;
  } also = {};
};

[[nodiscard]] inline std::vector<gguf_pre_tokenizer> gguf_pre_tokenizers() {
  using enum split_rule;
  return {{"gpt-2", {gpt2}},
          {"phi-2", {gpt2}},
          {"jais", {gpt2}},
          {"mpt", {gpt2}, {.nfc = true}},
          {"olmo", {gpt2}, {.nfc = true}},
          {"smollm", {digits, gpt2}},
          {"starcoder", {digits, gpt2}},
          {"refact", {digits, gpt2}},
          {"codeshell", {digits, gpt2}},
          {"llama-bpe", {llama3}, {.ignore_merges = true}},
          {"llama3", {llama3}, {.ignore_merges = true}},
          {"llama-v3", {llama3}, {.ignore_merges = true}},
          {"falcon3", {llama3}, {.ignore_merges = true}},
          {"dbrx", {llama3}},
          {"smaug-bpe", {llama3}},
          {"qwen2", {qwen2}, {.nfc = true}},
          {"deepseek-r1-qwen", {qwen2}},
          {"stablelm2", {qwen2}},
          {"gpt-4o", {gpt4o}},
          {"tekken", {tekken}, {.ignore_merges = true}},
          {"deepseek-v3", {digit_triples, cjk_runs, deepseek3}}};
}

}  // namespace detail

/// The parts of a GGUF file's tokenizer. Start and end tokens are those that the file names; whether its
/// tokenizer.ggml.add_bos_token asks for the start token is not looked at, the caller of encode decides.
/// Throws file_error for other models than byte-level BPE ("gpt2"), for unknown ways of cutting text, and for
/// what does not fit together.
[[nodiscard]] inline tokenizer_parts read_gguf_tokenizer(gguf_file const& file) {
  auto const fail = [&](std::string const& what) { throw file_error(file.path(), what); };
  auto const model = file.get<std::string_view>("tokenizer.ggml.model");
  if (model != "gpt2") {
    fail("tokenizer.ggml.model: got '" + escape_utf8(model) + "', expected 'gpt2' (byte-level BPE)");
  }
  tokenizer_parts parts;
  parts.source = file.path();

  auto const pre = file.get<std::string_view>("tokenizer.ggml.pre");
  std::string known;
  for (auto const& candidate : detail::gguf_pre_tokenizers()) {
    known += (known.empty() ? "" : ", ") + std::string(candidate.name);
    if (candidate.name != pre) continue;
    parts.steps = candidate.steps;
    parts.ignore_merges = candidate.also.ignore_merges;
    if (candidate.also.nfc) parts.normalize = {nfc_form{}};
  }
  if (parts.steps.empty())
    fail("tokenizer.ggml.pre: got '" + escape_utf8(pre) + "', expected one of " + known);

  parts.tokens = file.get_list<std::string>("tokenizer.ggml.tokens");
  auto const n_tokens = std::to_string(parts.tokens.size());
  auto const types = file.get_list<std::int32_t>("tokenizer.ggml.token_type");
  if (types.size() != parts.tokens.size()) {
    fail("tokenizer.ggml.token_type: got " + std::to_string(types.size()) +
         " types, expected one for each of " + n_tokens + " tokens");
  }
  enum token_type : std::int32_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
  };
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto const id = static_cast<std::int32_t>(i);
    if (types[i] < normal || types[i] > byte) {
      fail("tokenizer.ggml.token_type[" + std::to_string(i) + "]: got " + std::to_string(types[i]) +
           ", expected 1 to 6");
    }
    if (types[i] == control || types[i] == unknown) parts.added.push_back({.id = id, .special = true});
    if (types[i] == user_defined) parts.added.push_back({.id = id, .normalized = true});
  }

  auto const merges = file.get_list<std::string_view>("tokenizer.ggml.merges");
  parts.merges.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    auto const space = merges[rank].find(' ');
    if (space == merges[rank].npos || merges[rank].find(' ', space + 1) != merges[rank].npos) {
      fail("tokenizer.ggml.merges[" + std::to_string(rank) + "]: got '" + escape_utf8(merges[rank]) +
           "', expected two tokens with one space between them");
    }
    parts.merges.push_back(
        {std::string(merges[rank].substr(0, space)), std::string(merges[rank].substr(space + 1))});
  }
  parts.bos = file.get_optional<std::int32_t>("tokenizer.ggml.bos_token_id");
  parts.eos = file.get_optional<std::int32_t>("tokenizer.ggml.eos_token_id");
  return parts;
}

}  // namespace lancet
