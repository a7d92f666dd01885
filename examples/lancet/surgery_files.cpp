// SPDX-License-Identifier: Apache-2.0
#include "lancet/surgery_files.hpp"

#include <stdlib.h>  // mkdtemp

#include <filesystem>

#include "lancet/io/atomic_file.hpp"
#include "lancet/io/planted_files.hpp"
#include "lancet/output.hpp"

namespace program {

planted_files::planted_files(std::string const& output, bool dry_run) : folder_(output + "/planted") {
  if (std::filesystem::is_directory(folder_)) return;
  if (dry_run) {
    temporary_ = (std::filesystem::temp_directory_path() / "lancet-XXXXXX").string();
    if (::mkdtemp(temporary_.data()) == nullptr)
      throw lancet::file_error(temporary_, "cannot be made for the planted model");
    folder_ = temporary_ + "/planted";
  } else {
    make_folders(output);
  }
  lancet::save_planted(folder_);
}

planted_files::~planted_files() {
  std::error_code none;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, none);
}

}  // namespace program
