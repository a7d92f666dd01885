// SPDX-License-Identifier: Apache-2.0
// adapter_config.json of a LoRA adapter: rank and scale of every module; whatever else changes the
// mathematics is refused by its key.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/json_field.hpp"
#include "lancet/core/view.hpp"

namespace lancet::detail {

/// True where PEFT's pattern names the module: re.match("(.*\.)?(KEY)$"), of which only literal characters,
/// dots (any character), escaped dots and a leading ^ are supported.
[[nodiscard]] inline bool pattern_names(std::string_view key, std::string_view module, json_field const& at) {
  bool const anchored = key.starts_with('^');
  if (anchored) key.remove_prefix(1);
  std::vector<std::pair<char, bool>> wanted;  // a character, or any
  for (std::size_t i = 0; i < key.size(); ++i) {
    bool const escaped = key[i] == '\\' && i + 1 < key.size() && key[i + 1] == '.';
    if (escaped) ++i;
    char const c = key[i];
    if (!(c == '.' || c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
          (c >= 'A' && c <= 'Z')))
      at.fail("names of modules, not the pattern " + in_quotes(key));
    wanted.emplace_back(c, c == '.' && !escaped);
  }
  if (wanted.size() > module.size()) return false;
  std::size_t const first = module.size() - wanted.size();
  if (first > 0 && (anchored || module[first - 1] != '.')) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!wanted[i].second && module[first + i] != wanted[i].first) return false;
  return true;
}

/// A default and the exceptions to it.
struct peft_pattern {
  double otherwise = 8;
  std::vector<std::pair<std::string, double>> exceptions;
  json_field where;

  [[nodiscard]] double of(std::string_view module) const {
    double value = otherwise;
    bool found = false;
    for (auto const& [key, own] : exceptions) {
      if (!pattern_names(key, module, where)) continue;
      if (found && own != value) where.fail("one value for module " + in_quotes(module) + ", not two");
      value = own;
      found = true;
    }
    return value;
  }
};

struct peft_settings {
  nlohmann::json document;
  std::string path;
  bool rank_stabilised = false;
  bool dora = false;

  [[nodiscard]] json_field root() const { return {document, path}; }
  [[nodiscard]] peft_pattern pattern(char const* key, char const* exceptions) const {
    peft_pattern out{root()[key].number().value_or(8), {}, root()[exceptions]};
    for (auto const& [name, value] : out.where.members())
      out.exceptions.emplace_back(name, value.need_number());
    return out;
  }
  [[nodiscard]] index rank_of(std::string_view module) const {
    double const r = pattern("r", "rank_pattern").of(module);
    if (r != std::round(r) || r < 1 || r > 65536) root()["r"].fail("a rank from 1 to 65536");
    return static_cast<index>(r);
  }
  [[nodiscard]] double scale_of(std::string_view module) const {
    auto const r = static_cast<double>(rank_of(module));
    return pattern("lora_alpha", "alpha_pattern").of(module) / (rank_stabilised ? std::sqrt(r) : r);
  }
};

/// True for null, false, and empty text, lists and objects: the values that leave a feature off.
[[nodiscard]] inline bool leaves_off(nlohmann::json const& v) {
  return v.is_null() || (v.is_boolean() && !v.get<bool>()) ||
         (v.is_string() && v.get_ref<std::string const&>().empty()) || (v.is_structured() && v.empty());
}

[[nodiscard]] inline peft_settings read_peft_config(std::string const& path) {
  peft_settings out{read_json(path), path};
  json_field const f = out.root();
  if (f["peft_type"].text_or("") != "LORA") f["peft_type"].fail("'LORA'");
  // What does not change outputs, or is checked by the tensors' own names and shapes.
  constexpr std::string_view ignored[] = {"peft_type",
                                          "task_type",
                                          "base_model_name_or_path",
                                          "revision",
                                          "inference_mode",
                                          "auto_mapping",
                                          "peft_version",
                                          "target_modules",
                                          "exclude_modules",
                                          "layers_to_transform",
                                          "layers_pattern",
                                          "fan_in_fan_out",
                                          "lora_dropout",
                                          "megatron_core",
                                          "runtime_config",
                                          "qalora_group_size",
                                          "loftq_config",
                                          "r",
                                          "lora_alpha",
                                          "rank_pattern",
                                          "alpha_pattern"};
  for (auto const& [key, value] : out.document.items()) {
    if (std::ranges::find(ignored, key) != std::end(ignored) || leaves_off(value)) continue;
    json_field const at = f[key];
    if (key == "bias") {
      if (at.need_text() != "none")
        at.fail("'none': biases that were trained are not in an adapter of W alone");
    } else if (key == "init_lora_weights") {
      // PiSSA, OLoRA, CorDA and LoftQ start from another base weight, to which the adapter is relative.
      bool const harmless =
          value.is_boolean() || value == "gaussian" || value == "eva" || value == "orthogonal";
      if (!harmless) at.fail("an initialisation that leaves the base weights as they are");
    } else if (key == "use_rslora") {
      out.rank_stabilised = at.flag().value_or(false);
    } else if (key == "use_dora") {
      out.dora = at.flag().value_or(false);
    } else if (key == "modules_to_save") {
      at.fail("null: whole modules that were trained beside the adapter are not supported");
    } else {
      at.fail("nothing that could change what the adapter computes; this key is not supported");
    }
  }
  return out;
}

}  // namespace lancet::detail
