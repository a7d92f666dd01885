// SPDX-License-Identifier: Apache-2.0
// An atlas as Markdown: a table of findings and a list of disagreements, for reading in a repository.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lancet/atlas/atlas.hpp"
#include "lancet/atlas/html/escape.hpp"

namespace lancet {

/// `text` on one line of Markdown, with nothing in it that Markdown or the HTML inside it would understand.
[[nodiscard]] inline std::string escape_markdown(std::string_view text) {
  std::string out;
  for (char const c : html::escape(text)) {
    if (c == '\n' || c == '\t') {
      out += ' ';
    } else {
      if (std::string_view("\\|*_[]()#!~{}").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  // A scheme is what makes renderers link bare addresses.
  for (std::size_t at = 0; (at = out.find("://", at)) != out.npos; at += 4) out.insert(at + 1, "\\");
  return out;
}

/// The page in Markdown.
[[nodiscard]] inline std::string render_atlas_markdown(atlas const& a,
                                                       std::string_view title = "Atlas of circuits") {
  std::string out = "# " + escape_markdown(title) + "\n\n";
  if (a.entries().empty()) return out + "This atlas has no entries yet.\n";
  out +=
      "| Harm | Model | Circuit | Harm changed by | Kept | Estimator | Id |\n|---|---|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < a.entries().size(); ++i) {
    atlas_entry const& e = a.entries()[i];
    std::string units, kept;
    for (atlas_unit const& u : e.circuit.units) {
      if (&u - e.circuit.units.data() == 12) {
        units += ", and " + std::to_string(e.circuit.units.size() - 12) + " more";
        break;
      }
      units += (units.empty() ? "" : ", ") + text(u.unit);
    }
    if (e.validation) {
      for (atlas_change const& k : e.validation->keep)
        kept += (kept.empty() ? "" : ", ") + k.name + " " + detail::text_of(k);
    }
    out += "| " + escape_markdown(e.harm) + " | " + escape_markdown(e.model.name) + " | " +
           escape_markdown(units) + " | " +
           escape_markdown(e.validation ? detail::text_of(e.validation->harm) : "not validated") + " | " +
           escape_markdown(kept) + " | " + escape_markdown(e.effects.estimator) + " | " + a.id(i) + " |\n";
  }
  auto const all = a.disagreements();
  if (all.empty()) return out;
  out += "\n## Where findings disagree\n\n";
  for (atlas_disagreement const& d : all) {
    out += "- " + escape_markdown(a.entries()[d.first].harm) + " in " +
           escape_markdown(a.entries()[d.first].model.name) + ", " + a.id(d.first) + " against " +
           a.id(d.second) + "\n";
    for (std::string const& line : d.comparison.differences) out += "  - " + escape_markdown(line) + "\n";
  }
  return out;
}

}  // namespace lancet
