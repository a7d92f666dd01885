// SPDX-License-Identifier: Apache-2.0
// Folders that appear whole or not at all (checkpoints): filled beside their place, listed in a manifest,
// then renamed.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/detail/posix.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/sha256.hpp"

namespace lancet {

/// A file of a folder as its manifest.json lists it.
struct manifest_entry {
  std::string name = {};
  std::uint64_t bytes = 0;
  std::string sha256 = {};
};

namespace detail {

inline constexpr char manifest_name[] = "manifest.json";

/// The temporary folder "PATH.tmp" of one writer. The lock on it goes with the process, so what a killed one
/// left can be told from what a living one writes: the former is emptied and used, the latter refused.
class folder_draft {
 public:
  explicit folder_draft(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    temporary_ = path_ + ".tmp";
    struct stat status {};
    replaces_ = ::stat(path_.c_str(), &status) == 0;
    if (replaces_ && ::stat((path_ + "/" + manifest_name).c_str(), &status) != 0) {
      throw usage_error(
          path_ + ": exists and has no manifest.json: not a folder that lancet wrote, so it is not replaced");
    }
    make_and_lock();
    for (auto const& entry : std::filesystem::directory_iterator(temporary_))
      std::filesystem::remove_all(entry.path());
  }

  folder_draft(folder_draft const&) = delete;
  folder_draft& operator=(folder_draft const&) = delete;

  ~folder_draft() {
    if (!locked_) return;     // then nothing under the temporary name is this writer's
    std::error_code ignored;  // what cannot be removed now is emptied by the next writer
    std::filesystem::remove_all(temporary_, ignored);
  }

  [[nodiscard]] std::string const& temporary() const { return temporary_; }

  void commit() {
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (std::string const& name : names()) {
      std::string const file = temporary_ + "/" + name;
      readable_file const opened = open_readable(file);
      if (::fsync(opened.file.get()) != 0) fail_system(file, "cannot flush to disk", errno);
      files.push_back({{"name", name}, {"bytes", opened.size}, {"sha256", sha256_of_file(file)}});
    }
    nlohmann::ordered_json const manifest = {
        {"format", "lancet.manifest"}, {"version", 1}, {"files", std::move(files)}};
    write_file(temporary_ + "/" + manifest_name, manifest.dump(2) + "\n");  // also flushes the folder
    put_in_place();
    sync_folder(folder_of(path_));
  }

 private:
  void make_and_lock() {
    while (!locked_) {
      if (::mkdir(temporary_.c_str(), 0777) != 0 && errno != EEXIST)
        fail_system(temporary_, "cannot be made", errno);
      if (!try_lock()) throw usage_error(path_ + ": another process is writing it");
    }
  }

  /// Locks what has the temporary name now; false where another process holds it.
  [[nodiscard]] bool try_lock() {
    held_ = descriptor(::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!held_ && errno == ENOENT)
      return true;  // its writer has just finished: not locked, but not held either
    if (!held_) fail_system(temporary_, "cannot be opened", errno);
    if (::flock(held_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return false;
      fail_system(temporary_, "cannot be locked", errno);
    }
    // Renamed between the two calls above, it is not the folder of that name any more.
    struct stat mine {
    }, named{};
    locked_ = ::fstat(held_.get(), &mine) == 0 && ::stat(temporary_.c_str(), &named) == 0 &&
              mine.st_ino == named.st_ino;
    return true;
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator(temporary_)) {
      names.push_back(entry.path().filename().string());
      if (!entry.is_regular_file() || entry.is_symlink() || !is_plain_name(names.back()) ||
          names.back() == manifest_name) {
        throw usage_error(path_ + ": got " + in_quotes(names.back()) +
                          " in it, expected plain files besides " + manifest_name);
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void put_in_place() {
    if (!replaces_) {
      rename_over(temporary_, path_);
      locked_ = false;
    } else if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
      // They have changed places in one step. The old one is removed unless a next writer has it already.
      locked_ = false;
      (void)try_lock();
    } else if (errno == EINVAL || errno == ENOSYS) {
      // A file system without exchange: for a moment only PATH.old exists, whole.
      std::string const old = path_ + ".old";
      std::filesystem::remove_all(old);
      rename_over(path_, old);
      rename_over(temporary_, path_);
      locked_ = false;
      std::filesystem::remove_all(old);
    } else {
      fail_system(path_, "cannot be replaced", errno);
    }
  }

  void rename_over(std::string const& from, std::string const& to) const {
    if (::rename(from.c_str(), to.c_str()) != 0) fail_system(from, "cannot be renamed to " + to, errno);
  }

  std::string path_;
  std::string temporary_;
  bool replaces_ = false;
  bool locked_ = false;
  descriptor held_;
};

}  // namespace detail

/// Calls `fill(std::string const& folder)` with an empty folder to put plain files into, then flushes each,
/// writes manifest.json with their sizes and SHA-256 last, and renames the folder to `path`. A folder of an
/// earlier call is replaced in one step; any other is not touched (usage_error). Where fill throws nothing
/// remains. A killed process can leave "PATH.tmp", which the next call empties. Throws usage_error while
/// another process writes the same folder.
template <typename Fill>
requires std::invocable<Fill&, std::string const&>
void write_folder_atomically(std::string path, Fill&& fill) try {
  detail::folder_draft draft(std::move(path));
  fill(draft.temporary());
  draft.commit();
} catch (std::filesystem::filesystem_error const& error) {
  detail::fail_system(error.path1().string(), "cannot write the folder", error.code().value());
}

/// Throws file_error unless each file that the folder's manifest.json lists is there with that size and hash;
/// returns the list. Files beside those are not looked at.
[[nodiscard]] inline std::vector<manifest_entry> verify_manifest(std::string const& folder) {
  std::string const path = folder + "/" + detail::manifest_name;
  nlohmann::json const manifest = read_json(path);
  (void)require_format(manifest, "lancet.manifest", 1, path);
  auto const& files = at(manifest, "files", path);
  if (!files.is_array())
    throw file_error(path, "files: got " + detail::describe(files) + ", expected a list");
  std::vector<manifest_entry> entries;
  for (auto const& item : files) {
    std::string const where = path + ": files[" + std::to_string(entries.size()) + "]";
    manifest_entry entry{.name = get<std::string>(item, "name", where),
                         .bytes = get<std::uint64_t>(item, "bytes", where),
                         .sha256 = get<std::string>(item, "sha256", where)};
    if (!detail::is_plain_name(entry.name)) {
      throw file_error(where,
                       "name: got " + detail::in_quotes(entry.name) + ", expected the plain name of a file");
    }
    std::string const file = folder + "/" + entry.name;
    if (auto const size = detail::open_readable(file).size; size != entry.bytes) {
      throw file_error(
          file, "got " + std::to_string(size) + " bytes, the manifest says " + std::to_string(entry.bytes));
    }
    if (auto const hash = sha256_of_file(file); hash != entry.sha256) {
      throw file_error(
          file, "is damaged: SHA-256 " + hash + ", the manifest says " + detail::printable(entry.sha256));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace lancet
