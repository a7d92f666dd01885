// SPDX-License-Identifier: Apache-2.0
// Reading safetensors files (huggingface/safetensors, README "Format"): a JSON header, then the tensors'
// bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/checked.hpp"
#include "lancet/io/detail/byte_reader.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/mapped_file.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet {

/// What a safetensors file may hold at most; callers may tighten each.
struct safetensors_limits {
  std::uint64_t header_bytes = 100'000'000;  // the format's own limit
  std::size_t tensors = std::size_t{1} << 20;
  std::size_t metadata = std::size_t{1} << 16;
  std::size_t name_bytes = 1024;
  std::size_t axes = 8;
};

using safetensors_metadata = std::map<std::string, std::string, std::less<>>;

namespace detail {

/// safetensors' element types that lancet knows by name only.
inline constexpr std::string_view unread_safetensors_types[] = {
    "F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0", "C64"};

[[nodiscard]] inline tensor_type safetensors_type(std::string_view name, std::string const& where) {
  for (tensor_type_row const& row : tensor_types) {
    if (!row.safetensors.empty() && row.safetensors == name) return row.type;
  }
  std::string readable;
  for (tensor_type_row const& row : tensor_types) {
    if (!row.safetensors.empty()) readable += (readable.empty() ? "" : ", ") + std::string(row.safetensors);
  }
  bool const known = std::ranges::find(unread_safetensors_types, name) != std::end(unread_safetensors_types);
  throw file_error(
      where, (known ? "type " + std::string(name) + " cannot be read" : "unknown type " + in_quotes(name)) +
                 "; expected one of " + readable);
}

/// One entry of the header, its bytes not yet placed.
struct safetensors_entry {
  tensor_entry tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

[[nodiscard]] inline safetensors_entry parse_safetensors_entry(std::string const& name,
                                                               nlohmann::json const& info,
                                                               std::string const& path,
                                                               safetensors_limits const& limits) {
  std::string const where = path + ": tensor " + in_quotes(name);
  if (name.empty()) throw file_error(path, "a tensor's name is empty");
  if (name.size() > limits.name_bytes) {
    throw file_error(where, "the name is longer than " + std::to_string(limits.name_bytes) + " bytes");
  }
  if (!info.is_object()) throw file_error(where, "got " + describe(info) + ", expected an object");
  for (auto const& [key, value] : info.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      throw file_error(where, "unknown key " + in_quotes(key));
  }
  auto const& shape = at(info, "shape", where);
  if (shape.is_array() && shape.size() > limits.axes) {
    throw file_error(where, "got " + std::to_string(shape.size()) + " axes, expected at most " +
                                std::to_string(limits.axes));
  }
  auto const& offsets = at(info, "data_offsets", where);
  if (!offsets.is_array() || offsets.size() != 2) {
    throw file_error(where, "data_offsets: got " + describe(offsets) + ", expected a list of 2");
  }
  safetensors_entry entry;
  entry.tensor.name = name;
  entry.tensor.type = safetensors_type(get<std::string_view>(info, "dtype", where), where);
  checked_size extent(1,
                      where);  // an empty axis counts as 1: so no partial product can overflow later either
  bool is_empty = false;
  for (auto const length : get<std::vector<std::uint64_t>>(info, "shape", where)) {
    extent *= std::max<std::uint64_t>(length, 1);
    is_empty = is_empty || length == 0;
    entry.tensor.shape.push_back(checked_size(length, where).as_index());
  }
  (void)extent.as_index();
  auto const range = get<std::vector<std::uint64_t>>(info, "data_offsets", where);
  entry.begin = range[0];
  entry.end = range[1];
  auto const bytes = bytes_of(entry.tensor.type, is_empty ? checked_size(0, where) : extent, where);
  if (entry.begin > entry.end || entry.end - entry.begin != bytes.value()) {
    throw file_error(where, "data_offsets: got " + std::to_string(entry.begin) + " to " +
                                std::to_string(entry.end) + ", expected " + std::to_string(bytes.value()) +
                                " bytes for shape " + shape_text(entry.tensor.shape) + " of " +
                                std::string(name_of(entry.tensor.type)));
  }
  return entry;
}

}  // namespace detail

/// A safetensors file. Everything is checked when it is opened: the header's size and syntax, duplicate
/// names, types, shapes against sizes, and that the tensors cover the data exactly, without gaps or overlaps.
/// Move-only; tensors' bytes stay valid when it is moved.
class safetensors_file {
 public:
  /// Maps and parses a file. Throws file_error or resource_error.
  [[nodiscard]] static safetensors_file open(std::string path, safetensors_limits const& limits = {},
                                             mapped_file_options mapping = {}) {
    mapped_file file(std::move(path), mapping);
    safetensors_file result(file.bytes(), file.path(), limits);
    result.file_ = std::move(file);
    return result;
  }

