// SPDX-License-Identifier: Apache-2.0
// LoRA adapters of Hugging Face's PEFT: a folder with adapter_config.json and adapter_model.safetensors.
//
// y = W·x + s·B·(A·x), s = lora_alpha / r (or / √r). Only the modules that an intervention changes are named,
// each by its full path.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/atomic_folder.hpp"
#include "lancet/io/detail/adapter_tensors.hpp"
#include "lancet/io/detail/peft_config.hpp"
#include "lancet/io/peer_names.hpp"
#include "lancet/io/safetensors_writer.hpp"

namespace lancet {

namespace detail {

inline constexpr std::string_view peft_root = "base_model.model.";

/// lora_alpha of an update: r·s where that is a whole number that PEFT stores as such, else s goes into B and
/// lora_alpha is r.
[[nodiscard]] inline index take_alpha(low_rank_update& u) {
  double const alpha = u.scale * static_cast<double>(u.rank);
  if (alpha == std::round(alpha) && std::abs(alpha) < 1e9 && alpha != 0) return static_cast<index>(alpha);
  for (float& x : u.b) x = static_cast<float>(u.scale * x);
  u.scale = 1;
  return u.rank;
}

[[nodiscard]] inline nlohmann::ordered_json peft_config(std::span<low_rank_update const> updates,
                                                        std::span<index const> alphas,
                                                        std::string const& base_model, bool transposed,
                                                        bool next_token) {
  nlohmann::ordered_json modules = nlohmann::ordered_json::array(), ranks = nlohmann::ordered_json::object(),
                         scales = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    modules.push_back(updates[i].weight);
    if (updates[i].rank != updates[0].rank) ranks[updates[i].weight] = updates[i].rank;
    if (alphas[i] != alphas[0]) scales[updates[i].weight] = alphas[i];
  }
  return {{"peft_type", "LORA"},
          {"task_type", next_token ? nlohmann::ordered_json("CAUSAL_LM") : nullptr},  // null: any model
          {"base_model_name_or_path", base_model},
          {"inference_mode", true},
          {"r", updates[0].rank},
          {"lora_alpha", alphas[0]},
          {"rank_pattern", std::move(ranks)},
          {"alpha_pattern", std::move(scales)},
          {"target_modules", std::move(modules)},
          {"fan_in_fan_out", transposed},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"use_rslora", false},
          {"use_dora", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr}};
}

[[nodiscard]] inline adapter_name parse_peft_name(std::string const& name, std::string const& path) {
  auto const ends = [&](std::string_view suffix) { return name.ends_with(suffix); };
  auto const refuse = [&](std::string_view why) {
    throw file_error(path, "has tensor " + in_quotes(name) + ": " + std::string(why));
  };
  if (name.find(".lora_embedding_") != name.npos) refuse("adapters of embeddings are not supported");
  if (ends(".lora_A.bias") || ends(".lora_B.bias")) refuse("biases of adapters are not supported");
  if (name.starts_with(peft_root))
    for (auto const& [suffix, role] :
         {std::pair<std::string_view, adapter_role>{".lora_A.weight", adapter_role::a},
          {".lora_B.weight", adapter_role::b},
          {".lora_magnitude_vector", adapter_role::magnitude},
          {".lora_magnitude_vector.weight", adapter_role::magnitude}})
      if (ends(suffix) && name.size() > peft_root.size() + suffix.size())
        return {name.substr(peft_root.size(), name.size() - peft_root.size() - suffix.size()), role};
  refuse(
      "expected base_model.model.MODULE.lora_A.weight, .lora_B.weight and, for DoRA, .lora_magnitude_vector "
      "alone");
  return {};
}

}  // namespace detail

/// Writes the folder, whole or not at all. `base_model` is what PEFT looks for as the model. Throws
/// usage_error for offsets, which LoRA has no place for, and for nothing at all.
inline void write_peft_adapter(std::string const& folder, std::span<host_part const> parts,
                               architecture const& a, std::string const& base_model = "") {
  detail::require_low_rank(parts, "a PEFT adapter");
  peer_names const peer = peer_names_of(a, naming::hugging_face);
  std::vector<low_rank_update> updates = low_rank_updates(parts, peer, a);
  std::vector<index> alphas;
  std::vector<tensor_entry> tensors;
  for (low_rank_update& u : updates) {
    alphas.push_back(detail::take_alpha(u));
    std::string const module = std::string(detail::peft_root) + u.weight;
    tensors.push_back(as_tensor(module + ".lora_A.weight", {u.rank, u.in}, std::span<float const>(u.a)));
    tensors.push_back(as_tensor(module + ".lora_B.weight", {u.out, u.rank}, std::span<float const>(u.b)));
  }
  write_folder_atomically(folder, [&](std::string const& into) {
    write_file(
        into + "/adapter_config.json",
        detail::peft_config(updates, alphas, base_model, peer.names.transposed, a.causal && a.labels == 0)
                .dump(2) +
            "\n");
    write_safetensors(into + "/adapter_model.safetensors", tensors, {{"format", "pt"}});
  });
}

/// Reads a PEFT adapter as parts for a model of this architecture; a DoRA adapter's need `with_magnitudes`.
/// Throws file_error, with the key or tensor, for everything that is not LoRA or DoRA on projections of the
/// model: nothing that would change its outputs is passed over.
[[nodiscard]] inline std::vector<host_part> read_peft_adapter(std::string const& folder,
                                                              architecture const& a) {
  detail::peft_settings const settings = detail::read_peft_config(folder + "/adapter_config.json");
  auto const file = safetensors_file::open(folder + "/adapter_model.safetensors");
  return detail::read_adapter(
      file.tensors(), peer_names_of(a, naming::hugging_face), a,
      [&](std::string const& name) { return detail::parse_peft_name(name, file.path()); },
      [&](std::string const& module, tensor_entry const&) {
        return detail::adapter_size{settings.rank_of(module), settings.scale_of(module), settings.dora};
      });
}

}  // namespace lancet
