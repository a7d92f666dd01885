// SPDX-License-Identifier: Apache-2.0
// The one-file HTML report of a surgery: which circuit causes the harm, and what changing it did.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/atlas/html/circuit_section.hpp"
#include "lancet/atlas/html/comparison_section.hpp"
#include "lancet/atlas/html/curves_section.hpp"
#include "lancet/atlas/html/effects_section.hpp"
#include "lancet/atlas/html/examples_section.hpp"
#include "lancet/atlas/html/generations_section.hpp"
#include "lancet/atlas/html/headline.hpp"
#include "lancet/atlas/html/maps_section.hpp"
#include "lancet/atlas/html/page.hpp"
#include "lancet/atlas/html/provenance_section.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/io/json.hpp"

namespace lancet {

/// `report` as a web page in one file: it loads nothing, opens from a folder, and reads without scripts.
/// The document is docs/schemas/report.schema.json; every part may be absent, and the page then says so in
/// words. All strings of the document are hostile text and are escaped. Throws file_error(where, path of the
/// offending value) where a value has the wrong type, or the format is another.
[[nodiscard]] inline std::string render_report(nlohmann::json const& report,
                                               std::string_view where = "report") {
  static_cast<void>(require_format(report, "lancet.report", 1, where));
  html::report_view const r(report, where);
  html::page page;
  std::string const model = r.root["model"]["name"].text_or("unnamed model");
  std::string const harm = r.root["harm"]["name"].text_or(r.metric);
  page.title = r.root["title"].text_or(harm + " in " + model);
  page.about = r.root["harm"]["description"].text_or("");
  page.made = r.root["created"].text_or("");
  page.top = html::headline(r);
  page.document = html::script_json(html::embedded_document(report));
  page.sections = {html::effects_section(r),     html::circuit_section(r),
                   html::maps_section(r),        html::examples_section(r),
                   html::generations_section(r), html::dose_section(r),
                   html::sizes_section(r),       html::faithfulness_section(r),
                   html::controls_section(r),    html::cross_harm_section(r),
                   html::capability_section(r),  html::training_section(r),
                   html::provenance_section(r),  html::data_section(r, page.document.size())};
  return html::write_page(page);
}

}  // namespace lancet
