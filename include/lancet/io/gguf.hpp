// SPDX-License-Identifier: Apache-2.0
// GGUF model files, versions 2 and 3 (ggml's docs/gguf.md): typed metadata, and tensors as views into the
// mapped file.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
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
#include "lancet/io/gguf_value.hpp"
#include "lancet/io/mapped_file.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet {

/// What a GGUF file may hold at most; callers may tighten each. Independent of these, no count is believed
/// that the bytes left in the file could not hold.
struct gguf_limits {
  std::uint64_t metadata = std::uint64_t{1} << 20;
  std::uint64_t tensors = std::uint64_t{1} << 20;
  std::uint64_t key_bytes = std::uint64_t{1} << 16;
  std::uint64_t string_bytes = std::uint64_t{1} << 24;
  std::uint64_t array_elements = std::uint64_t{1} << 24;
  std::uint64_t name_bytes = 256;
  std::uint64_t alignment = std::uint64_t{1} << 20;
};

namespace detail {

/// GGUF's tensor types that lancet knows by name only.
struct ggml_type_name {
  std::uint32_t number;
  std::string_view name;
};
// clang-format off
inline constexpr ggml_type_name unread_ggml_types[] = {
    {4, "Q4_2 (withdrawn)"}, {5, "Q4_3 (withdrawn)"}, {9, "Q8_1"}, {15, "Q8_K"},
    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"}, {29, "IQ1_M"},
    {31, "Q4_0_4_4 (withdrawn)"}, {32, "Q4_0_4_8 (withdrawn)"}, {33, "Q4_0_8_8 (withdrawn)"},
    {34, "TQ1_0"}, {35, "TQ2_0"}, {36, "IQ4_NL_4_4 (withdrawn)"}, {37, "IQ4_NL_4_8 (withdrawn)"},
    {38, "IQ4_NL_8_8 (withdrawn)"}, {39, "MXFP4"}, {40, "NVFP4"}, {41, "Q1_0"},
};
// clang-format on

/// Parses a GGUF header; one object a file, run() is the whole of it. Nothing recurses, and nothing is
/// allocated for a count before that many entries are known to fit into the file.
class gguf_parser {
 public:
  gguf_parser(std::span<std::byte const> bytes, std::string const& path, gguf_limits const& limits)
      : in_(bytes, path), bytes_(bytes), path_(path), limits_(limits) {}

  void run() {
    read_header();
    for (std::uint64_t i = 0; i < metadata_count_; ++i) metadata.push_back(read_metadata());
    sort_keys();
    read_alignment();
    for (std::uint64_t i = 0; i < tensor_count_; ++i) read_tensor();
    place_tensors();
  }

  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::vector<gguf_value> metadata;
  std::vector<std::size_t> by_key;
  std::vector<tensor_entry> tensors;

 private:
  struct extent {
    std::uint64_t begin;  // relative to the data section while reading, then in the file
    std::uint64_t bytes;
    std::uint64_t described_at;
    std::size_t tensor;
  };

  void read_header() {
    if (in_.number<std::uint32_t>("magic") != 0x46554747u)
      in_.fail(0, "does not begin with 'GGUF': not a GGUF file");
    version = in_.number<std::uint32_t>("version");
    if (version == 0x02000000u || version == 0x03000000u) {
      in_.fail(4, "is a big-endian GGUF file, expected little-endian");
    }
    if (version != 2 && version != 3) {
      in_.fail(4, "GGUF version: got " + std::to_string(version) + ", expected 2 or 3");
    }
    // The second number stands between the first and its entries, so it is no part of what they can fill.
    tensor_count_ = in_.count("number of tensors", 24, limits_.tensors);
    metadata_count_ = in_.count("number of metadata entries", 13, limits_.metadata);
    metadata.reserve(metadata_count_);
  }

  [[nodiscard]] gguf_type read_type(std::string_view key) {
    std::uint64_t const at = in_.offset();
    auto const number = in_.number<std::uint32_t>("metadata type");
    if (number >= gguf_types.size()) {
      in_.fail(at, "metadata " + in_quotes(key) + ": unknown value type " + std::to_string(number));
    }
    return static_cast<gguf_type>(number);
  }

