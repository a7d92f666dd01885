// SPDX-License-Identifier: Apache-2.0
// backend::emulated: the device backend with its kernels run on the host, thread by thread.
//
// For tests of kernels and of code that must not touch device memory: its memory is the host's, but says that
// it is not. Slow; never for work.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>

#include "lancet/backend/device/emulator.hpp"
#include "lancet/backend/device/launch.hpp"

namespace lancet {

namespace device {

/// A Runtime (memory.hpp) on the host.
struct emulated_runtime {
  [[nodiscard]] static void* allocate(std::size_t bytes) {
    void* const memory = ::operator new(bytes, std::align_val_t(64));
    std::memset(memory, 0xFF, bytes);  // NaN
    return memory;
  }
  static void release(void* memory) noexcept { ::operator delete(memory, std::align_val_t(64)); }
  static void zero(void* memory, std::size_t bytes) { std::memset(memory, 0, bytes); }
  static void upload(void const* from, void* to, std::size_t bytes) { std::memcpy(to, from, bytes); }
  static void download(void const* from, void* to, std::size_t bytes) { std::memcpy(to, from, bytes); }
  static void upload_rows(void const* from, std::size_t bytes, void* to, std::size_t pitch, index rows) {
    copy_rows(from, bytes, to, pitch, bytes, rows);
  }
  static void download_rows(void const* from, std::size_t pitch, void* to, std::size_t bytes, index rows) {
    copy_rows(from, pitch, to, bytes, bytes, rows);
  }

  template <class Kernel>
  static void launch(char const* name, index blocks, int threads, Kernel const& kernel) {
    emulate(name, blocks, threads, kernel);
  }

  /// c = op(a)·op(b), or +=, as ops::matmul says. Refuses what cuBLASLt does: matrices without elements.
  template <class In, class Out>
  static void gemm(matrix<In const> a, bool turned_a, matrix<In const> b, bool turned_b, matrix<Out> c,
                   bool accumulate) {
    auto const element = [](matrix<In const> const& x, bool turned, index i, index j) {
      return static_cast<Out>(
          static_cast<std::conditional_t<std::is_arithmetic_v<In>, In, float>>(turned ? x(j, i) : x(i, j)));
    };
    index const k = turned_a ? a.rows : a.cols;
    if (c.rows <= 0 || c.cols <= 0 || k <= 0)
      fail_expected("gemm of a device",
                    "[" + std::to_string(c.rows) + ", " + std::to_string(c.cols) + "] as sums over " +
                        std::to_string(k),
                    "no size of 0");
    for (index i = 0; i < c.rows; ++i)
      for (index j = 0; j < c.cols; ++j) {
        Out sum = 0;
        for (index p = 0; p < k; ++p) sum += element(a, turned_a, i, p) * element(b, turned_b, p, j);
        c(i, j) = accumulate ? c(i, j) + sum : sum;
      }
  }

 private:
  static void copy_rows(void const* from, std::size_t from_pitch, void* to, std::size_t to_pitch,
                        std::size_t bytes, index rows) {
    for (index i = 0; i < rows; ++i)
      std::memcpy(static_cast<std::byte*>(to) + static_cast<std::size_t>(i) * to_pitch,
                  static_cast<std::byte const*>(from) + static_cast<std::size_t>(i) * from_pitch, bytes);
  }
};

}  // namespace device

namespace backend {

/// `Weight<B>` prepares weights: plain_weight, or device::bf16_weight.
template <class Scalar, template <class> class Weight = plain_weight>
struct emulated : device::operations<emulated<Scalar, Weight>, Scalar, device::emulated_runtime> {
  static constexpr char const* name = "emulated";
  using weight = Weight<emulated>;

  /// The view itself: an address on the device.
  template <class View>
  static View native(View v) {
    return v;
  }
};

}  // namespace backend
}  // namespace lancet
