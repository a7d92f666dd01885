// SPDX-License-Identifier: Apache-2.0
// Strict JSON parsing: limits on depth, bytes and values, duplicate keys refused, errors with line and byte.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/mapped_file.hpp"

namespace lancet {

/// What parse_json accepts at most; callers may tighten or widen each.
struct json_limits {
  std::size_t depth = 64;
  std::size_t bytes = 100'000'000;
  std::size_t values = std::size_t{1} << 23;  // one takes 16 bytes and more: this bounds the memory
  bool comments = false;                      // accept // and /* */
};

namespace detail {

/// Walks over text and tells others how far it has come, so that an error can name the line.
struct json_iterator {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = char const*;
  using reference = char const&;

  char const* at = nullptr;
  char const** reached = nullptr;

  reference operator*() const { return *at; }
  json_iterator& operator++() {
    *reached = ++at;
    return *this;
  }
  json_iterator operator++(int) {
    json_iterator old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(json_iterator a, json_iterator b) { return a.at == b.at; }
  friend bool operator!=(json_iterator a, json_iterator b) { return a.at != b.at; }
};

/// Builds the document from the parser's events and refuses what nlohmann's own builder lets through:
/// duplicate keys, deep nesting, too many values. The member names are nlohmann's SAX interface.
class json_builder {
 public:
  json_builder(std::string_view text, std::string_view where, std::size_t first_line,
               json_limits const& limits)
      : reached(text.data()), text_(text), where_(where), first_line_(first_line), limits_(limits) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double value, std::string const&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) { fail("binary values are not JSON"); }
  bool start_object(std::size_t) { return open(nlohmann::json::object()); }
  bool start_array(std::size_t) { return open(nlohmann::json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto const [place, is_new] = open_.back()->emplace(name, nullptr);
    if (!is_new) fail("duplicate key " + in_quotes(name));
    slot_ = &place.value();
    return true;
  }

  bool parse_error(std::size_t, std::string const&, nlohmann::json::exception const& error) {
    std::string_view what =
        error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    for (std::string_view const before : {"] ", "column "}) {
      if (auto const at = what.find(before); at != what.npos) what.remove_prefix(at + before.size());
    }
    if (auto const at = what.find(": "); at != what.npos && at < 20) what.remove_prefix(at + 2);
    fail("not valid JSON: " + printable(what));
  }

  [[noreturn]] void fail(std::string const& what) const {
    auto const read = static_cast<std::size_t>(reached - text_.data());
    std::size_t const byte = read == 0 ? 0 : read - 1;  // the last one that was read
    std::size_t line = first_line_;
    for (char const c : text_.substr(0, byte)) line += c == '\n' ? 1 : 0;
    throw file_error(std::string(where_) + ":" + std::to_string(line),
                     what + " (at byte " + std::to_string(byte) + ")");
  }

  nlohmann::json root;
  char const* reached;

 private:
  template <typename Value>
  nlohmann::json* place(Value&& value) {
    if (++values_ > limits_.values) fail("more than " + std::to_string(limits_.values) + " values");
    if (open_.empty()) {
      root = std::forward<Value>(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::forward<Value>(value));
      return &open_.back()->back();
    }
    *slot_ = std::forward<Value>(value);
    return slot_;
  }

  template <typename Value>
  bool put(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }

  bool open(nlohmann::json&& container) {
    if (open_.size() >= limits_.depth)
      fail("nested deeper than " + std::to_string(limits_.depth) + " levels");
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::string_view where_;
  std::size_t first_line_;
  json_limits limits_;
  std::size_t values_ = 0;
  std::vector<nlohmann::json*> open_;
  nlohmann::json* slot_ = nullptr;
};

}  // namespace detail

/// Parses one JSON document. `where` names its source in errors, which add ":LINE" (`first_line` is the
/// number of the text's first line) and the byte. Throws file_error.
[[nodiscard]] inline nlohmann::json parse_json(std::string_view text, std::string_view where,
                                               json_limits const& limits = {}, std::size_t first_line = 1) {
  if (text.size() > limits.bytes) {
    throw file_error(where, "got " + std::to_string(text.size()) + " bytes of JSON, expected at most " +
                                std::to_string(limits.bytes));
  }
  detail::json_builder builder(text, where, first_line, limits);
  if (auto const zero = text.find('\0'); zero != text.npos) {  // nlohmann's parser would take it for the end
    builder.reached += zero + 1;
    builder.fail("not valid JSON: a zero byte");
  }
  detail::json_iterator const begin{.at = text.data(), .reached = &builder.reached};
  detail::json_iterator const end{.at = text.data() + text.size(), .reached = &builder.reached};
  nlohmann::json::sax_parse(begin, end, &builder, nlohmann::json::input_format_t::json, true,
                            limits.comments);
  return std::move(builder.root);
}

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
