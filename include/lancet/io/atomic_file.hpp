// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all: temporary sibling, fsync, rename, fsync of the folder.
#pragma once

#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/posix.hpp"

namespace lancet {

/// A file being written. Nothing is seen under `path` before commit(), and what was there before stays until
/// then; without a commit the temporary file is removed. A killed process can leave "PATH.PID.N.tmp" behind,
/// never a damaged PATH. New files get the mode that the umask asks for, replaced ones keep theirs; a
/// symbolic link is written through. A path that is a pipe or a device (/dev/stdout) is written directly.
/// Throws file_error where the folder is missing or may not be written, resource_error where the disk is
/// full.
class atomic_file {
 public:
  explicit atomic_file(std::string path) : path_(std::move(path)), target_(path_) {
    struct stat status {};
    if (::lstat(target_.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) follow_link();
    bool const exists = ::stat(target_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
      throw file_error(path_, "is a directory, cannot write a file there");
    if (exists && !S_ISREG(status.st_mode)) {
      file_ = detail::descriptor(::open(target_.c_str(), O_WRONLY | O_CLOEXEC));
      if (!file_) detail::fail_system(path_, "cannot open for writing", errno);
      return;
    }
    open_temporary();
    // The old mode is a courtesy; where it may not be set the umask's remains.
    if (exists && ::fchmod(file_.get(), status.st_mode & 0777) != 0) errno = 0;
  }

  atomic_file(atomic_file const&) = delete;
  atomic_file& operator=(atomic_file const&) = delete;

  ~atomic_file() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(std::string_view text) {
    if (!file_) throw usage_error(path_ + ": written to after commit()");
    size_ += text.size();
    if (buffer_.size() + text.size() > buffer_limit) flush();
    if (text.size() >= buffer_limit) {
      write_out(text);
    } else {
      buffer_ += text;
    }
  }

  void write(std::span<std::byte const> bytes) {
    write(std::string_view(reinterpret_cast<char const*>(bytes.data()), bytes.size()));
  }

  /// Puts the file in place: when this returns, it survives a power cut.
  void commit() {
    if (!file_) throw usage_error(path_ + ": committed twice");
    flush();
    // EINVAL, ENOTSUP: a pipe or a device, which keeps nothing.
    if (::fsync(file_.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
      detail::fail_system(path_, "cannot flush to disk", errno);
    }
    if (int const code = file_.close(); code != 0) detail::fail_system(path_, "cannot finish writing", code);
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0)
      detail::fail_system(path_, "cannot rename into place", errno);
    temporary_.clear();
    detail::sync_folder(detail::folder_of(target_));
  }

  [[nodiscard]] std::string const& path() const { return path_; }
  /// Bytes given to write() so far.
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t buffer_limit = std::size_t{1} << 16;

  void follow_link() {
    // A dangling link has no real path: it is replaced by the file.
    if (char* const real = ::realpath(target_.c_str(), nullptr)) {
      target_ = real;
      std::free(real);
    }
  }

  void open_temporary() {
    static std::atomic<unsigned> counter{0};
    // A name is taken where a killed process with the same number left it; another one is tried.
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::string name =
          target_ + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".tmp";
      file_ = detail::descriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (file_) {
        temporary_ = std::move(name);
        return;
      }
      if (errno != EEXIST) break;
    }
    if (errno == ENOENT) throw file_error(path_, "cannot be written: the folder does not exist");
    detail::fail_system(path_, "cannot be written", errno);
  }

  void flush() {
    write_out(buffer_);
    buffer_.clear();
  }

  void write_out(std::string_view text) {
    while (!text.empty()) {
      ssize_t const done = ::write(file_.get(), text.data(), std::min(text.size(), std::size_t{1} << 30));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0)
        detail::fail_system(path_, "cannot write (" + std::to_string(size_) + " bytes so far)", errno);
      if (done == 0) throw resource_error(path_ + ": cannot write: the disk takes no more bytes");
      text.remove_prefix(static_cast<std::size_t>(done));
    }
  }

  std::string path_;       // as the caller named it
  std::string target_;     // with links resolved
  std::string temporary_;  // empty once there is nothing to remove
  std::string buffer_;
  std::uint64_t size_ = 0;
  detail::descriptor file_;
};

/// Writes `text` as the whole file, atomically.
inline void write_file(std::string const& path, std::string_view text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

/// Throws resource_error unless the file system of `folder` has room for `bytes` more: asked before a long
/// write.
inline void require_free_space(std::string const& folder, std::uint64_t bytes) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0)
    detail::fail_system(folder, "cannot ask for free space", errno);
  // In blocks, so that no product can wrap around.
  std::uint64_t const block = status.f_frsize == 0 ? 1 : status.f_frsize;
  if (bytes / block >= status.f_bavail) {
    throw resource_error(folder + ": needs " + std::to_string(bytes) + " bytes, the disk has " +
                         std::to_string(status.f_bavail) + " blocks of " + std::to_string(block));
  }
}

}  // namespace lancet