  [[nodiscard]] gguf_value read_metadata() {
    gguf_value value;
    value.offset = in_.offset();
    value.key = in_.text("metadata key", limits_.key_bytes);
    if (value.key.empty()) in_.fail(value.offset, "metadata key is empty");
    value.type = read_type(value.key);
    value.is_array = value.type == gguf_type::array;
    if (value.is_array) {
      value.type = read_type(value.key);
      if (value.type == gguf_type::array) {
        in_.fail(value.offset, "metadata " + in_quotes(value.key) + ": arrays of arrays are not accepted");
      }
      std::uint32_t const element = row_of(value.type).bytes;
      value.count = in_.count("length of metadata array", element == 0 ? 8 : element, limits_.array_elements);
    }
    std::uint64_t const begin = in_.offset();
    if (value.type == gguf_type::string) {
      for (std::uint64_t i = 0; i < value.count; ++i) (void)in_.text("metadata string", limits_.string_bytes);
    } else {
      (void)in_.take(value.count * row_of(value.type).bytes,
                     "metadata value");  // count <= 2^64 / bytes: see count()
    }
    value.bytes = bytes_.subspan(begin, in_.offset() - begin);
    if (value.type == gguf_type::boolean) {
      for (std::byte const b : value.bytes) {
        if (std::to_integer<int>(b) > 1)
          in_.fail(begin, "metadata " + in_quotes(value.key) + ": a bool is neither 0 nor 1");
      }
    }
    return value;
  }

  void sort_keys() {
    by_key.resize(metadata.size());
    std::iota(by_key.begin(), by_key.end(), std::size_t{0});
    auto const less = [&](std::size_t a, std::size_t b) { return metadata[a].key < metadata[b].key; };
    std::sort(by_key.begin(), by_key.end(), less);
    for (std::size_t i = 1; i < by_key.size(); ++i) {
      if (!less(by_key[i - 1], by_key[i])) {
        in_.fail(metadata[by_key[i]].offset,
                 "two metadata entries have the key " + in_quotes(metadata[by_key[i]].key));
      }
    }
  }

  void read_alignment() {
    for (gguf_value const& value : metadata) {
      if (value.key != "general.alignment") continue;
      alignment = value.as<std::uint32_t>(path_);
      if (!std::has_single_bit(alignment) || alignment > limits_.alignment) {
        value.mismatch(path_, std::to_string(alignment),
                       "a power of two up to " + std::to_string(limits_.alignment));
      }
    }
  }

  [[nodiscard]] tensor_type read_tensor_type(std::string_view name) {
    std::uint64_t const at = in_.offset();
    auto const number = in_.number<std::uint32_t>("tensor type");
    for (tensor_type_row const& row : tensor_types) {
      if (row.ggml >= 0 && static_cast<std::uint32_t>(row.ggml) == number) return row.type;
    }
    std::string readable;
    for (tensor_type_row const& row : tensor_types) {
      if (row.ggml >= 0) readable += (readable.empty() ? "" : ", ") + std::string(row.name);
    }
    for (auto const& known : unread_ggml_types) {
      if (known.number == number) {
        in_.fail(at, "tensor " + in_quotes(name) + ": type " + std::string(known.name) +
                         " cannot be read; expected one of " + readable);
      }
    }
    in_.fail(at, "tensor " + in_quotes(name) + ": unknown type " + std::to_string(number) +
                     "; expected one of " + readable);
  }

  void read_tensor() {
    std::uint64_t const at = in_.offset();
    tensor_entry tensor;
    tensor.name = in_.text("tensor name", limits_.name_bytes);
    if (tensor.name.empty()) in_.fail(at, "tensor name is empty");
    std::string const where = path_ + " @ byte " + std::to_string(at) + ": tensor " + in_quotes(tensor.name);
    auto const axes = in_.number<std::uint32_t>("number of axes");
    if (axes > 4) throw file_error(where, "got " + std::to_string(axes) + " axes, expected at most 4");
    tensor.shape.resize(axes);
    checked_size elements(1, where);
    std::uint64_t row = 1;
    for (std::uint32_t i = 0; i < axes; ++i) {
      checked_size const length(in_.number<std::uint64_t>("length of an axis"), where);
      if (length.value() == 0) throw file_error(where, "has an axis of length 0");
      if (i == 0) row = length.value();
      elements *= length.value();
      tensor.shape[axes - 1 - i] = length.as_index();  // ggml counts axes from the contiguous one
    }
    (void)elements.as_index();
    tensor.type = read_tensor_type(tensor.name);
    (void)bytes_of(tensor.type, checked_size(row, where), where);  // a row is whole blocks
    auto const begin = in_.number<std::uint64_t>("tensor offset");
    if (begin % alignment != 0) {
      throw file_error(where, "offset " + std::to_string(begin) + " is no multiple of the alignment " +
                                  std::to_string(alignment));
    }
    extents_.push_back({begin, bytes_of(tensor.type, elements, where).value(), at, tensors.size()});
    tensors.push_back(std::move(tensor));
  }

