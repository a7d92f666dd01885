// SPDX-License-Identifier: Apache-2.0
// The backends that this program was compiled with; model_verbs/ is compiled once for each and enters itself.
#pragma once

#include <string>
#include <vector>

#include "lancet/common.hpp"

namespace program {

struct backend_entry {
  std::string name;
  void (*add_verbs)(CLI::App& app, common_options& common);  ///< those that run a model
  std::vector<std::string> (*devices)();                     ///< what it can run on here; empty: nothing
};

/// What backend `B` can run on here.
template <class B>
[[nodiscard]] std::vector<std::string> devices_of() {
  if constexpr (B::host)
    return {"this processor"};
  else
    return B::runtime::devices();
}

/// Adds a backend to the list, before main. Returns true.
bool enter(backend_entry entry);

/// The names of the list, sorted.
[[nodiscard]] std::vector<std::string> backend_names();

/// {"eigen": ["this processor"], "cuda": ["NVIDIA H200 (sm_90, 139 GiB)"]}
[[nodiscard]] nlohmann::ordered_json devices_by_backend();

/// Throws usage_error for one that is not in the list or has nothing to run on here, with those that are.
[[nodiscard]] backend_entry const& choose_backend(std::string const& name);

}  // namespace program
