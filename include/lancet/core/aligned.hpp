// SPDX-License-Identifier: Apache-2.0
// Aligned host memory: the storage of every backend whose tensors lie in the host's memory.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "lancet/core/view.hpp"

namespace lancet {

/// `size` zeroed elements aligned to 64 bytes (a cache line, the widest vector). Throws resource_error when
/// there is no memory, with the number of bytes asked for.
template <class T>
class aligned_buffer {
 public:
  aligned_buffer() = default;
  explicit aligned_buffer(index size) : size_(size) {
    if (size == 0) return;
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<index>::max()) / sizeof(T);
    if (static_cast<std::size_t>(size) > most)  // negative sizes too
      throw resource_error("out of memory: " + std::to_string(size) + " elements asked for");
    auto const bytes = sizeof(T) * static_cast<std::size_t>(size);
    try {
      data_.reset(static_cast<T*>(::operator new (bytes, std::align_val_t{64})));
    } catch (std::bad_alloc const&) {
      throw resource_error("out of memory: " + std::to_string(bytes) + " bytes asked for");
    }
    std::uninitialized_fill_n(data_.get(), size, T{});
  }
  aligned_buffer(aligned_buffer&& o) noexcept : size_(std::exchange(o.size_, 0)), data_(std::move(o.data_)) {}
  aligned_buffer& operator=(aligned_buffer&& o) noexcept {
    size_ = std::exchange(o.size_, 0);
    data_ = std::move(o.data_);
    return *this;
  }

  [[nodiscard]] index size() const { return size_; }
  /// Logically shallow, like a pointer: a const buffer gives const elements only through `tensor`.
  [[nodiscard]] T* data() const { return data_.get(); }

 private:
  struct release {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  index size_ = 0;
  std::unique_ptr<T, release> data_;
};

}  // namespace lancet
