// SPDX-License-Identifier: Apache-2.0
// Aligned host memory: the storage of every backend whose tensors lie in the host's memory.
#pragma once

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "lancet/core/view.hpp"

namespace lancet {

/// Asks the system for pages of 2 MiB in [memory, memory + bytes), where it has them on request (Linux:
/// transparent_hugepage/enabled is madvise or always): fewer faults while weights are filled, fewer
/// misses of the address cache while they are read. Advice only: pages that do not lie wholly inside stay
/// small, so that no byte outside becomes resident, and a refusal changes nothing. Sizes below 4 MiB are left alone.
inline void advise_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t page = std::size_t{2} << 20;
  if (bytes < 2 * page) return;
  auto const start = reinterpret_cast<std::uintptr_t>(memory);
  auto const first = (start + page - 1) / page * page, end = (start + bytes) / page * page;
  ::madvise(static_cast<char*>(memory) + (first - start), end - first, MADV_HUGEPAGE);
#endif
}

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
    void* const memory = ::operator new (count * sizeof(T), std::align_val_t{64}, std::nothrow);
    if (!memory)
      throw resource_error("out of memory: " + std::to_string(count * sizeof(T)) + " bytes asked for");
    advise_large_pages(memory, count * sizeof(T));
    return static_cast<T*>(memory);
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
