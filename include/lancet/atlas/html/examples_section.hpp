// SPDX-License-Identifier: Apache-2.0
// Before and after for every test example: the two distributions, the pairs, and the groups.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/histogram.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

/// An example that was measured on both sides.
struct paired_item {
  std::string text;
  std::string group;
  double before = 0;
  double after = 0;
};

[[nodiscard]] inline std::vector<paired_item> paired_items(field const& list) {
  std::vector<paired_item> out;
  for (field const& f : list.items()) {
    auto const before = f["before"].number(), after = f["after"].number();
    if (before && after) out.push_back({f["text"].text_or(""), f["group"].text_or(""), *before, *after});
  }
  return out;
}

/// Each example as a point: before across, after up. Below the diagonal is less than before. Groups have
/// shapes.
[[nodiscard]] inline markup pair_plot(std::vector<paired_item> const& items, std::string const& quantity_name,
                                      std::string const& description) {
  constexpr shape shapes[] = {shape::circle, shape::triangle, shape::square, shape::diamond};
  constexpr std::string_view names[] = {"●", "▲", "■", "◆"};
  constexpr std::string_view styles[] = {"found", "harmful", "plain", "plain"};
  extent range;
  std::map<std::string, std::vector<point>> groups;
  for (paired_item const& i : items) {
    range.add(i.before), range.add(i.after);
    groups[i.group].push_back(
        {i.before, i.after, NAN, NAN,
         shorten(i.text, 90) + ": " + short_number(i.before) + " → " + short_number(i.after)});
  }
  range = range.padded();
  plot p({.description = description,
          .x = {"before, " + quantity_name, range.low, range.high},
          .y = {"after, " + quantity_name, range.low, range.high},
          .width = 440,
          .height = 280,
          .right = 76});
  p.diagonal(range.low, range.high, "unchanged");
  if (range.low < 0 && range.high > 0) p.horizontal(0, "");
  std::size_t n = 0;
  std::string legend;
  for (auto const& [name, points] : groups) {
    std::size_t const which = std::min<std::size_t>(n++, 3);
    p.markers(points, styles[which], shapes[which], 3.2);
    if (groups.size() > 1 && n <= 4) {
      legend += (legend.empty() ? "" : ", ") + std::string(names[which]) + " " +
                (n == 4 && groups.size() > 4 ? "other groups"
                 : name.empty()              ? "no group"
                                             : name);
    }
  }
  return figure(
      p.finish(),
      html(legend.empty() ? "One point for each example." : "One point for each example; " + legend + "."),
      description);
}

[[nodiscard]] inline markup item_tables(std::vector<paired_item> const& items, std::string_view id,
                                        std::string_view caption) {
  std::map<std::string, std::vector<paired_item>> groups;
  for (paired_item const& i : items) groups[i.group].push_back(i);
  markup out;
  if (groups.size() > 1) {
    table t(std::string(id) + "-groups", std::string(caption) + ", by group",
            {"Group", "Examples", "Before (mean)", "After (mean)", "Fell"});
    for (auto const& [name, members] : groups) {
      std::vector<double> before, after;
      for (paired_item const& i : members) before.push_back(i.before), after.push_back(i.after);
      auto const fell = std::count_if(members.begin(), members.end(),
                                      [](paired_item const& i) { return i.after < i.before; });
      t.row({name.empty() ? std::string("no group") : name, whole_cell(static_cast<double>(members.size())),
             number_cell(mean_of(before)), number_cell(mean_of(after)),
             whole_cell(static_cast<double>(fell))});
    }
    out += t.finish();
  }
  table t(id, caption, {"Example", "Group", "Before", "After", "Change"}, 400);
  for (paired_item const& i : items) {
    t.row({shorten(i.text, 200), i.group, number_cell(i.before), number_cell(i.after),
           number_cell(i.after - i.before, [](double x) { return signed_number(x); })});
  }
  return html(out, t.folded());
}

/// Histogram, pairs and tables of one list of examples.
[[nodiscard]] inline markup examples(std::vector<paired_item> items, std::string const& id,
                                     std::string const& title, std::string const& quantity_name) {
  std::vector<double> before, after;
  for (paired_item const& i : items) before.push_back(i.before), after.push_back(i.after);
  markup const both =
      html(figure(mirrored_histogram(before, after, quantity_name, title + ": distribution before and after"),
                  "Examples before (standing) and after (hanging), on one axis.", title + ": distributions"),
           pair_plot(items, quantity_name, title + ": each example before and after"));
  // Worst first: what is left after the change.
  std::stable_sort(items.begin(), items.end(),
                   [](auto const& a, auto const& b) { return a.after > b.after; });
  return html(side_by_side(both), item_tables(items, "table-" + id, title));
}

}  // namespace detail

/// Test examples of the harm, and of what must be kept.
[[nodiscard]] inline section examples_section(report_view const& r) {
  section s{.id = "examples", .title = "Example by example", .lede = {}, .body = {}, .absent = {}};
  auto const harm = detail::paired_items(r.root["items"]), keep = detail::paired_items(r.root["keep_items"]);
  if (harm.empty() && keep.empty()) {
    s.absent = "Single examples were not recorded in this run.";
    return s;
  }
  if (!harm.empty()) {
    auto const fell =
        std::count_if(harm.begin(), harm.end(), [](auto const& i) { return i.after < i.before; });
    s.lede = "Harm fell on " + count(fell) + " of " +
             plural(static_cast<std::int64_t>(harm.size()), "test example", "test examples");
    if (auto const p = r.root["harm"]["p"].number()) {
      s.lede += " (" + r.root["harm"]["test"].text_or("paired test") + ": " + p_text(*p) + ")";
    }
    s.lede += ".";
    s.body += detail::examples(harm, "items", "Test examples of the harm",
                               r.metric + (r.unit.empty() ? "" : " (" + r.unit + ")"));
  }
  if (!keep.empty()) {
    std::string const metric =
        report_view::words(r.root["keep_metric"].text_or("log odds of the right answer"));
    append(s.body, "<h3>What must be kept</h3>",
           detail::examples(keep, "keep-items", "Examples that must stay", metric));
  }
  return s;
}

}  // namespace lancet::html
