// SPDX-License-Identifier: Apache-2.0
// A tensor as it lies in a file, and the table of all tensors of a file; shared by GGUF and safetensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/dequantize.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/tensor_type.hpp"

namespace lancet {

/// One stored tensor. `bytes` points into the file that it came from and lives as long as that.
struct tensor_entry {
  std::string name = {};
  tensor_type type = tensor_type::f32;
  std::vector<std::ptrdiff_t> shape = {};  // row-major: the last axis is contiguous; {} is one element
  std::span<std::byte const> bytes = {};

  /// Product of the shape.
  [[nodiscard]] std::ptrdiff_t elements() const {
    return std::accumulate(shape.begin(), shape.end(), std::ptrdiff_t{1}, std::multiplies<>{});
  }
  /// Length of the last axis, 1 for a scalar.
  [[nodiscard]] std::ptrdiff_t columns() const { return shape.empty() ? 1 : shape.back(); }
  /// Product of the other axes.
  [[nodiscard]] std::ptrdiff_t rows() const {
    return std::accumulate(shape.begin(), shape.empty() ? shape.end() : shape.end() - 1, std::ptrdiff_t{1},
                           std::multiplies<>{});
  }
};

/// "[30, 576]"
[[nodiscard]] inline std::string shape_text(std::span<std::ptrdiff_t const> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

/// Rows first .. first + count - 1 as floats, out being [count, columns]. Rows can be read by several
/// threads. Throws usage_error where the rows or `out` do not fit.
inline void read_rows(tensor_entry const& tensor, std::ptrdiff_t first, std::ptrdiff_t count,
                      std::span<float> out) {
  std::ptrdiff_t const rows = tensor.rows();
  if (first < 0 || count < 0 || first > rows || count > rows - first ||
      out.size() != static_cast<std::size_t>(count * tensor.columns())) {
    fail_expected("rows of tensor " + detail::in_quotes(tensor.name),
                  std::to_string(count) + " rows from " + std::to_string(first) + " for " +
                      std::to_string(out.size()) + " floats",
                  "rows of " + shape_text(tensor.shape));
  }
  if (rows == 0) return;
  std::size_t const row_bytes = tensor.bytes.size() / static_cast<std::size_t>(rows);
  dequantize(tensor.type,
             tensor.bytes.subspan(static_cast<std::size_t>(first) * row_bytes,
                                  static_cast<std::size_t>(count) * row_bytes),
             out);
}

/// Throws file_error for a tensor of integers where weights are expected.
inline void require_numbers(tensor_entry const& tensor, std::string_view path) {
  if (!is_dequantizable(tensor.type))
    throw file_error(std::string(path), "tensor " + detail::in_quotes(tensor.name) + " has type " +
                                            std::string(row_of(tensor.type).name) +
                                            ", expected floating-point numbers");
}

/// All elements as floats.
[[nodiscard]] inline std::vector<float> read_floats(tensor_entry const& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.elements()));
  read_rows(tensor, 0, tensor.rows(), out);
  return out;
}

/// All elements as they are stored; the stored type must be exactly that of T. Throws file_error(where, ...).
template <typename T>
[[nodiscard]] std::vector<T> read_values(tensor_entry const& tensor, std::string_view where) {
  static_assert(!std::is_same_v<T, bool>, "lancet::read_values<bool>: a stored byte may be neither 0 nor 1");
  if (tensor.type != tensor_type_of<T>) {
    throw file_error(where, "tensor " + detail::in_quotes(tensor.name) + " has type " +
                                std::string(name_of(tensor.type)) + ", expected " +
                                std::string(name_of(tensor_type_of<T>)));
  }
  std::vector<T> out(tensor.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

/// The tensors of one file (or of the shards of one model) in file order, found by name in logarithmic time:
/// a hash table could be slowed down by names made to collide.
class tensor_table {
 public:
  tensor_table() = default;

  /// Throws file_error(path, ...) where two tensors have the same name.
  tensor_table(std::string path, std::vector<tensor_entry> tensors)
      : path_(std::move(path)), tensors_(std::move(tensors)), by_name_(tensors_.size()) {
    std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
    std::sort(by_name_.begin(), by_name_.end(),
              [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
    auto const twice = std::adjacent_find(
        by_name_.begin(), by_name_.end(),
        [&](std::size_t a, std::size_t b) { return tensors_[a].name == tensors_[b].name; });
    if (twice != by_name_.end()) {
      throw file_error(path_, "two tensors have the name " + detail::in_quotes(tensors_[*twice].name));
    }
  }

  [[nodiscard]] std::string const& path() const { return path_; }
  [[nodiscard]] std::size_t size() const { return tensors_.size(); }
  [[nodiscard]] auto begin() const { return tensors_.begin(); }
  [[nodiscard]] auto end() const { return tensors_.end(); }

  /// nullptr where there is none.
  [[nodiscard]] tensor_entry const* find(std::string_view name) const {
    auto const at =
        std::lower_bound(by_name_.begin(), by_name_.end(), name,
                         [&](std::size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
  }

  /// Throws file_error where there is none.
  [[nodiscard]] tensor_entry const& at(std::string_view name) const {
    if (auto const* const tensor = find(name)) return *tensor;
    throw file_error(path_,
                     "has no tensor " + detail::in_quotes(name) + " among its " + std::to_string(size()));
  }

  /// The same with the shape it must have.
  [[nodiscard]] tensor_entry const& at(std::string_view name, std::span<std::ptrdiff_t const> shape) const {
    tensor_entry const& tensor = at(name);
    if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) {
      throw file_error(path_, "tensor " + detail::in_quotes(name) + " has shape " + shape_text(tensor.shape) +
                                  ", expected " + shape_text(shape));
    }
    return tensor;
  }

 private:
  std::string path_;
  std::vector<tensor_entry> tensors_;
  std::vector<std::size_t> by_name_;
};

}  // namespace lancet
