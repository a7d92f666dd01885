// SPDX-License-Identifier: Apache-2.0
// A file in memory for readers that take a path: its bytes are those of the last input.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

namespace lancet_test {

class memory_file {
 public:
  explicit memory_file(char const* name) : descriptor_(::memfd_create(name, 0)) {
    if (descriptor_ < 0) std::abort();
  }
  [[nodiscard]] std::string hold(unsigned char const* data, std::size_t size) const {
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, data, size, 0) != static_cast<ssize_t>(size))
      std::abort();
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

}  // namespace lancet_test