  /// Parses bytes that the caller keeps; `path` names them in errors.
  [[nodiscard]] static safetensors_file parse(std::span<std::byte const> bytes, std::string path,
                                              safetensors_limits const& limits = {}) {
    return safetensors_file(bytes, std::move(path), limits);
  }

  [[nodiscard]] std::string const& path() const { return tensors_.path(); }
  /// The header's "__metadata__".
  [[nodiscard]] safetensors_metadata const& metadata() const { return metadata_; }
  /// See mapped_file::done_with.
  void done_with(std::span<std::byte const> bytes) const {
    if (file_) file_->done_with(bytes);
  }
  [[nodiscard]] tensor_table const& tensors() const { return tensors_; }

 private:
  safetensors_file(std::span<std::byte const> bytes, std::string path, safetensors_limits const& limits) {
    detail::byte_reader in(bytes, path);
    std::string_view const header = in.text("safetensors header", limits.header_bytes);
    if (!header.starts_with('{')) in.fail(8, "the header does not begin with '{': not a safetensors file");
    auto const data = bytes.subspan(in.offset());
    nlohmann::json const root = parse_json(header, path + " (header)", {.depth = 3, .bytes = header.size()});
    if (root.size() > limits.tensors) {
      throw file_error(path, "got " + std::to_string(root.size()) + " tensors, the limit is " +
                                 std::to_string(limits.tensors));
    }
    std::vector<detail::safetensors_entry> entries;
    entries.reserve(root.size());
    for (auto const& [name, info] : root.items()) {
      if (name == "__metadata__") {
        read_metadata(info, path, limits);
      } else {
        entries.push_back(detail::parse_safetensors_entry(name, info, path, limits));
      }
    }
    tensors_ = place(std::move(path), std::move(entries), data);
  }

  void read_metadata(nlohmann::json const& info, std::string const& path, safetensors_limits const& limits) {
    if (!info.is_object() || info.size() > limits.metadata) {
      throw file_error(path, "__metadata__: got " + detail::describe(info) +
                                 ", expected an object with at most " + std::to_string(limits.metadata) +
                                 " strings");
    }
    for (auto const& [key, value] : info.items()) {
      if (!value.is_string()) {
        throw file_error(path, "__metadata__: " + detail::in_quotes(key) + ": got " +
                                   detail::describe(value) + ", expected a string");
      }
      metadata_.emplace(key, value.get_ref<std::string const&>());
    }
  }

  [[nodiscard]] static tensor_table place(std::string path, std::vector<detail::safetensors_entry> entries,
                                          std::span<std::byte const> data) {
    std::ranges::sort(entries, [](auto const& a, auto const& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t covered = 0;
    std::vector<tensor_entry> tensors;
    tensors.reserve(entries.size());
    for (auto& entry : entries) {
      std::string const name = detail::in_quotes(entry.tensor.name);
      if (entry.begin != covered) {
        throw file_error(path, "tensor " + name + " begins at byte " + std::to_string(entry.begin) +
                                   " of the data, " +
                                   (entry.begin < covered ? "inside the tensor before it" : "after a gap") +
                                   "; expected " + std::to_string(covered));
      }
      if (entry.end > data.size()) {
        throw file_error(path, "tensor " + name + " ends at byte " + std::to_string(entry.end) +
                                   " of the data, the file has only " + std::to_string(data.size()));
      }
      entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
      covered = entry.end;
      tensors.push_back(std::move(entry.tensor));
    }
    if (covered != data.size()) {
      throw file_error(path, "the tensors end at byte " + std::to_string(covered) +
                                 " of the data, which has " + std::to_string(data.size()));
    }
    return tensor_table(std::move(path), std::move(tensors));
  }

  std::optional<mapped_file> file_;  // empty where the caller keeps the bytes
  safetensors_metadata metadata_;
  tensor_table tensors_;
};

}  // namespace lancet
