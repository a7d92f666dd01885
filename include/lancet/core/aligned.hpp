// SPDX-License-Identifier: Apache-2.0
// Aligned host memory: the storage of every backend whose tensors lie in the host's memory.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "lancet/core/view.hpp"

namespace lancet {

/// Allocator of memory aligned to 64 bytes (a cache line, the widest vector). Throws resource_error when
/// there is no memory, with the number of bytes asked for.
template <class T>
struct aligned_allocator {
  using value_type = T;

  aligned_allocator() = default;
  template <class U>
  aligned_allocator(aligned_allocator<U> const&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<index>::max()) / sizeof(T);
    if (count > most)  // negative sizes too
      throw resource_error("out of memory: " + std::to_string(static_cast<index>(count)) +
                           " elements asked for");
    try {
      return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64}));
    } catch (std::bad_alloc const&) {
      throw resource_error("out of memory: " + std::to_string(count * sizeof(T)) + " bytes asked for");
    }
  }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete (memory, std::align_val_t{64}); }

  friend bool operator==(aligned_allocator, aligned_allocator) { return true; }
};

/// `size` zeroed elements from `aligned_allocator`.
template <class T>
class aligned_buffer {
 public:
  struct uninitialized {};

  aligned_buffer() = default;
  /// For memory that is written as a whole before it is read, by several threads best.
  aligned_buffer(index size, uninitialized) : size_(size) {
    static_assert(std::is_trivial_v<T>);
    if (size > 0) data_.reset(aligned_allocator<T>().allocate(static_cast<std::size_t>(size)));
  }
  explicit aligned_buffer(index size) : size_(size) {
    if (size == 0) return;
    data_.reset(aligned_allocator<T>().allocate(static_cast<std::size_t>(size)));
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
    void operator()(T* p) const { aligned_allocator<T>().deallocate(p, 0); }
  };
  index size_ = 0;
  std::unique_ptr<T, release> data_;
};

}  // namespace lancet
