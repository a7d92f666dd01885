// SPDX-License-Identifier: Apache-2.0
// The table of families: the bodies of what io/family.hpp declares.
#pragma once

#include <string>
#include <string_view>

#include "lancet/core/inline.hpp"
#include "lancet/io/dequantize.hpp"
#include "lancet/io/family.hpp"
#include "lancet/io/family/bert.hpp"
#include "lancet/io/family/gguf.hpp"
#include "lancet/io/family/gpt.hpp"
#include "lancet/io/family/llama.hpp"
#include "lancet/io/gguf_shards.hpp"

namespace lancet {

namespace detail {

struct family_row {
  std::string_view model_type;  // of config.json
  model_description (*describe)(config const&, tensor_table const&);
};

inline constexpr family_row families[] = {
    {"llama", describe_llama},         {"mistral", describe_mistral}, {"qwen2", describe_qwen2},
    {"qwen3", describe_qwen3},         {"gemma2", describe_gemma2},   {"gemma3_text", describe_gemma3},
    {"phi3", describe_phi3},           {"olmo2", describe_olmo2},     {"gpt2", describe_gpt2},
    {"gpt_neox", describe_gpt_neox},   {"bert", describe_bert},       {"roberta", describe_roberta},
    {"xlm-roberta", describe_roberta},
};

[[noreturn]] inline void unknown_family(std::string const& where, std::string const& family,
                                        auto const& known) {
  std::string names;
  for (auto const name : known) names += (names.empty() ? "" : ", ") + std::string(name);
  throw file_error(where, "got architecture " + in_quotes(family) + ", expected one of: " + names);
}

/// A description whose sizes contradict each other is the file's fault.
[[nodiscard]] inline model_description checked(model_description m, std::string const& where) {
  try {
    validate_architecture(m.arch);
  } catch (usage_error const& error) {
    throw file_error(where, error.what());
  }
  return m;
}

/// Divisors of each pair's frequency that a GGUF file keeps as tensors: Llama 3's, or LongRoPE's short and long.
inline void read_rope_factors(gguf_keys const& k, rope_settings& r) {
  gguf_file const& file = k.file;
  auto const read = [&](char const* name) {
    std::vector<double> out;
    if (k.tensors.find(name)) {
      std::vector<float> values(static_cast<std::size_t>(r.dims / 2));
      tensor_entry const& fits = k.tensors.at(name, std::vector<std::ptrdiff_t>{r.dims / 2});
      require_numbers(fits, file.path());
      read_rows(fits, 0, 1, values);
      out.assign(values.begin(), values.end());
      for (double const v : out)
        if (!(v > 0))
          throw file_error(file.path(),
                           std::string(name) + ": got " + std::to_string(v) + ", expected positive numbers");
    }
    return out;
  };
  r.divisors = read("rope_freqs.weight");
  if (r.divisors.empty()) {
    r.divisors = read("rope_factors_short.weight");
    r.long_divisors = read("rope_factors_long.weight");
    if (r.divisors.empty() != r.long_divisors.empty())
      throw file_error(file.path(),
                       "has one of rope_factors_short.weight and rope_factors_long.weight, expected both");
  }
  if (!r.divisors.empty()) {
    if (r.scaling != rope_scaling::none)
      throw file_error(file.path(),
                       k.key("rope.scaling.type") + ": got another scaling beside factors for each pair");
    r.scaling = rope_scaling::factors;
  } else if (k.value<std::string>("rope.scaling.type", "none") == "longrope") {
    throw file_error(file.path(), k.key("rope.scaling.type") +
                                      ": got 'longrope' without tensor rope_factors_short.weight");
  }
}

}  // namespace detail

LANCET_INLINE model_description describe_config(nlohmann::json const& json, std::string const& where,
                                                tensor_table const& tensors) {
  std::string const type = get<std::string>(json, "model_type", where);
  std::vector<std::string_view> known;
  for (detail::family_row const& row : detail::families) {
    if (row.model_type == type) return detail::checked(row.describe({json, where}, tensors), where);
    known.push_back(row.model_type);
  }
  if (type == "gemma3")  // Gemma3ForConditionalGeneration: tensors of images beside those of the text
    throw file_error(where,
                     "model_type: got 'gemma3', a model of text and images, expected 'gemma3_text': save its "
                     "language model by itself (docs/files.md), or open the GGUF file made of it");
  detail::unknown_family(where, type, known);
}

LANCET_INLINE model_description describe_gguf(gguf_model const& model) {
  gguf_file const& file = model.head();
  std::string const name = file.get<std::string>("general.architecture");
  std::vector<std::string_view> known;
  for (detail::gguf_family const& family : detail::gguf_families) {
    known.push_back(family.name);
    if (family.name != name) continue;
    detail::gguf_keys const keys{file, model.tensors(), name};
    architecture a = detail::gguf_architecture(keys, family);
    if (a.positions == position_kind::rope) detail::read_rope_factors(keys, a.rope);
    tensor_names names = detail::gguf_names(model.tensors(), a, family);
    return detail::checked({std::move(a), std::move(names)}, file.path());
  }
  detail::unknown_family(file.path(), name, known);
}

}  // namespace lancet
