// SPDX-License-Identifier: Apache-2.0
// adapter_config.json of a LoRA adapter: rank and scale of every module; whatever else changes the
// mathematics is refused by its key.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/json_field.hpp"
#include "lancet/core/view.hpp"
#include "lancet/io/host_part.hpp"

namespace lancet::detail {

/// A key of PEFT's patterns, which names the modules that re.match("(.*\.)?(KEY)$") does. Of expressions only
/// literal characters, dots (any character), escaped dots and a leading ^ are supported; others are refused.
class module_pattern {
 public:
  module_pattern(std::string_view key, json_field const& at) : anchored_(key.starts_with('^')) {
    std::string_view const text = key.substr(anchored_ ? 1 : 0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      bool const escaped = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '.';
      if (escaped) ++i;
      char const c = text[i];
      if (!(c == '.' || c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z')))
        at.fail("names of modules, not the pattern " + in_quotes(text));
      wanted_.emplace_back(c, c == '.' && !escaped);
    }
  }

  [[nodiscard]] bool names(std::string_view module) const {
    if (wanted_.size() > module.size()) return false;
    std::size_t const first = module.size() - wanted_.size();
    if (first > 0 && (anchored_ || module[first - 1] != '.')) return false;
    for (std::size_t i = 0; i < wanted_.size(); ++i)
      if (!wanted_[i].second && module[first + i] != wanted_[i].first) return false;
    return true;
  }

 private:
  bool anchored_;
  std::vector<std::pair<char, bool>> wanted_;  // a character, or any
};

/// A default and the exceptions to it.
struct peft_pattern {
  /// Every module is compared with every exception.
  static constexpr std::size_t most_exceptions = 65536;

  double otherwise = 8;
  std::vector<std::pair<module_pattern, double>> exceptions = {};

  /// Throws file_error where exceptions disagree; `at` is their place.
  [[nodiscard]] double of(std::string_view module, json_field const& at) const {
    std::optional<double> found;
    for (auto const& [pattern, own] : exceptions) {
      if (!pattern.names(module)) continue;
      if (found && *found != own) at.fail("one value for module " + in_quotes(module) + ", not two");
      found = own;
    }
    return found.value_or(otherwise);
  }
};

struct peft_settings {
  nlohmann::json document;
  std::string path;
  peft_pattern ranks = {}, alphas = {};
  bool rank_stabilised = false;
  bool dora = false;

  [[nodiscard]] json_field root() const { return {document, path}; }
  [[nodiscard]] index rank_of(std::string_view module) const {
    double const r = ranks.of(module, root()["rank_pattern"]);
    if (r != std::round(r) || r < 1 || r > 65536) root()["r"].fail("a rank from 1 to 65536");
    return static_cast<index>(r);
  }
  [[nodiscard]] double scale_of(std::string_view module) const {
    auto const r = static_cast<double>(rank_of(module));
    return alphas.of(module, root()["alpha_pattern"]) / (rank_stabilised ? std::sqrt(r) : r);
  }
};

/// Throws file_error for numbers that no float holds: ranks divide alphas, so that every scale is smaller.
[[nodiscard]] inline peft_pattern read_peft_pattern(json_field const& otherwise,
                                                    json_field const& exceptions) {
  auto const number = [](json_field const& at) {
    double const x = at.need_number();
    if (!fits_float(x)) at.fail(float_range);
    return x;
  };
  peft_pattern out;
  if (otherwise) out.otherwise = number(otherwise);
  auto const members = exceptions.members();
  if (members.size() > peft_pattern::most_exceptions)
    exceptions.fail("at most " + std::to_string(peft_pattern::most_exceptions) + " modules, not " +
                    std::to_string(members.size()));
  for (auto const& [name, value] : members)
    out.exceptions.emplace_back(module_pattern(name, exceptions), number(value));
  return out;
}

/// True for null, false, and empty text, lists and objects: the values that leave a feature off.
[[nodiscard]] inline bool leaves_off(nlohmann::json const& v) {
  return v.is_null() || (v.is_boolean() && !v.get<bool>()) ||
         (v.is_string() && v.get_ref<std::string const&>().empty()) || (v.is_structured() && v.empty());
}

[[nodiscard]] inline peft_settings read_peft_config(std::string const& path) {
  peft_settings out{read_json(path), path};
  json_field const f = out.root();
  if (f["peft_type"].text_or("") != "LORA") f["peft_type"].fail("'LORA'");
  out.ranks = read_peft_pattern(f["r"], f["rank_pattern"]);
  out.alphas = read_peft_pattern(f["lora_alpha"], f["alpha_pattern"]);
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
                                          "eva_config",
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
