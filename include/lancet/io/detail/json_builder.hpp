// SPDX-License-Identifier: Apache-2.0
// Parses JSON text with nlohmann's parser: the body of what io/json_parse.hpp declares.
#pragma once

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
#include "lancet/core/inline.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json_parse.hpp"

namespace lancet {

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

LANCET_INLINE nlohmann::json parse_json(std::string_view text, std::string_view where,
                                        json_limits const& limits, std::size_t first_line) {
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

}  // namespace lancet
