// SPDX-License-Identifier: Apache-2.0
// An independent, strict reading of a page: every tag balanced, every attribute quoted, nothing left over.
#pragma once

#include <cctype>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lancet_test {

struct html_element {
  std::string tag;
  std::map<std::string, std::string> attributes;
  std::string raw;  ///< the content of script and style
};

/// The elements in order. Throws std::runtime_error where the page is not well formed.
inline std::vector<html_element> read_html(std::string_view page) {
  static std::set<std::string> const empty = {"meta", "link", "input", "br"};
  std::vector<html_element> elements;
  std::vector<std::string> open;
  std::size_t at = 0;
  auto const fail = [&](std::string const& what) {
    throw std::runtime_error(what + " near: " + std::string(page.substr(at > 40 ? at - 40 : 0, 120)));
  };
  auto const name = [&] {
    std::string out;
    while (at < page.size() && (std::isalnum(static_cast<unsigned char>(page[at])) || page[at] == '-')) {
      out += static_cast<char>(std::tolower(page[at++]));
    }
    return out;
  };
  constexpr std::string_view doctype = "<!doctype html>";
  if (page.substr(0, doctype.size()) != doctype) fail("no doctype");
  at = doctype.size();
  while (at < page.size()) {
    if (page[at] != '<') {
      if (page[at] == '>') fail("a bare >");
      ++at;
      continue;
    }
    ++at;
    bool const closing = page[at] == '/';
    if (closing) ++at;
    html_element element{name(), {}, {}};
    if (element.tag.empty()) fail("a bare < or a comment");
    while (true) {
      while (page[at] == ' ') ++at;
      if (page[at] == '>') break;
      std::string const key = name();
      if (key.empty()) fail("not an attribute");
      std::string value;
      if (page[at] == '=') {
        if (page[++at] != '"') fail("an attribute without quotes");
        std::size_t const end = page.find('"', ++at);
        if (end == page.npos) fail("an open attribute");
        value = page.substr(at, end - at);
        if (value.find_first_of("<>`'") != value.npos && key != "content") fail("markup in an attribute");
        at = end + 1;
      }
      if (!element.attributes.emplace(key, value).second) fail("an attribute given twice: " + key);
    }
    ++at;
    if (closing) {
      if (open.empty() || open.back() != element.tag) fail("</" + element.tag + "> closes nothing");
      open.pop_back();
      continue;
    }
    if (element.tag == "script" || element.tag == "style") {
      std::size_t const end = page.find("</" + element.tag + ">", at);
      if (end == page.npos) fail("open " + element.tag);
      element.raw = page.substr(at, end - at);
      at = end + element.tag.size() + 3;
    } else if (!empty.contains(element.tag)) {
      open.push_back(element.tag);
    }
    elements.push_back(std::move(element));
  }
  if (!open.empty()) throw std::runtime_error("<" + open.back() + "> is never closed");
  return elements;
}

}  // namespace lancet_test