  void place_tensors() {
    checked_size const data = checked_size(in_.offset(), path_).aligned_to(alignment);
    for (extent& part : extents_) {
      std::string const where = path_ + " @ byte " + std::to_string(part.described_at) + ": tensor " +
                                in_quotes(tensors[part.tensor].name);
      checked_size const begin = checked_size(data.value(), where) + part.begin;
      checked_size const end = begin + part.bytes;
      if (end.value() > bytes_.size()) {
        throw file_error(where, "needs bytes " + std::to_string(begin.value()) + " to " +
                                    std::to_string(end.value()) + ", the file has " +
                                    std::to_string(bytes_.size()));
      }
      part.begin = begin.value();
      tensors[part.tensor].bytes = bytes_.subspan(part.begin, part.bytes);
    }
    std::sort(extents_.begin(), extents_.end(), [](extent const& a, extent const& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.bytes < b.bytes;
    });
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      extent const& before = extents_[i - 1];
      if (before.begin + before.bytes > extents_[i].begin) {
        in_.fail(before.described_at, "tensors " + in_quotes(tensors[before.tensor].name) + " and " +
                                          in_quotes(tensors[extents_[i].tensor].name) + " overlap");
      }
    }
  }

  byte_reader in_;
  std::span<std::byte const> bytes_;
  std::string const& path_;
  gguf_limits limits_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  std::vector<extent> extents_;
};

}  // namespace detail

/// A GGUF file. Everything is checked when it is opened; afterwards only a wrong key, type or name can fail.
/// Move-only; views into it (keys, strings, tensor bytes) stay valid when it is moved.
class gguf_file {
 public:
  /// Maps and parses a file (or a private copy of it: `mapping`). Throws file_error (path, byte, field, what
  /// was got and expected) or resource_error.
  [[nodiscard]] static gguf_file open(std::string path, gguf_limits const& limits = {},
                                      mapped_file_options mapping = {}) {
    mapped_file file(std::move(path), mapping);
    gguf_file result(file.bytes(), file.path(), limits);
    result.file_ = std::move(file);
    return result;
  }

  /// Parses bytes that the caller keeps; `path` names them in errors.
  [[nodiscard]] static gguf_file parse(std::span<std::byte const> bytes, std::string path,
                                       gguf_limits const& limits = {}) {
    return gguf_file(bytes, std::move(path), limits);
  }

  [[nodiscard]] std::string const& path() const { return tensors_.path(); }
  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] std::uint64_t alignment() const { return alignment_; }
  /// In file order.
  [[nodiscard]] std::span<gguf_value const> metadata() const { return metadata_; }
  /// See mapped_file::done_with.
  void done_with(std::span<std::byte const> bytes) const {
    if (file_) file_->done_with(bytes);
  }
  [[nodiscard]] tensor_table const& tensors() const { return tensors_; }

  /// nullptr where the key is absent.
  [[nodiscard]] gguf_value const* find(std::string_view key) const {
    auto const at =
        std::lower_bound(by_key_.begin(), by_key_.end(), key,
                         [&](std::size_t i, std::string_view wanted) { return metadata_[i].key < wanted; });
    return at != by_key_.end() && metadata_[*at].key == key ? &metadata_[*at] : nullptr;
  }

  /// The value as a T (see gguf_value::as). Throws file_error where it is absent or of another type.
  template <detail::gguf_scalar T>
  [[nodiscard]] T get(std::string_view key) const {
    return required(key, detail::gguf_expected<T>()).template as<T>(path());
  }

  /// The same where it may be absent.
  template <detail::gguf_scalar T>
  [[nodiscard]] std::optional<T> get_optional(std::string_view key) const {
    auto const* const value = find(key);
    return value == nullptr ? std::nullopt : std::optional<T>(value->template as<T>(path()));
  }

  /// An array; with T = std::string_view the strings are not copied.
  template <detail::gguf_scalar T>
  [[nodiscard]] std::vector<T> get_list(std::string_view key) const {
    return required(key, "array of " + detail::gguf_expected<T>()).template as_list<T>(path());
  }

 private:
  gguf_file(std::span<std::byte const> bytes, std::string path, gguf_limits const& limits) {
    detail::gguf_parser parser(bytes, path, limits);
    parser.run();
    version_ = parser.version;
    alignment_ = parser.alignment;
    metadata_ = std::move(parser.metadata);
    by_key_ = std::move(parser.by_key);
    tensors_ = tensor_table(std::move(path), std::move(parser.tensors));
  }

  [[nodiscard]] gguf_value const& required(std::string_view key, std::string const& expected) const {
    if (auto const* const value = find(key)) return *value;
    throw file_error(path(), "has no metadata " + detail::in_quotes(key) + " (" + expected + ")");
  }

  std::optional<mapped_file> file_;  // empty where the caller keeps the bytes
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 0;
  std::vector<gguf_value> metadata_;
  std::vector<std::size_t> by_key_;
  tensor_table tensors_;
};

}  // namespace lancet
