// SPDX-License-Identifier: Apache-2.0
// How to get these numbers again: command, hashes, versions, machine; and the whole document, embedded.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"

namespace lancet::html {

namespace detail {

/// One line of facts; objects become one line a member.
inline void fact_lines(markup& out, std::string const& name, field const& value) {
  if (value.json()->is_object()) {
    for (auto const& [key, inner] : value.members()) {
      if (inner.json()->is_object()) {
        append(out, fact(name + ", " + report_view::words(key),
                         html("<code>", shorten(inner.shown(), 400), "</code>")));
      } else {
        fact_lines(out, name + ", " + report_view::words(key), inner);
      }
    }
    return;
  }
  bool const number = value.json()->is_number();
  if (number && name.find("seconds") != std::string::npos)
    return append(out, fact(name, html(duration(*value.number()))));
  if (number && name.find("bytes") != std::string::npos)
    return append(out, fact(name, html(bytes(*value.number()))));
  if (number && value.json()->is_number_integer() && name.find("seed") == std::string::npos)
    return append(out, fact(name, html(count(*value.integer()))));
  append(out, fact(name, html("<code>", shorten(value.shown(), 400), "</code>")));
}

}  // namespace detail

/// Provenance, cost, and the command to run again.
[[nodiscard]] inline section provenance_section(report_view const& r) {
  section s{.id = "provenance", .title = "Run it again", .lede = {}, .body = {}, .absent = {}};
  field const provenance = r.root["provenance"];
  if (auto const command = provenance["command"].text()) {
    append(s.body,
           "<div class=\"command\"><pre tabindex=\"0\" aria-label=\"Command that made this report\"><code "
           "id=\"command\">",
           *command, "</code></pre><button type=\"button\" data-copy=\"command\">Copy</button></div>");
  }
  auto const group = [&](std::string_view title, field const& members) {
    markup facts;
    for (auto const& [key, value] : members.members()) {
      if (key != "command") detail::fact_lines(facts, report_view::words(key), value);
    }
    if (!facts.empty()) append(s.body, "<h3>", title, "</h3><dl class=\"facts wide-facts\">", facts, "</dl>");
  };
  group("Run", provenance);
  group("Model", r.root["model"]);
  group("Cost", r.root["cost"]);
  if (!provenance)
    append(s.body, "<p class=\"aside\">The command, seed and versions were not recorded in this run.</p>");
  return s;
}

/// The members of a report that are effects documents.
inline constexpr std::string_view effect_lists[] = {"effects", "neurons", "mlp", "positions"};

/// The document as it is embedded: effects beyond `most` units a list are dropped, weakest first, and the
/// list's "units_omitted" says how many.
[[nodiscard]] inline nlohmann::json embedded_document(nlohmann::json document, std::size_t most = 4000) {
  for (std::string_view const key : effect_lists) {
    auto const found = document.find(key);
    if (found == document.end() || !found->is_object()) continue;
    auto const list = found->find("units");
    if (list == found->end() || !list->is_array() || list->size() <= most) continue;
    auto const size = [](nlohmann::json const& u) {
      auto const e = u.is_object() ? u.find("effect") : u.end();
      return u.is_object() && e != u.end() && e->is_number() ? std::abs(e->get<double>()) : 0.0;
    };
    std::stable_sort(list->begin(), list->end(),
                     [&](auto const& a, auto const& b) { return size(a) > size(b); });
    std::int64_t already = 0;
    if (auto const before = found->find("units_omitted");
        before != found->end() && before->is_number_integer()) {
      already = std::clamp<std::int64_t>(before->get<std::int64_t>(), 0, std::int64_t{1} << 53);
    }
    (*found)["units_omitted"] = already + static_cast<std::int64_t>(list->size() - most);
    list->erase(list->begin() + static_cast<std::ptrdiff_t>(most), list->end());
  }
  return document;
}

/// Buttons for the embedded document; `size` is its length in bytes.
[[nodiscard]] inline section data_section(report_view const& r, std::size_t size, std::size_t most = 4000) {
  section s{.id = "data", .title = "Data", .lede = {}, .body = {}, .absent = {}};
  s.lede =
      "Everything on this page, as the JSON document it was made from (docs/schemas/report.schema.json).";
  append(s.body,
         "<div class=\"tools\"><button type=\"button\" data-save=\"document\">Save "
         "report.json</button><button type=\"button\" "
         "data-copy-document>Copy</button></div><p class=\"aside\">",
         bytes(static_cast<double>(size)), " embedded in this page.");
  for (std::string_view const key : effect_lists) {
    std::size_t const units = r.root[key]["units"].items().size();
    if (units > most) {
      append(s.body, " Of “", key, "” the weakest ",
             plural(static_cast<std::int64_t>(units - most), "unit is", "units are"),
             " left out; the effects file has them.");
    }
  }
  s.body += "</p>";
  return s;
}

}  // namespace lancet::html
