// SPDX-License-Identifier: Apache-2.0
// Chats as the text that a model was tuned on. Models describe it by a Jinja program; lancet runs none, it
// knows the usual formats and by which marks their programs are told apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/chat_formats.hpp"
#include "lancet/io/text.hpp"

namespace lancet {

/// A known format, such as chat_format("llama3").
///
///     auto const format = detect_chat_format(template_text);
///     auto ids = tokenizer.encode(format.render({{"user", "Hello"}}));   // start tokens are in the text
class chat_format {
 public:
  /// Throws usage_error for a name that is not one of names().
  explicit chat_format(std::string_view name) {
    for (auto const& row : detail::chat_formats) {
      if (row.name == name) row_ = &row;
    }
    if (row_ == nullptr)
      fail_expected("chat format", "'" + escape_utf8(name) + "'", "one of " + list_names());
  }

  [[nodiscard]] std::string_view name() const noexcept { return row_->name; }

  /// The text of a chat, special tokens included: encode it with encode_options::parse_special and without a
  /// start token. Throws usage_error for roles that the format has not, or has not in this order.
  [[nodiscard]] std::string render(std::span<chat_message const> messages,
                                   chat_options const& options = {}) const {
    if (messages.empty()) fail_expected("chat", "no message", "at least one");
    return row_->render(messages, options);
  }
  [[nodiscard]] std::string render(std::initializer_list<chat_message> messages,
                                   chat_options const& options = {}) const {
    return render(std::span(messages.begin(), messages.size()), options);
  }

  [[nodiscard]] static std::vector<std::string_view> names() {
    std::vector<std::string_view> out;
    for (auto const& row : detail::chat_formats) out.push_back(row.name);
    return out;
  }

  [[nodiscard]] static std::string list_names() {
    std::string out;
    for (auto const name : names()) out += (out.empty() ? "" : ", ") + std::string(name);
    return out;
  }

 private:
  detail::chat_format_row const* row_ = nullptr;
};

/// The format that a model's chat template (a Jinja program) writes, told by the marks that only its programs
/// have. Throws file_error(where, ...) where that is none, or more than one.
[[nodiscard]] inline chat_format detect_chat_format(std::string_view program,
                                                    std::string_view where = "chat") {
  std::string found;
  std::size_t n = 0;
  for (auto const& row : detail::chat_formats) {
    auto const has = [&](std::string_view mark) {
      return !mark.empty() && program.find(mark) != program.npos;
    };
    auto const lacks = [&](std::string_view mark) {
      return !mark.empty() && program.find(mark) == program.npos;
    };
    if (program.size() > row.most_bytes || std::any_of(row.marks.begin(), row.marks.end(), lacks) ||
        std::any_of(row.no_marks.begin(), row.no_marks.end(), has)) {
      continue;
    }
    found += (n++ > 0 ? ", " : "") + std::string(row.name);
  }
  if (n != 1) {
    throw file_error(
        where, "the chat template " +
                   (n == 0 ? "is of no known format" : "could be of several formats (" + found + ")") +
                   "; choose one by name, as in chat_format(\"llama3\"), of " + chat_format::list_names());
  }
  return chat_format(found);
}

}  // namespace lancet
