// SPDX-License-Identifier: Apache-2.0
#include "lancet/partial_effects.hpp"

#include <filesystem>
#include <map>

#include "lancet/io/safetensors_writer.hpp"
#include "lancet/io/settings.hpp"

namespace program {

using lancet::index;

partial_effects::partial_effects(std::string const& path, nlohmann::ordered_json const& settings,
                                 std::vector<lancet::unit> units, std::size_t pairs)
    : path_(path.empty() ? "" : path + ".partial"), settings_(settings.dump()) {
  table_.units = std::move(units);
  table_.effects.resize(table_.units.size());
  std::error_code none;
  if (path_.empty() || !std::filesystem::is_regular_file(path_, none)) return;
  auto const file = lancet::safetensors_file::open(path_);
  auto const was = file.metadata().find("settings");
  if (was == file.metadata().end())
    throw lancet::file_error(path_, "has no settings: not a measurement that can go on; remove it");
  lancet::require_same_settings(lancet::parse_json(was->second, path_), nlohmann::json(settings), path_);
  std::vector<double> const flat = lancet::read_values<double>(file.tensors().at("effects"), path_);
  table_.clean = lancet::read_values<double>(file.tensors().at("clean"), path_);
  if (file.tensors().find("corrupted") != nullptr)
    table_.corrupted = lancet::read_values<double>(file.tensors().at("corrupted"), path_);
  std::size_t const n = table_.clean.size();
  if (n > pairs || flat.size() != table_.units.size() * n ||
      (!table_.corrupted.empty() && table_.corrupted.size() != n))
    throw lancet::file_error(path_, "got " + std::to_string(flat.size()) + " effects of " +
                                        std::to_string(n) + " pairs, expected " +
                                        std::to_string(table_.units.size()) + " for each of at most " +
                                        std::to_string(pairs) + "; remove it");
  for (std::size_t u = 0; u < table_.units.size(); ++u)
    table_.effects[u].assign(flat.begin() + static_cast<index>(u * n),
                             flat.begin() + static_cast<index>((u + 1) * n));
}

void partial_effects::add(lancet::effect_table const& next) {
  std::map<lancet::unit, std::size_t> places;
  for (std::size_t u = 0; u < next.units.size(); ++u) places[next.units[u]] = u;
  std::vector<double> const absent(next.clean.size(),
                                   std::numeric_limits<double>::quiet_NaN());  // positions that no prompt has
  for (std::size_t u = 0; u < table_.units.size(); ++u) {
    auto const at = places.find(table_.units[u]);
    std::vector<double> const& from = at == places.end() ? absent : next.effects[at->second];
    table_.effects[u].insert(table_.effects[u].end(), from.begin(), from.end());
  }
  table_.clean.insert(table_.clean.end(), next.clean.begin(), next.clean.end());
  table_.corrupted.insert(table_.corrupted.end(), next.corrupted.begin(), next.corrupted.end());
  if (std::chrono::steady_clock::now() - saved_ > std::chrono::seconds(10)) save();
}

void partial_effects::save() {
  if (path_.empty()) return;
  std::vector<double> flat;
  for (auto const& row : table_.effects) flat.insert(flat.end(), row.begin(), row.end());
  index const n = std::ssize(table_.clean);
  std::vector<lancet::tensor_entry> tensors{
      lancet::as_tensor("effects", {std::ssize(table_.units), n}, std::span<double const>(flat)),
      lancet::as_tensor("clean", {n}, std::span<double const>(table_.clean))};
  if (!table_.corrupted.empty())
    tensors.push_back(lancet::as_tensor("corrupted", {n}, std::span<double const>(table_.corrupted)));
  lancet::write_safetensors(path_, tensors, {{"settings", settings_}});
  saved_ = std::chrono::steady_clock::now();
}

void partial_effects::remove() const {
  std::error_code none;
  if (!path_.empty()) std::filesystem::remove(path_, none);
}

}  // namespace program
