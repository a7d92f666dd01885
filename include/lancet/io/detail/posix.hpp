// SPDX-License-Identifier: Apache-2.0
// The few POSIX calls that the file layer rests on: an owned descriptor, and errno turned into lancet's
// errors.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "lancet/core/error.hpp"

namespace lancet::detail {

/// Throws for a failed system call: resource_error where memory, disk or descriptors ran out, else
/// file_error.
[[noreturn]] inline void fail_system(std::string_view path, std::string_view action, int code) {
  std::string const what = std::string(action) + ": " + std::generic_category().message(code);
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      throw resource_error(std::string(path) + ": " + what);
    default:
      throw file_error(path, what);
  }
}

/// A file descriptor that is closed when it goes out of scope.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }

  /// Closes now and returns 0 or errno: some file systems report a full disk only here.
  [[nodiscard]] int close() { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

 private:
  int fd_ = -1;
};

/// A regular file opened for reading, with its size.
struct readable_file {
  descriptor file;
  std::size_t size = 0;
};

/// Opens a regular file; anything else (missing, a directory, a pipe, a device) is a file_error that says
/// which.
[[nodiscard]] inline readable_file open_readable(std::string const& path) {
  // O_NONBLOCK: opening a pipe nobody writes to must fail below, not wait for ever.
  descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT) throw file_error(path, "no such file");
    fail_system(path, "cannot open", errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_system(path, "cannot read its size", errno);
  if (S_ISDIR(status.st_mode)) throw file_error(path, "is a directory, expected a file");
  if (!S_ISREG(status.st_mode)) throw file_error(path, "is a pipe or a device, expected a regular file");
  return {.file = std::move(file), .size = static_cast<std::size_t>(status.st_size)};
}

/// Reads up to `size` bytes into `to`; returns how many there were before the end of the file.
[[nodiscard]] inline std::size_t read_up_to(descriptor const& file, void* to, std::size_t size,
                                            std::string_view path) {
  std::size_t done = 0;
  while (done < size) {
    ssize_t const got = ::read(file.get(), static_cast<char*>(to) + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(path, "cannot read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// The folder part of a path, "." where it has none.
[[nodiscard]] inline std::string folder_of(std::string const& path) {
  auto const slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// True for a name that a file beside another may have: no folder, not hidden. For names that come from
/// files.
[[nodiscard]] inline bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

/// Makes a rename or a new name in this folder survive a power cut.
inline void sync_folder(std::string const& path) {
  descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) fail_system(path, "cannot open the folder", errno);
  // EINVAL: a file system that has nothing to flush for folders.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) fail_system(path, "cannot flush the folder", errno);
}

}  // namespace lancet::detail
