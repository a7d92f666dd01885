// SPDX-License-Identifier: Apache-2.0
#include "lancet/surgery_files.hpp"

#include <filesystem>

#include "lancet/atlas/atlas.hpp"
#include "lancet/atlas/entry_of_report.hpp"
#include "lancet/atlas/report_html.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/planted_files.hpp"
#include "lancet/output.hpp"

namespace program {

std::string planted_folder(std::string const& output) {
  make_folders(output);
  std::string const folder = output + "/planted";
  if (!std::filesystem::is_directory(folder)) lancet::save_planted(folder);
  return folder;
}

void write_report(std::string const& folder, nlohmann::json const& report) {
  lancet::write_file(folder + "/report.html", lancet::render_report(report));
  lancet::atlas file;
  file.add(lancet::entry_of_report(report, "report.json"));
  file.save(folder + "/atlas.json");
  lancet::write_file(folder + "/report.json", report.dump(1) + "\n");
}

}  // namespace program
