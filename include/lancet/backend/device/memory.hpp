// SPDX-License-Identifier: Apache-2.0
// Memory of a device: tensors' storage, and lists that a kernel reads.
//
// A Runtime is a device's driver; its static members work in the order of one stream:
//   allocate(bytes), release(pointer)              memory, which may come from a pool;
//   zero(pointer, bytes), upload(host, device, bytes), download(device, host, bytes)     the last one waits;
//   download_rows(device, pitch, host, bytes, rows), upload_rows(host, bytes, device, pitch, rows)
//                                                  rows of `bytes`, `pitch` bytes apart on the device;
//   launch(name, blocks, threads, kernel)          see block.hpp;
//   gemm(a, turned_a, b, turned_b, c, accumulate)  c = op(a)·op(b), or +=: matrices, of one type a and b, no
//                                                  size 0.
#pragma once

#include <span>
#include <utility>

#include "lancet/backend/device/matrix.hpp"

namespace lancet::device {

/// `size` zeros of T in the memory of a Runtime. Moves, never copies.
template <class T, class Runtime>
class storage {
 public:
  storage() = default;
  explicit storage(index size) : size_(size) {
    if (size == 0) return;
    data_ = static_cast<T*>(Runtime::allocate(bytes()));
    Runtime::zero(data_, bytes());
  }
  storage(storage&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  storage& operator=(storage&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~storage() {
    if (data_) Runtime::release(data_);
  }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] index size() const { return size_; }

 private:
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  T* data_ = nullptr;
  index size_ = 0;
};

/// Memory that a kernel fills or reads once; contents undefined at first.
template <class T, class Runtime>
class scratch {
 public:
  explicit scratch(std::size_t size)
      : data_(size == 0 ? nullptr : static_cast<T*>(Runtime::allocate(size * sizeof(T)))) {}
  /// A copy of what lies on the host.
  explicit scratch(std::span<T const> host) : scratch(host.size()) {
    if (!host.empty()) Runtime::upload(host.data(), data_, host.size_bytes());
  }
  scratch(scratch const&) = delete;
  scratch& operator=(scratch const&) = delete;
  ~scratch() {
    if (data_) Runtime::release(data_);
  }
  [[nodiscard]] T* data() const { return data_; }

 private:
  T* data_;
};

}  // namespace lancet::device
