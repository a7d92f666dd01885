// SPDX-License-Identifier: Apache-2.0
// Where files keep a model's chat template.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/chat_template.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/mapped_file.hpp"

namespace lancet {

/// The format of a GGUF file's chats (tokenizer.chat_template); nothing where it has none. Throws file_error
/// where the template is of no known format.
[[nodiscard]] inline std::optional<chat_format> read_chat_format(gguf_file const& file) {
  auto const program = file.get_optional<std::string>("tokenizer.chat_template");
  if (!program) return std::nullopt;
  return detect_chat_format(*program, file.path() + ": tokenizer.chat_template");
}

namespace detail {

[[nodiscard]] inline bool is_there(std::string const& path) { return ::access(path.c_str(), F_OK) == 0; }

/// `chat_template` of a tokenizer_config.json: one program, or a list of named ones of which "default" counts.
[[nodiscard]] inline std::optional<std::string> configured_chat_template(nlohmann::json const& document,
                                                                         std::string const& where) {
  auto const* const value = find(document, "chat_template");
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_array()) return get<std::string>(document, "chat_template", where);
  for (std::size_t i = 0; i < value->size(); ++i) {
    auto const place = where + ": chat_template[" + std::to_string(i) + "]";
    if (get<std::string>((*value)[i], "name", place) == "default")
      return get<std::string>((*value)[i], "template", place);
  }
  throw file_error(where, "chat_template: got a list without the name 'default'");
}

}  // namespace detail

/// The same of a Hugging Face folder: chat_template.jinja, or `chat_template` in tokenizer_config.json.
[[nodiscard]] inline std::optional<chat_format> read_chat_format(std::string const& folder) {
  if (auto const path = folder + "/chat_template.jinja"; detail::is_there(path)) {
    mapped_file const file(path);
    auto const bytes = file.bytes();
    return detect_chat_format({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, path);
  }
  auto const path = folder + "/tokenizer_config.json";
  if (!detail::is_there(path)) return std::nullopt;
  auto const program = detail::configured_chat_template(read_json(path), path);
  if (!program) return std::nullopt;
  return detect_chat_format(*program, path + ": chat_template");
}

}  // namespace lancet
