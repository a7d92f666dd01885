// SPDX-License-Identifier: Apache-2.0
// A whole file as read-only bytes: memory-mapped where possible, read into memory otherwise.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/posix.hpp"

namespace lancet {

struct mapped_file_options {
  /// Read a private copy instead of mapping. A mapped file that another process truncates kills the reader
  /// with SIGBUS; ask for a copy where others can write to the file.
  bool copy = false;
};

/// The bytes of a regular, non-empty file. Movable; spans into it stay valid when it is moved. Throws
/// file_error for a file that is missing, empty or not regular, resource_error where memory is short. Several
/// threads may read.
class mapped_file {
 public:
  explicit mapped_file(std::string path, mapped_file_options options = {}) : path_(std::move(path)) {
    detail::readable_file const opened = detail::open_readable(path_);
    if (opened.size == 0) throw file_error(path_, "is empty");
    if (!options.copy) {
      void* const at = ::mmap(nullptr, opened.size, PROT_READ, MAP_PRIVATE, opened.file.get(), 0);
      if (at != MAP_FAILED) {
        ::madvise(at, opened.size, MADV_WILLNEED);  // a hint; its failure changes nothing
        bytes_ = {static_cast<std::byte const*>(at), opened.size};
        return;
      }
    }
    read_copy(opened);  // also the way for file systems that cannot map
  }

  mapped_file(mapped_file&& other) noexcept
      : path_(std::move(other.path_)),
        copy_(std::move(other.copy_)),
        bytes_(std::exchange(other.bytes_, std::span<std::byte const>{})) {}

  mapped_file& operator=(mapped_file&& other) noexcept {
    path_.swap(other.path_);
    copy_.swap(other.copy_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  ~mapped_file() {
    if (is_mapped()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  [[nodiscard]] std::span<std::byte const> bytes() const { return bytes_; }
  [[nodiscard]] std::string const& path() const { return path_; }
  /// Says that bytes of this file have been read for good, so that they need not stay in memory. They can be read all the
  /// same; bytes of other memory are left alone.
  void done_with(std::span<std::byte const> part) const {
    if (!is_mapped() || part.empty() || std::less<>{}(part.data(), bytes_.data()) ||
        std::less<>{}(bytes_.data() + bytes_.size(), part.data() + part.size()))
      return;
    constexpr std::size_t page = 4096;
    auto const at = static_cast<std::size_t>(part.data() - bytes_.data());
    std::size_t const first = (at + page - 1) / page * page, last = (at + part.size()) / page * page;
    if (first < last) ::madvise(const_cast<std::byte*>(bytes_.data()) + first, last - first, MADV_DONTNEED);
  }
  [[nodiscard]] bool is_mapped() const { return !copy_ && !bytes_.empty(); }

 private:
  void read_copy(detail::readable_file const& opened) {
    copy_.reset(new (std::nothrow) std::byte[opened.size]);
    if (!copy_) throw resource_error(path_ + ": no memory for its " + std::to_string(opened.size) + " bytes");
    if (detail::read_up_to(opened.file, copy_.get(), opened.size, path_) != opened.size) {
      throw file_error(path_, "became shorter while it was read");
    }
    bytes_ = {copy_.get(), opened.size};
  }

  std::string path_;
  std::unique_ptr<std::byte[]> copy_;
  std::span<std::byte const> bytes_;
};

}  // namespace lancet
