// SPDX-License-Identifier: Apache-2.0
// An intervention from whatever holds one: lancet's own folder, a PEFT adapter, a LoRA or a control vector as
// GGUF.
#pragma once

#include <string>

#include "lancet/io/control_vector.hpp"
#include "lancet/io/dora.hpp"
#include "lancet/io/intervention_folder.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/lora_gguf.hpp"
#include "lancet/io/peft_adapter.hpp"

namespace lancet {

/// Tells them apart by what is there: a file is GGUF, a folder with adapter_config.json PEFT's. Others' files
/// do not say which weights they were made for; only names and shapes are checked. Throws file_error.
template <class B>
[[nodiscard]] intervention<B> open_intervention(std::string const& path, transformer<B> const& model) {
  if (detail::is_file(path)) {
    auto const kind = gguf_file::open(path).get<std::string>("general.architecture");
    if (kind == "controlvector")
      return intervention_of("control vector", read_control_vector(path, model.arch()), model);
    return intervention_of("lora", read_lora_gguf(path, model.arch()), model);
  }
  if (detail::is_file(path + "/adapter_config.json"))
    return intervention_of("peft", with_magnitudes(read_peft_adapter(path, model.arch()), model, path),
                           model);
  return load_intervention<B>(path, model);
}

}  // namespace lancet
