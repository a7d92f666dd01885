// SPDX-License-Identifier: Apache-2.0
// A circuit's graph with its threshold slider and the panel that shows the chosen unit.
#pragma once

#include <string>
#include <string_view>

#include "lancet/atlas/html/circuit_graph.hpp"
#include "lancet/atlas/html/section.hpp"

namespace lancet::html::detail {

[[nodiscard]] inline markup graph_with_panel(graph_picture const& picture, std::string const& caption,
                                             std::string_view label) {
  return html(
      "<div class=\"controls\"><label>Effect of at least <output>0</output> <input type=\"range\" min=\"0\" "
      "max=\"100\" "
      "value=\"0\" data-largest=\"",
      picture.largest,
      "\" aria-label=\"Smallest effect shown\"></label><label><input type=\"checkbox\" data-circuit-only> "
      "the circuit "
      "only</label><span class=\"tally\" aria-live=\"polite\"></span></div>",
      figure(picture.svg, html(caption), label, "full"),
      "<div class=\"panel\" aria-live=\"polite\"><p>Choose a unit by pointer, or with Tab and the arrow "
      "keys, to pin its "
      "numbers and edges here.</p></div>");
}

}  // namespace lancet::html::detail
