// SPDX-License-Identifier: Apache-2.0
// A whole page in one file: nothing is loaded from anywhere, and the browser is told to refuse if anything
// tries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/escape.hpp"
#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/script.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/style.hpp"
#include "lancet/version.hpp"

namespace lancet::html {

/// What a page is made of. `document` is embedded for the page's buttons and for other programs.
struct page {
  std::string title;
  std::string about;
  std::string made;  ///< when, as the document says it
  markup top;
  std::vector<section> sections;
  std::string document;  ///< from script_json
};

[[nodiscard]] inline std::string write_page(page const& p) {
  markup contents, body;
  for (section const& s : p.sections) {
    append(contents, "<li", s.absent.empty() ? markup() : markup(" class=\"none\""), "><a href=\"#", s.id,
           "\">", s.title, "</a></li>");
    body += write_section(s);
  }
  std::string out =
      html(
          "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'; "
          "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"generator\" content=\"lancet ",
          std::string_view(version), "\">\n<title>", p.title,
          "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>", style(),
          "</style>\n</head>\n<body>\n"
          "<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<div class=\"page\">\n<header "
          "class=\"mast\"><p class=\"brand\">lancet ",
          std::string_view(version), p.made.empty() ? markup() : html(", ", p.made), "</p><h1>", p.title,
          "</h1>", p.about.empty() ? markup() : html("<p class=\"about\">", p.about, "</p>"),
          "</header>\n<div class=\"headline-row\">", p.top, "</div>\n<nav aria-label=\"Contents\"><ol>",
          contents, "</ol></nav>\n<main id=\"main\">\n", body, "<footer>Made by lancet ",
          std::string_view(version), ". This file is complete: it loads nothing.</footer>\n</main>\n</div>\n")
          .str();
  if (!p.document.empty()) {
    out += "<script type=\"application/json\" id=\"lancet-document\">" + p.document + "</script>\n";
  }
  out += "<script>" + script().str() + "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace lancet::html
