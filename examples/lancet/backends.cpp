// SPDX-License-Identifier: Apache-2.0
#include "lancet/backends.hpp"

#include <algorithm>
#include <map>

namespace program {
namespace {

[[nodiscard]] std::map<std::string, backend_entry>& entries() {
  static std::map<std::string, backend_entry> all;
  return all;
}

}  // namespace

bool enter(backend_entry entry) { return entries().emplace(entry.name, entry).second; }

std::vector<std::string> backend_names() {
  std::vector<std::string> out;
  for (auto const& [name, entry] : entries()) out.push_back(name);
  return out;
}

nlohmann::ordered_json devices_by_backend() {
  nlohmann::ordered_json out;
  for (auto const& [name, entry] : entries()) out[name] = entry.devices();
  return out;
}

backend_entry const& choose_backend(std::string const& name) {
  if (auto const found = entries().find(name); found != entries().end()) {
    if (found->second.devices().empty())
      throw lancet::usage_error("--backend: " + name +
                                " was compiled in, but this machine has no device for it");
    return found->second;
  }
  std::vector<std::string> const known = backend_names();
  for (char const* const other : {"cuda", "eigen", "reference", "xtensor"})
    if (name == other)
      throw lancet::usage_error("--backend: this program was built without " + name + ", expected " +
                                one_of(known));
  fail_choice("--backend", name, known);
}

}  // namespace program
