// SPDX-License-Identifier: Apache-2.0
// Settings of a run, kept with its results: the same command goes on, another one is refused with what
// differs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/quoted.hpp"

namespace lancet {

/// "steps: was 150, now 200; seed: …" for the members in which two objects differ; empty where they are
/// equal.
[[nodiscard]] inline std::string settings_difference(nlohmann::json const& was, nlohmann::json const& now) {
  nlohmann::json const none = nlohmann::json::object();
  nlohmann::json const &a = was.is_object() ? was : none, &b = now.is_object() ? now : none;
  auto const shown = [](nlohmann::json const& in, std::string const& key) {
    auto const at = in.find(key);
    return at == in.end()
               ? std::string("not set")
               : detail::printable(at->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  };
  nlohmann::json keys = a;
  keys.update(b);
  std::string out;
  for (auto const& [key, unused] : keys.items()) {
    if (auto const x = a.find(key), y = b.find(key); x != a.end() && y != b.end() && *x == *y) continue;
    out += (out.empty() ? "" : "; ") + detail::printable(key) + ": was " + shown(a, key) + ", now " +
           shown(b, key);
  }
  return out;
}

/// Throws usage_error with the difference unless both say the same; `where` names what would be continued.
inline void require_same_settings(nlohmann::json const& was, nlohmann::json const& now,
                                  std::string const& where) {
  if (std::string const difference = settings_difference(was, now); !difference.empty())
    throw usage_error(where + ": was made with other settings, so it is not continued (" + difference +
                      "); choose another output, or remove it");
}

}  // namespace lancet
