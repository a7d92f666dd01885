// SPDX-License-Identifier: Apache-2.0
// Reads an optional value out of a JSON document: absent is allowed, the wrong type is an error with its
// path.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json.hpp"

namespace lancet {

/// A place in a document that may or may not hold a value. `null` counts as absent (JSON has no NaN).
/// Every reader throws file_error "report.json: harm.before: got the string 'high', expected a number".
class json_field {
 public:
  /// `where` is the document's name in messages; document and name must outlive it.
  json_field(nlohmann::json const& document, std::string_view where) : json_field(&document, where, "") {}

  [[nodiscard]] bool present() const { return value_ != nullptr; }
  [[nodiscard]] explicit operator bool() const { return present(); }
  [[nodiscard]] nlohmann::json const* json() const { return value_; }

  /// The member `key`; absent if this is absent.
  [[nodiscard]] json_field operator[](std::string_view key) const {
    std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
    if (!present()) return {nullptr, where_, std::move(path)};
    if (!value_->is_object()) fail("an object");
    auto const found = value_->find(key);
    return {found == value_->end() ? nullptr : &*found, where_, std::move(path)};
  }

  /// The elements of an array; none if absent.
  [[nodiscard]] std::vector<json_field> items() const {
    std::vector<json_field> out;
    if (!present()) return out;
    if (!value_->is_array()) fail("a list");
    out.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
      json_field element(&(*value_)[i], where_, path_ + "[" + std::to_string(i) + "]");
      if (!element) element.fail("a value");
      out.push_back(std::move(element));
    }
    return out;
  }

  /// The members of an object that are not null, by key; none if absent.
  struct member;
  [[nodiscard]] std::vector<member> members() const;

  [[nodiscard]] std::optional<double> number() const {
    if (!present()) return {};
    if (!value_->is_number()) fail("a number");
    double const x = value_->get<double>();
    if (!std::isfinite(x)) return {};
    // No measurement is as large, and sums, squares and spans of what is left cannot overflow.
    if (std::abs(x) > 1e100) fail("a number below 1e100 in size");
    return x;
  }
  /// Integers up to 2^53 either way, whether written as 3 or 3.0.
  [[nodiscard]] std::optional<std::int64_t> integer() const {
    auto const x = number();
    if (!x) return {};
    if (*x != std::floor(*x) || std::abs(*x) > 9007199254740992.0) fail("an integer");
    return static_cast<std::int64_t>(*x);
  }
  [[nodiscard]] std::optional<std::string> text() const {
    if (!present()) return {};
    if (!value_->is_string()) fail("a string");
    return value_->get<std::string>();
  }
  [[nodiscard]] std::optional<bool> flag() const {
    if (!present()) return {};
    if (!value_->is_boolean()) fail("true or false");
    return value_->get<bool>();
  }
  [[nodiscard]] std::string text_or(std::string_view otherwise) const {
    return text().value_or(std::string(otherwise));
  }

  /// The same where it is required.
  [[nodiscard]] double need_number() const { return need(number(), "a number"); }
  [[nodiscard]] std::int64_t need_integer() const { return need(integer(), "an integer"); }
  [[nodiscard]] std::string need_text() const { return need(text(), "a string"); }

  /// The object may have no member but these.
  void allow_only(std::initializer_list<std::string_view> keys) const {
    if (!present()) return;
    if (!value_->is_object()) fail("an object");
    for (auto const& [key, unused] : value_->items()) {
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      std::string known;
      for (std::string_view const k : keys) known += (known.empty() ? "" : ", ") + std::string(k);
      fail("no member " + detail::in_quotes(key) + ", only " + known);
    }
  }

  /// A string as it is, anything else as compact JSON: for free-form tables.
  [[nodiscard]] std::string shown() const {
    if (!present()) return "";
    if (value_->is_string()) return value_->get<std::string>();
    return value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  [[noreturn]] void fail(std::string_view expected) const {
    throw file_error(where_, (path_.empty() ? "" : detail::printable(path_) + ": ") + "got " +
                                 (present() ? detail::describe(*value_) : "nothing") + ", expected " +
                                 std::string(expected));
  }

 private:
  template <class T>
  [[nodiscard]] T need(std::optional<T> value, std::string_view expected) const {
    if (!value) fail(expected);
    return *std::move(value);
  }

  json_field(nlohmann::json const* value, std::string_view where, std::string path)
      : value_(value != nullptr && value->is_null() ? nullptr : value),
        where_(where),
        path_(std::move(path)) {}

  nlohmann::json const* value_;
  std::string_view where_;
  std::string path_;
};

struct json_field::member {
  std::string key;
  json_field value;
};

inline std::vector<json_field::member> json_field::members() const {
  std::vector<member> out;
  if (!present()) return out;
  if (!value_->is_object()) fail("an object");
  for (auto const& [key, value] : value_->items()) {
    json_field inner = (*this)[key];
    if (inner) out.push_back({key, std::move(inner)});
  }
  return out;
}

}  // namespace lancet
