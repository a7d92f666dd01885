// SPDX-License-Identifier: Apache-2.0
// A section of a page: a title, a sentence on how to read it, and its pictures, or words for what is not
// there.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "lancet/atlas/html/markup.hpp"

namespace lancet::html {

/// `absent` says in words why there is nothing to show; the body is then empty.
struct section {
  std::string id;
  std::string title;
  std::string lede;
  markup body;
  std::string absent;
};

/// A picture with a caption. Wide pictures scroll inside their box, so that the page itself never does.
/// `style` sets the picture's smallest legible width.
[[nodiscard]] inline markup figure(markup const& picture, markup const& caption, std::string_view label,
                                   std::string_view style = "") {
  return html("<figure class=\"", style,
              "\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", label, "\">", picture,
              "</div>", caption.empty() ? markup() : html("<figcaption>", caption, "</figcaption>"),
              "</figure>");
}

/// Several pictures beside each other where there is room.
[[nodiscard]] inline markup side_by_side(markup const& pictures) {
  return html("<div class=\"pictures\">", pictures, "</div>");
}

/// One name and value of a list of facts.
[[nodiscard]] inline markup fact(std::string_view name, markup const& value) {
  return html("<div><dt>", name, "</dt><dd>", value, "</dd></div>");
}

/// A section as HTML.
[[nodiscard]] inline markup write_section(section const& s) {
  markup out = html("<section id=\"", s.id, "\"", s.absent.empty() ? markup() : markup(" class=\"empty\""),
                    " aria-labelledby=\"", s.id, "-title\"><h2 id=\"", s.id, "-title\">", s.title, "</h2>");
  if (!s.absent.empty()) {
    append(out, "<p class=\"absent\">", s.absent, "</p></section>\n");
    return out;
  }
  if (!s.lede.empty()) append(out, "<p class=\"lede\">", s.lede, "</p>");
  append(out, s.body, "</section>\n");
  return out;
}

}  // namespace lancet::html
