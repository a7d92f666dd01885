// SPDX-License-Identifier: Apache-2.0
// Typed values out of parsed JSON; an error names the path of the offending value, what was got and what was
// expected.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json_parse.hpp"

namespace lancet {

namespace detail {

template <typename T>
inline constexpr bool is_vector = false;
template <typename T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// Exactly nlohmann::json: nearly every type converts to it, and none should do so unseen.
template <typename T>
concept json_document = std::same_as<T, nlohmann::json>;

template <typename T>
concept json_number = std::is_arithmetic_v<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

/// Where a value stands, for errors: the file, the path from the root given to get(), the place in a list.
struct json_place {
  std::string_view where;
  std::string_view path;
  std::string suffix = {};
};

[[noreturn]] inline void fail_json(json_place const& place, std::string const& got,
                                   std::string const& expected) {
  std::string const path = std::string(place.path) + place.suffix;
  throw file_error(place.where, (path.empty() ? "" : path + ": ") + "got " + got + ", expected " + expected);
}

[[nodiscard]] inline std::string describe(nlohmann::json const& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::object:
      return "an object";
    case nlohmann::json::value_t::array:
      return "a list of " + std::to_string(value.size());
    case nlohmann::json::value_t::string:
      return "the string " + in_quotes(value.get_ref<std::string const&>());
    default:
      return value.dump();
  }
}

template <typename T>
[[nodiscard]] std::string describe_type() {
  if constexpr (std::same_as<T, bool>) return "true or false";
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) return "a string";
  if constexpr (std::floating_point<T>) return "a number";
  if constexpr (is_vector<T>) return "a list";
  if constexpr (std::integral<T>) {
    using limits = std::numeric_limits<T>;
    return "an integer from " + std::to_string(limits::min()) + " to " + std::to_string(limits::max());
  }
}

template <typename T>
[[nodiscard]] T convert(nlohmann::json const& value, json_place const& place) {
  auto const refuse = [&] { fail_json(place, describe(value), describe_type<T>()); };
  if constexpr (std::same_as<T, bool>) {
    if (!value.is_boolean()) refuse();
    return value.get<bool>();
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    if (!value.is_string()) refuse();
    return T(value.get_ref<std::string const&>());
  } else if constexpr (is_vector<T>) {
    if (!value.is_array()) refuse();
    T list;
    list.reserve(value.size());
    json_place inner = place;
    for (std::size_t i = 0; i < value.size(); ++i) {
      inner.suffix = place.suffix + "[" + std::to_string(i) + "]";
      list.push_back(convert<typename T::value_type>(value[i], inner));
    }
    return list;
  } else if constexpr (std::floating_point<T>) {
    if (!value.is_number()) refuse();
    double const number = value.get<double>();
    if (number > static_cast<double>(std::numeric_limits<T>::max()) ||
        number < static_cast<double>(std::numeric_limits<T>::lowest())) {
      refuse();
    }
    return static_cast<T>(number);
  } else {
    static_assert(json_number<T>,
                  "lancet::get<T>(json): T must be bool, a number, a string or a std::vector of these");
    if (!value.is_number_integer()) refuse();
    bool const fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                                 : std::in_range<T>(value.get<std::int64_t>());
    if (!fits) refuse();
    return value.get<T>();
  }
}

}  // namespace detail

/// The value at a dotted path ("loss.weight") below `object`, nullptr where a key is absent. Keys that
/// contain dots themselves cannot be named so: use the object's own interface for these.
[[nodiscard]] inline nlohmann::json const* find(detail::json_document auto const& object,
                                                std::string_view path) {
  nlohmann::json const* value = &object;
  while (true) {
    auto const dot = path.find('.');
    if (!value->is_object()) return nullptr;
    auto const place = value->find(path.substr(0, dot));
    if (place == value->end()) return nullptr;
    value = &*place;
    if (dot == path.npos) return value;
    path.remove_prefix(dot + 1);
  }
}

/// The same where it is required. Throws file_error(where, ...).
[[nodiscard]] inline nlohmann::json const& at(detail::json_document auto const& object, std::string_view path,
                                              std::string_view where) {
  if (auto const* const value = find(object, path)) return *value;
  if (!object.is_object())
    throw file_error(where, "got " + detail::describe(object) + ", expected an object");
  throw file_error(where, "has no '" + std::string(path) + "'");
}

/// The required value at `path` as a T: bool, an integer (the value must fit), a floating-point number
/// (integers are accepted), a string, or a std::vector of these. Nothing is converted silently. Throws
/// file_error(where, ...).
template <typename T>
[[nodiscard]] T get(detail::json_document auto const& object, std::string_view path, std::string_view where) {
  return detail::convert<T>(at(object, path, where), {.where = where, .path = path});
}

/// The same where it may be absent or null.
template <typename T>
[[nodiscard]] std::optional<T> get_optional(detail::json_document auto const& object, std::string_view path,
                                            std::string_view where) {
  auto const* const value = find(object, path);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return detail::convert<T>(*value, {.where = where, .path = path});
}

/// The same with a value to use where it is absent or null.
template <typename T>
[[nodiscard]] T get_or(detail::json_document auto const& object, std::string_view path, T fallback,
                       std::string_view where) {
  return get_optional<T>(object, path, where).value_or(std::move(fallback));
}

/// The object's `format` must be `format` and its `version` one of 1 .. `newest`; returns the version.
[[nodiscard]] inline int require_format(detail::json_document auto const& object, std::string_view format,
                                        int newest, std::string_view where) {
  auto const got = get<std::string_view>(object, "format", where);
  if (got != format)
    throw file_error(where,
                     "format: got " + detail::in_quotes(got) + ", expected '" + std::string(format) + "'");
  int const stated = get<int>(object, "version", where);
  if (stated < 1 || stated > newest) {
    throw file_error(where, "version: got " + std::to_string(stated) + ", this lancet reads 1 to " +
                                std::to_string(newest));
  }
  return stated;
}

}  // namespace lancet
