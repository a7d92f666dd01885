// SPDX-License-Identifier: Apache-2.0
// Owning row-major matrix in the memory of a backend.
#pragma once

#include <utility>

#include "lancet/core/view.hpp"

namespace lancet {

/// A [rows, cols] matrix that owns its memory (`B::storage`). Moves are cheap; copies are explicit (`clone`).
/// `resize` keeps the allocation when it is large enough: buffers that are reused never allocate in a loop.
template <class B>
class tensor {
 public:
  using scalar = typename B::scalar;

  tensor() = default;
  /// Zero-filled [rows, cols].
  tensor(index rows, index cols) : rows_(rows), cols_(cols), storage_(count(rows, cols)) {}

  tensor(tensor&&) noexcept = default;
  tensor& operator=(tensor&&) noexcept = default;

  /// A copy of `source`, wherever it lies: [rows, cols].
  [[nodiscard]] static tensor clone(const_view<B> source) {
    tensor copy(source.rows, source.cols);
    B::copy(source, copy.all());
    return copy;
  }

  /// Changes the shape; contents are unspecified afterwards.
  void resize(index rows, index cols) {
    if (rows * cols > capacity()) storage_ = typename B::storage(count(rows, cols));
    rows_ = rows;
    cols_ = cols;
  }

  [[nodiscard]] index rows() const { return rows_; }
  [[nodiscard]] index cols() const { return cols_; }
  [[nodiscard]] index capacity() const { return static_cast<index>(storage_.size()); }
  [[nodiscard]] bool empty() const { return rows_ * cols_ == 0; }

  [[nodiscard]] view<B> all() { return {storage_.data(), rows_, cols_, cols_}; }
  [[nodiscard]] const_view<B> all() const { return {storage_.data(), rows_, cols_, cols_}; }
  operator view<B>() { return all(); }
  operator const_view<B>() const { return all(); }

 private:
  /// In the type that the storage counts in: a std::vector's is unsigned.
  [[nodiscard]] static auto count(index rows, index cols) {
    return static_cast<decltype(std::declval<typename B::storage const&>().size())>(rows * cols);
  }

  index rows_ = 0;
  index cols_ = 0;
  typename B::storage storage_;
};

}  // namespace lancet
