// SPDX-License-Identifier: Apache-2.0
// Architecture families as data: for each, configuration → architecture and the names of its tensors.
//
// docs/adding-an-architecture.md: a new family is one function, one line in the table of family/describe.hpp, and a
// parity test.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lancet/io/family/tensor_names.hpp"
#include "lancet/io/gguf_shards.hpp"

namespace lancet {

/// The family, sizes and names of a Hugging Face folder's config.json; its tensors say which head a model has.
[[nodiscard]] model_description describe_config(nlohmann::json const& json, std::string const& where,
                                                tensor_table const& tensors);

/// The same of a GGUF model's metadata.
[[nodiscard]] model_description describe_gguf(gguf_model const& model);

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/family/describe.hpp"
#endif
