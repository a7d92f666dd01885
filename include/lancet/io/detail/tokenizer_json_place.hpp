// SPDX-License-Identifier: Apache-2.0
// Paths and refusals for the readers of tokenizer.json.
#pragma once

#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/text.hpp"

namespace lancet::detail {

/// The document that a reader is in.
struct tokenizer_json_place {
  std::string const& where;

  [[noreturn]] void refuse(std::string const& path, std::string_view got, std::string_view expected) const {
    throw file_error(where, path + ": got " + escape_utf8(got) + ", expected " + std::string(expected));
  }

  /// The file and a path in it, for get() and its like.
  [[nodiscard]] std::string at(std::string const& path) const { return where + ": " + path; }

  [[nodiscard]] std::string kind_of(nlohmann::json const& value, std::string const& path) const {
    return get<std::string>(value, "type", at(path));
  }

  [[nodiscard]] nlohmann::json const& list_at(nlohmann::json const& object, std::string const& path,
                                              std::string const& key) const {
    auto const& list = lancet::at(object, key, at(path));
    if (!list.is_array()) refuse(path + "." + key, list.type_name(), "a list");
    return list;
  }

  /// A text that replaces or is replaced.
  [[nodiscard]] std::string short_text(nlohmann::json const& object, std::string const& path,
                                       std::string const& key) const {
    auto text = get<std::string>(object, key, at(path));
    if (text.size() > most_bytes) {
      refuse(path + "." + key, std::to_string(text.size()) + " bytes",
             "at most " + std::to_string(most_bytes));
    }
    return text;
  }

  /// A setting that must have one value, or be absent or null.
  template <typename T>
  void require(nlohmann::json const& object, std::string const& path, std::string const& key, T const& wanted,
               std::string const& wanted_name) const {
    auto const got = get_optional<T>(object, key, at(path));
    if (got && *got != wanted) refuse(path + "." + key, object[key].dump(), wanted_name);
  }

  static constexpr std::size_t most_bytes = 1024;
};

/// The value of a key, nullptr where it is absent or null.
[[nodiscard]] inline nlohmann::json const* find_value(nlohmann::json const& object, std::string_view key) {
  auto const* const value = find(object, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace lancet::detail
