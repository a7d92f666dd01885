// SPDX-License-Identifier: Apache-2.0
// Writing GGUF files, version 3, atomically: metadata of every type, tensors one at a time.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/gguf_value.hpp"
#include "lancet/io/lazy_tensor.hpp"

namespace lancet {

namespace detail {

/// The value type that a C++ value is written as.
template <typename T>
[[nodiscard]] consteval gguf_type gguf_type_for() {
  if constexpr (std::same_as<T, bool>) return gguf_type::boolean;
  if constexpr (gguf_text<T>) return gguf_type::string;
  if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? gguf_type::f32 : gguf_type::f64;
  if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    constexpr bool is_signed = std::is_signed_v<T>;
    if (sizeof(T) == 1) return is_signed ? gguf_type::i8 : gguf_type::u8;
    if (sizeof(T) == 2) return is_signed ? gguf_type::i16 : gguf_type::u16;
    if (sizeof(T) == 4) return is_signed ? gguf_type::i32 : gguf_type::u32;
    return is_signed ? gguf_type::i64 : gguf_type::u64;
  }
}

template <typename T>
void append_bytes(std::string& out, T const& value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}
inline void append_text(std::string& out, std::string_view text) {
  append_bytes(out, std::uint64_t{text.size()});
  out += text;
}
template <gguf_scalar T>
void append_value(std::string& out, T const& value) {
  if constexpr (gguf_text<T>)
    append_text(out, value);
  else if constexpr (std::same_as<T, bool>)
    append_bytes(out, static_cast<std::uint8_t>(value));
  else
    append_bytes(out, value);
}

}  // namespace detail

/// Collects metadata and tensors, then writes the file. Data lie at multiples of 32 bytes.
class gguf_writer {
 public:
  static constexpr std::uint64_t alignment = 32;
  /// ggml keeps a name in 64 bytes with its end.
  static constexpr std::size_t most_name_bytes = 63, most_axes = 4;

  /// One value of the type that T says: std::uint32_t{1} is a uint32. A key that is there is replaced.
  template <detail::gguf_scalar T>
  void set(std::string key, T const& value) {
    std::string bytes;
    detail::append_bytes(bytes, static_cast<std::uint32_t>(detail::gguf_type_for<T>()));
    detail::append_value(bytes, value);
    put(std::move(key), std::move(bytes));
  }
  void set(std::string key, char const* text) { set(std::move(key), std::string_view(text)); }

  template <detail::gguf_scalar T>
  void set_list(std::string key, std::span<T const> values) {
    std::string bytes = list_header(detail::gguf_type_for<T>(), values.size());
    for (T const& value : values) detail::append_value(bytes, value);
    put(std::move(key), std::move(bytes));
  }

  /// A value of another file, bit for bit. The alignment is the writer's own and is not taken over.
  void copy(gguf_value const& value) {
    if (value.key == "general.alignment") return;
    std::string bytes;
    if (value.is_array)
      bytes = list_header(value.type, value.count);
    else
      detail::append_bytes(bytes, static_cast<std::uint32_t>(value.type));
    bytes.append(reinterpret_cast<char const*>(value.bytes.data()), value.bytes.size());
    put(std::string(value.key), std::move(bytes));
  }

  void add(lazy_tensor tensor) { tensors_.push_back(std::move(tensor)); }

  /// Throws usage_error for names, types and shapes that GGUF cannot hold; equal input gives equal bytes.
  void write(std::string const& path) const {
    std::vector<std::uint64_t> sizes;
    std::string const header = make_header(path, sizes);
    atomic_file file(path);
    file.write(header);
    pad(file);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      detail::write_tensor(file, tensors_[i], sizes[i], place_of(path, tensors_[i]));
      pad(file);
    }
    file.commit();
  }

 private:
  struct entry {
    std::string key;
    std::string bytes;  // type and value
  };

  void put(std::string key, std::string bytes) {
    if (key.empty() || key.size() > 65535)
      fail_expected("gguf_writer", "a key of " + std::to_string(key.size()) + " bytes", "1 to 65535");
    auto const [at, fresh] = place_of_key_.emplace(key, metadata_.size());
    if (fresh)
      metadata_.push_back({std::move(key), std::move(bytes)});
    else
      metadata_[at->second].bytes = std::move(bytes);
  }

  [[nodiscard]] static std::string list_header(gguf_type type, std::uint64_t count) {
    std::string bytes;
    detail::append_bytes(bytes, static_cast<std::uint32_t>(gguf_type::array));
    detail::append_bytes(bytes, static_cast<std::uint32_t>(type));
    detail::append_bytes(bytes, count);
    return bytes;
  }

  [[nodiscard]] static std::string place_of(std::string const& path, lazy_tensor const& tensor) {
    return path + ": tensor " + detail::in_quotes(tensor.name);
  }

  static void pad(atomic_file& file) {
    static constexpr std::array<std::byte, alignment> zeros{};
    if (auto const rest = file.size() % alignment; rest != 0)
      file.write(std::span(zeros).first(alignment - rest));
  }

  [[nodiscard]] std::string make_header(std::string const& path, std::vector<std::uint64_t>& sizes) const {
    std::string out = "GGUF";
    detail::append_bytes(out, std::uint32_t{3});
    detail::append_bytes(out, std::uint64_t{tensors_.size()});
    detail::append_bytes(out, std::uint64_t{metadata_.size()});
    for (entry const& e : metadata_) {
      detail::append_text(out, e.key);
      out += e.bytes;
    }
    std::vector<std::string_view> names;
    checked_size offset(0, path);
    for (lazy_tensor const& tensor : tensors_) {
      std::string const what = place_of(path, tensor);
      if (tensor.name.empty() || tensor.name.size() > most_name_bytes)
        fail_expected(what, "a name of " + std::to_string(tensor.name.size()) + " bytes", "1 to 63");
      if (row_of(tensor.type).ggml < 0)
        fail_expected(what, "type " + std::string(name_of(tensor.type)), "a type that GGUF knows");
      if (tensor.shape.empty() || tensor.shape.size() > most_axes ||
          std::ranges::find(tensor.shape, 0) != tensor.shape.end())
        fail_expected(what, "shape " + shape_text(tensor.shape), "1 to 4 axes, none of length 0");
      sizes.push_back(detail::bytes_of(tensor, what));
      names.push_back(tensor.name);
      detail::append_text(out, tensor.name);
      detail::append_bytes(out, static_cast<std::uint32_t>(tensor.shape.size()));
      for (auto axis = tensor.shape.rbegin(); axis != tensor.shape.rend(); ++axis)
        detail::append_bytes(out, static_cast<std::uint64_t>(*axis));  // ggml: the contiguous axis first
      detail::append_bytes(out, static_cast<std::uint32_t>(row_of(tensor.type).ggml));
      detail::append_bytes(out, offset.value());
      offset = (offset + sizes.back()).aligned_to(alignment);
    }
    std::ranges::sort(names);
    if (auto const twice = std::ranges::adjacent_find(names); twice != names.end())
      fail_expected(path, "two tensors named " + detail::in_quotes(*twice), "different names");
    return out;
  }

  std::vector<entry> metadata_;
  std::map<std::string, std::size_t> place_of_key_;  // in metadata_: a copied file may have a million keys
  std::vector<lazy_tensor> tensors_;
};

}  // namespace lancet
