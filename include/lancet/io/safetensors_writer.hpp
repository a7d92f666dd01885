// SPDX-License-Identifier: Apache-2.0
// Writing safetensors files, atomically.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/lazy_tensor.hpp"
#include "lancet/io/safetensors.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet {

/// A tensor to be written whose elements are `values`, row-major; the caller keeps them until then.
template <typename T>
[[nodiscard]] tensor_entry as_tensor(std::string name, std::vector<std::ptrdiff_t> shape,
                                     std::span<T const> values) {
  return {.name = std::move(name),
          .type = tensor_type_of<T>,
          .shape = std::move(shape),
          .bytes = std::as_bytes(values)};
}

/// Writes a safetensors file: names unique and not empty, sizes as the shapes say, else usage_error. Larger
/// element types come first, so that every tensor is aligned for its type; else the order is kept. Equal
/// input gives equal bytes. One tensor's bytes are held at a time.
inline void stream_safetensors(std::string const& path, std::span<lazy_tensor const> tensors,
                               safetensors_metadata const& metadata = {}) {
  std::vector<lazy_tensor const*> order;
  order.reserve(tensors.size());
  for (lazy_tensor const& tensor : tensors) order.push_back(&tensor);
  std::ranges::stable_sort(order, [](auto const* a, auto const* b) {
    return row_of(a->type).block_bytes > row_of(b->type).block_bytes;
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  auto const place_of = [&](lazy_tensor const& tensor) {
    return path + ": tensor " + detail::in_quotes(tensor.name);
  };
  // Its own operator[] looks at all names for each one; here they are compared below, all at once.
  auto& members = header.get_ref<nlohmann::ordered_json::object_t&>();
  members.reserve(members.size() + order.size());
  std::vector<std::string_view> names;
  std::vector<std::uint64_t> sizes;
  std::uint64_t offset = 0;
  for (lazy_tensor const* const tensor : order) {
    auto const& row = row_of(tensor->type);
    std::string const what = place_of(*tensor);
    if (tensor->name.empty() || tensor->name == "__metadata__")
      fail_expected(what, "this name", "another one");
    if (row.safetensors.empty()) fail_expected(what, std::string(row.name), "a type that safetensors knows");
    sizes.push_back(detail::bytes_of(*tensor, what));
    names.push_back(tensor->name);
    members.emplace_back(tensor->name,
                         nlohmann::ordered_json{{"dtype", row.safetensors},
                                                {"shape", tensor->shape},
                                                {"data_offsets", {offset, offset + sizes.back()}}});
    offset += sizes.back();
  }
  std::ranges::sort(names);
  if (auto const twice = std::ranges::adjacent_find(names); twice != names.end()) {
    fail_expected(path, "two tensors named " + detail::in_quotes(*twice), "different names");
  }

  std::string text;
  try {
    text = header.dump();
  } catch (nlohmann::json::exception const&) {
    fail_expected(path, "a name or a metadata value that is not UTF-8", "UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::uint64_t const size = text.size();
  atomic_file file(path);
  file.write(std::as_bytes(std::span(&size, 1)));
  file.write(text);
  for (std::size_t i = 0; i < order.size(); ++i)
    detail::write_tensor(file, *order[i], sizes[i], place_of(*order[i]));
  file.commit();
}

/// The same of tensors whose bytes lie in memory or in another file.
inline void write_safetensors(std::string const& path, std::span<tensor_entry const> tensors,
                              safetensors_metadata const& metadata = {}) {
  std::vector<lazy_tensor> lazy;
  lazy.reserve(tensors.size());
  for (tensor_entry const& tensor : tensors) lazy.push_back(as_stored(tensor));
  stream_safetensors(path, lazy, metadata);
}

}  // namespace lancet
