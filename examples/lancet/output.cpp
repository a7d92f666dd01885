// SPDX-License-Identifier: Apache-2.0
#include "lancet/output.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "lancet/io/json.hpp"
#include "lancet/io/settings.hpp"

namespace program {

namespace {

[[nodiscard]] double size_of_effect(nlohmann::ordered_json const& unit) {
  auto const effect = unit.find("effect");
  return effect != unit.end() && effect->is_number() ? std::abs(effect->get<double>()) : -1.0;
}

[[nodiscard]] std::string name_of(nlohmann::ordered_json const& unit, std::string const& usual) {
  std::string out = unit.value("kind", usual) + " " + std::to_string(unit.value("layer", 0));
  for (char const* const number : {"head", "neuron"})
    if (unit.contains(number)) out += "." + std::to_string(unit[number].get<long>());
  if (unit.contains("position")) out += " at position " + std::to_string(unit["position"].get<long>());
  return out;
}

}  // namespace

std::string output_file(common_options const& common, std::string const& name) {
  std::error_code none;
  if (common.output.empty()) return "";
  if (!common.output.ends_with('/') && !std::filesystem::is_directory(common.output, none))
    return common.output;
  make_folders(common.output);
  return common.output + (common.output.ends_with('/') ? "" : "/") + name;
}

std::optional<nlohmann::ordered_json> finished_document(std::string const& path,
                                                        nlohmann::ordered_json const& settings) {
  std::error_code none;
  if (path.empty() || !std::filesystem::is_regular_file(path, none)) return {};
  nlohmann::json const document = lancet::read_json(path);
  lancet::require_same_settings(lancet::at(document, "settings", path), nlohmann::json(settings), path);
  return nlohmann::ordered_json(document);
}

nlohmann::ordered_json shortened(nlohmann::ordered_json document, std::size_t most) {
  nlohmann::ordered_json& units = document["units"];
  if (units.size() <= most) return document;
  std::vector<nlohmann::ordered_json> all(units.begin(), units.end());
  std::stable_sort(all.begin(), all.end(),
                   [](auto const& a, auto const& b) { return size_of_effect(a) > size_of_effect(b); });
  document["units_omitted"] = all.size() - most;
  all.resize(most);
  units = std::move(all);
  return document;
}

void print_units(nlohmann::ordered_json const& document, std::size_t most) {
  std::vector<nlohmann::ordered_json> all(document["units"].begin(), document["units"].end());
  std::stable_sort(all.begin(), all.end(),
                   [](auto const& a, auto const& b) { return size_of_effect(a) > size_of_effect(b); });
  std::string const usual = document.value("unit", "unit");
  auto const number = [](nlohmann::ordered_json const& unit, char const* key) {
    char text[32] = "";
    if (unit.contains(key) && unit[key].is_number())
      std::snprintf(text, sizeof text, "%.4g", unit[key].get<double>());
    return std::string(text);
  };
  std::printf("%-28s %12s %12s %12s %12s\n", "unit", "effect", "low", "high", "p adjusted");
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i)
    std::printf("%-28s %12s %12s %12s %12s\n", name_of(all[i], usual).c_str(),
                number(all[i], "effect").c_str(), number(all[i], "low").c_str(),
                number(all[i], "high").c_str(), number(all[i], "p_adjusted").c_str());
  if (all.size() > most) std::printf("and %zu more\n", all.size() - most);
}

void make_folders(std::string const& path) {
  std::error_code problem;
  std::filesystem::create_directories(path, problem);
  if (problem && !std::filesystem::is_directory(path))
    throw lancet::file_error(path, "the folder cannot be made: " + problem.message());
}

}  // namespace program
