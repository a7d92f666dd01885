// SPDX-License-Identifier: Apache-2.0
// A tensor to be written whose bytes are made only when a writer comes to it: a model goes from file to file
// one tensor at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/atomic_file.hpp"
#include "lancet/io/checked.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet {

/// Takes the next bytes of a tensor.
using byte_sink = std::function<void(std::span<std::byte const>)>;

struct lazy_tensor {
  std::string name = {};
  tensor_type type = tensor_type::f32;
  std::vector<std::ptrdiff_t> shape = {};  ///< row-major: the last axis is contiguous
  /// Gives the sink all bytes in order, in as many pieces as it likes; called once.
  std::function<void(byte_sink const&)> produce = {};
};

/// An entry of a file, or of memory, that goes out as it is; its bytes must outlive the writing.
[[nodiscard]] inline lazy_tensor as_stored(tensor_entry const& entry, std::string name = {}) {
  return {.name = name.empty() ? entry.name : std::move(name),
          .type = entry.type,
          .shape = entry.shape,
          .produce = [bytes = entry.bytes](byte_sink const& sink) { sink(bytes); }};
}

namespace detail {

/// Bytes that the tensor's type and shape ask for. Throws usage_error where the shape is no shape or ends
/// within a block.
[[nodiscard]] inline std::uint64_t bytes_of(lazy_tensor const& tensor, std::string const& what) {
  std::uint64_t const block = row_of(tensor.type).block_elements;
  checked_size elements(1, what);
  for (std::ptrdiff_t const length : tensor.shape) {
    if (length < 0) fail_expected(what, "shape " + shape_text(tensor.shape), "lengths from 0");
    elements *= static_cast<std::uint64_t>(length);
  }
  std::uint64_t const row = tensor.shape.empty() ? 1 : static_cast<std::uint64_t>(tensor.shape.back());
  if (row % block != 0)
    fail_expected(what, std::to_string(row) + " columns of type " + std::string(name_of(tensor.type)),
                  "a multiple of " + std::to_string(block));
  return lancet::bytes_of(tensor.type, elements, what).value();
}

/// Writes the tensor's bytes and checks that they are as many as expected.
inline void write_tensor(atomic_file& file, lazy_tensor const& tensor, std::uint64_t expected,
                         std::string const& what) {
  std::uint64_t written = 0;
  tensor.produce([&](std::span<std::byte const> piece) {
    written += piece.size();
    if (written <= expected) file.write(piece);
  });
  if (written != expected)
    fail_expected(what, std::to_string(written) + " bytes",
                  std::to_string(expected) + " for shape " + shape_text(tensor.shape));
}

}  // namespace detail

}  // namespace lancet
