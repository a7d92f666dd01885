// SPDX-License-Identifier: Apache-2.0
// Tables of a report: what a reader sees, and beside it the full number that sorting and the CSV and JSON
// buttons use.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/number.hpp"

namespace lancet::html {

/// A cell: what is shown, and for numbers the shortest text that reads back as the same double.
struct cell {
  markup shown;
  std::string raw;
  bool numeric = false;
  bool brief = false;  ///< short enough to stay on one line

  cell(std::string_view text) : shown(html(text)), brief(text.size() <= 28) {}  // NOLINT: implicit on purpose
  cell(std::string const& text) : cell(std::string_view(text)) {}               // NOLINT
  cell(markup text) : shown(std::move(text)) {}                                 // NOLINT
  cell(double x, std::string_view text) : shown(html(text)), numeric(true) {
    char buffer[32];
    if (std::isfinite(x)) raw.assign(buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr);
  }
};

/// A number cell, or an empty one; `format` turns the number into text.
template <class Format>
[[nodiscard]] cell number_cell(std::optional<double> const& x, Format const& format) {
  if (!x) return cell(NAN, "–");
  return cell(*x, format(*x));
}
[[nodiscard]] inline cell number_cell(std::optional<double> const& x) {
  return number_cell(x, [](double value) { return short_number(value); });
}
[[nodiscard]] inline cell whole_cell(std::optional<double> const& x) {
  return number_cell(x, [](double value) { return whole_number(value); });
}
[[nodiscard]] inline cell p_cell(std::optional<double> const& x) {
  return number_cell(x, [](double value) { return p_value(value); });
}

/// A table under construction. Rows beyond `limit` are counted, not written: the embedded JSON has them.
class table {
 public:
  table(std::string_view id, std::string_view caption, std::vector<std::string> columns,
        std::size_t limit = 1000)
      : id_(id),
        caption_(caption),
        columns_(std::move(columns)),
        numeric_(columns_.size(), false),
        limit_(limit) {}

  void row(std::vector<cell> const& cells, std::string_view style = {}) {
    if (rows_++ >= limit_) return;
    body_ += style.empty() ? markup("<tr>") : html("<tr class=\"", style, "\">");
    for (std::size_t i = 0; i < cells.size(); ++i) {
      cell const& c = cells[i];
      if (c.numeric && i < numeric_.size()) numeric_[i] = true;
      if (c.numeric) {
        append(body_, "<td class=\"n\" data-v=\"", c.raw, "\">", c.shown, "</td>");
      } else {
        append(body_, c.brief ? markup("<td class=\"k\">") : markup("<td>"), c.shown, "</td>");
      }
    }
    body_ += "</tr>\n";
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }

  /// The table with its buttons, in a box that scrolls sideways by itself.
  [[nodiscard]] markup finish() const {
    markup out =
        html("<div class=\"tools\"><button type=\"button\" data-save=\"csv\" data-table=\"", id_,
             "\">Save CSV</button><button type=\"button\" data-save=\"json\" data-table=\"", id_,
             "\">Save JSON</button></div><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
             caption_, "\"><table id=\"", id_, "\"><caption>", caption_, "</caption><thead><tr>");
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      append(out, numeric_[i] ? markup("<th scope=\"col\" class=\"n\">") : markup("<th scope=\"col\">"),
             columns_[i], "</th>");
    }
    append(out, "</tr></thead><tbody>\n", body_, "</tbody></table></div>");
    if (rows_ > limit_) {
      append(out, "<p class=\"more\">",
             plural(static_cast<std::int64_t>(rows_ - limit_), "further row", "further rows"),
             " not written here; the data at the end of the page has them.</p>");
    }
    return out;
  }

  /// The same, folded away under a line that says how much there is.
  [[nodiscard]] markup folded() const {
    return html("<details class=\"numbers\"><summary>", caption_, " <span>",
                plural(static_cast<std::int64_t>(rows_), "row", "rows"), "</span></summary>", finish(),
                "</details>");
  }

 private:
  std::string id_;
  std::string caption_;
  std::vector<std::string> columns_;
  std::vector<bool> numeric_;
  std::size_t limit_;
  std::size_t rows_ = 0;
  markup body_;
};

}  // namespace lancet::html
