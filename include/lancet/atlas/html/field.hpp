// SPDX-License-Identifier: Apache-2.0
// Reads an optional value out of a JSON document: absent is allowed, the wrong type is an error with its
// path.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/json.hpp"

namespace lancet::html {

/// A place in a document that may or may not hold a value. `null` counts as absent (JSON has no NaN).
/// Every reader throws file_error "report.json: harm.before: got the string 'high', expected a number".
class field {
 public:
  /// `where` is the document's name in messages; document and name must outlive the field.
  field(nlohmann::json const& document, std::string_view where) : field(&document, where, "") {}

  [[nodiscard]] bool present() const { return value_ != nullptr; }
  [[nodiscard]] explicit operator bool() const { return present(); }
  [[nodiscard]] nlohmann::json const* json() const { return value_; }

  /// The member `key`; absent if this is absent.
  [[nodiscard]] field operator[](std::string_view key) const {
    std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
    if (!present()) return {nullptr, where_, std::move(path)};
    if (!value_->is_object()) fail("an object");
    auto const found = value_->find(key);
    return {found == value_->end() ? nullptr : &*found, where_, std::move(path)};
  }

  /// The elements of an array; none if absent.
  [[nodiscard]] std::vector<field> items() const {
    std::vector<field> out;
    if (!present()) return out;
    if (!value_->is_array()) fail("a list");
    out.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
      field element(&(*value_)[i], where_, path_ + "[" + std::to_string(i) + "]");
      if (!element) throw file_error(where_, element.path_ + ": got null, expected a value");
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

  /// A string as it is, anything else as compact JSON: for free-form tables.
  [[nodiscard]] std::string shown() const {
    if (!present()) return "";
    if (value_->is_string()) return value_->get<std::string>();
    return value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  [[noreturn]] void fail(std::string_view expected) const {
    throw file_error(where_, (path_.empty() ? "" : path_ + ": ") + "got " +
                                 (present() ? lancet::detail::describe(*value_) : "nothing") + ", expected " +
                                 std::string(expected));
  }

 private:
  field(nlohmann::json const* value, std::string_view where, std::string path)
      : value_(value != nullptr && value->is_null() ? nullptr : value),
        where_(where),
        path_(std::move(path)) {}

  nlohmann::json const* value_;
  std::string_view where_;
  std::string path_;
};

struct field::member {
  std::string key;
  field value;
};

inline std::vector<field::member> field::members() const {
  std::vector<member> out;
  if (!present()) return out;
  if (!value_->is_object()) fail("an object");
  for (auto const& [key, value] : value_->items()) {
    field inner = (*this)[key];
    if (inner) out.push_back({key, std::move(inner)});
  }
  return out;
}

}  // namespace lancet::html
