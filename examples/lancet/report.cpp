// SPDX-License-Identifier: Apache-2.0
// The files of a report, and `lancet report`: the page of one report.json, or two runs side by side.
#include "lancet/report.hpp"

#include <cstdio>

#include "lancet/atlas/atlas.hpp"
#include "lancet/atlas/comparison_html.hpp"
#include "lancet/atlas/entry_of_report.hpp"
#include "lancet/atlas/report_html.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/json.hpp"
#include "lancet/output.hpp"
#include "lancet/verbs.hpp"

namespace program {
namespace {

void render(common_options const& common, std::vector<std::string> const& files) {
  std::string const path = output_file(common, "report.html");
  if (path.empty()) throw lancet::usage_error("--output: got nothing, expected the page to write");
  if (!path.ends_with(".html"))
    lancet::fail_expected("--output", lancet::detail::in_quotes(path),
                          "a folder, or a name that ends in .html");
  nlohmann::json const first = lancet::read_json(files.at(0));
  lancet::write_file(path, files.size() == 1 ? lancet::render_report(first, files[0])
                                             : lancet::render_comparison(first, lancet::read_json(files[1]),
                                                                         files[0], files[1]));
  if (common.json)
    std::printf("%s\n", nlohmann::ordered_json{{"output", path}, {"reports", files}}.dump().c_str());
}

}  // namespace

void write_report(std::string const& folder, nlohmann::json const& report) {
  lancet::write_file(folder + "/report.html", lancet::render_report(report));
  lancet::atlas file;
  file.add(lancet::entry_of_report(report, "report.html"));
  file.save(folder + "/atlas.json");
  lancet::write_file(folder + "/report.json", report.dump(1) + "\n");
}

void add_report(CLI::App& app, common_options& common) {
  auto const files = std::make_shared<std::vector<std::string>>();
  CLI::App& verb = *app.add_subcommand("report", "The page of a report.json, or of two runs side by side");
  add_common(verb, common, {.model = false, .output = true});
  verb.add_option("REPORT", *files, "one report.json, or two to compare")->required()->expected(1, 2);
  verb.callback([&common, files] { render(common, *files); });
}

}  // namespace program
