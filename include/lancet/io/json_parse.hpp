// SPDX-License-Identifier: Apache-2.0
// Strict JSON parsing: limits on depth, bytes and values, duplicate keys refused, errors with line and byte.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lancet/io/mapped_file.hpp"

namespace lancet {

/// What parse_json accepts at most; callers may tighten or widen each.
struct json_limits {
  std::size_t depth = 64;
  std::size_t bytes = 100'000'000;
  std::size_t values = std::size_t{1} << 23;  // one takes 16 bytes and more: this bounds the memory
  bool comments = false;                      // accept // and /* */
};

/// Parses one JSON document. `where` names its source in errors, which add ":LINE" (`first_line` is the
/// number of the text's first line) and the byte. Throws file_error.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::string_view where,
                                        json_limits const& limits = {}, std::size_t first_line = 1);

/// Reads and parses a JSON file. Throws file_error.
[[nodiscard]] inline nlohmann::json read_json(std::string const& path, json_limits const& limits = {}) {
  mapped_file const file(path);
  return parse_json({reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size()}, path, limits);
}

/// Calls `handle(json value, std::string const& where)` for each line of a JSON-lines file that is not blank,
/// with where = "PATH:LINE". Throws file_error; `limits` hold for each line.
template <typename Handle>
requires std::invocable<Handle&, nlohmann::json&&, std::string const&>
void read_json_lines(std::string const& path, Handle&& handle, json_limits const& limits = {}) {
  mapped_file const file(path);
  std::string_view rest(reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size());
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view const line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    handle(parse_json(line, path, limits, number), path + ":" + std::to_string(number));
  }
}

}  // namespace lancet

#ifndef LANCET_HAS_COMPILED
#include "lancet/io/detail/json_builder.hpp"
#endif
