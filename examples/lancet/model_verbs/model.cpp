// SPDX-License-Identifier: Apache-2.0
#include "lancet/model_verbs/model.hpp"

#include <optional>

#include "lancet/core/progress.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/open_intervention.hpp"

namespace program::PROGRAM_BACKEND {

model_type load(common_options& common) {
  if (common.model.empty())
    throw lancet::usage_error(
        "--model: got nothing, expected a GGUF file or a folder with config.json and *.safetensors (or set "
        "LANCET_MODEL)");
  use_threads(common);
  say(common, "loading " + common.model);
  auto const before = std::chrono::steady_clock::now();
  std::optional<lancet::progress> bar;  // of what takes longer than a second
  std::int64_t shown = 0;
  model_type model = lancet::load_model<backend>(common.model, [&](std::int64_t bytes, std::int64_t of) {
    if (!bar && std::chrono::steady_clock::now() - before < std::chrono::seconds(1)) return;
    if (!bar)
      bar.emplace(lancet::progress_options{.label = "loading, bytes", .total = of, .quiet = common.quiet});
    bar->advance(bytes - shown);
    shown = bytes;
  });
  bar.reset();
  common.load_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  return model;
}

std::unique_ptr<lancet::intervention<backend>> load(model_type const& model,
                                                    intervention_options const& options) {
  if (options.folder.empty()) {
    if (options.strength >= 0) throw lancet::usage_error("--strength: needs --intervention");
    return nullptr;
  }
  auto out = std::make_unique<lancet::intervention<backend>>(
      lancet::open_intervention<backend>(options.folder, model));
  if (options.strength >= 0) out->set_strength(options.strength);
  return out;
}

}  // namespace program::PROGRAM_BACKEND
