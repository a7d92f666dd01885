// SPDX-License-Identifier: Apache-2.0
// Counts what operator new hands out in this program. Include it in one source of a test only: it replaces
// the operators.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace lancet_test {

inline std::atomic<std::size_t> allocated_now{0};
inline std::atomic<std::size_t> allocated_peak{0};

/// The most that was allocated at once since its construction, beyond what was allocated then.
class allocation_watch {
 public:
  allocation_watch() : start_(allocated_now) { allocated_peak = start_; }
  [[nodiscard]] std::size_t peak() const { return allocated_peak - start_; }

 private:
  std::size_t start_;
};

inline void* counted_allocate(std::size_t size) {
  void* const at = std::malloc(size);
  if (at == nullptr) throw std::bad_alloc();
  std::size_t const now = allocated_now += ::malloc_usable_size(at);
  allocated_peak = std::max<std::size_t>(allocated_peak, now);
  return at;
}

inline void counted_release(void* at) {
  if (at == nullptr) return;
  allocated_now -= ::malloc_usable_size(at);
  std::free(at);
}

}  // namespace lancet_test

void* operator new(std::size_t size) { return lancet_test::counted_allocate(size); }
void* operator new[](std::size_t size) { return lancet_test::counted_allocate(size); }
void operator delete(void* at) noexcept { lancet_test::counted_release(at); }
void operator delete[](void* at) noexcept { lancet_test::counted_release(at); }
void operator delete(void* at, std::size_t) noexcept { lancet_test::counted_release(at); }
void operator delete[](void* at, std::size_t) noexcept { lancet_test::counted_release(at); }
