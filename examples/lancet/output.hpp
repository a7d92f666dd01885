// SPDX-License-Identifier: Apache-2.0
// Where a verb writes its file, and whether the same command has written it already.
#pragma once

#include <optional>
#include <string>

#include "lancet/common.hpp"

namespace program {

/// --output as the path of a file: itself, or `name` inside it where it is a folder or ends in '/' (then it
/// is made).
/// "" without --output.
[[nodiscard]] std::string output_file(common_options const& common, std::string const& name);

/// The document at `path` if it is there and was made with the same `settings`, its last member. Throws
/// usage_error with the difference where they are others.
[[nodiscard]] std::optional<nlohmann::ordered_json> finished_document(std::string const& path,
                                                                      nlohmann::ordered_json const& settings);

/// A document as it is summarised: of long lists of units only the `most` with the largest |effect|, with
/// `units_omitted`.
[[nodiscard]] nlohmann::ordered_json shortened(nlohmann::ordered_json document, std::size_t most = 1000);

/// The units of a document by decreasing |effect|, as lines of text.
void print_units(nlohmann::ordered_json const& document, std::size_t most);

/// Makes a folder and those above it.
void make_folders(std::string const& path);

}  // namespace program
