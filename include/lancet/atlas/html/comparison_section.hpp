// SPDX-License-Identifier: Apache-2.0
// Against what the change must hold its own: controls, other harms, and the capability table.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/headline.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"

namespace lancet::html {

namespace detail {

/// A change of the model on the two axes that matter: how much harm went, and what else moved with it.
struct trade {
  std::string name;
  double reduction = 0;
  std::optional<double> change, low, high;
  bool surgery = false;
};

/// The quantity that stands for collateral: the first of what was kept, and its relative change.
struct kept {
  std::string name;
  std::optional<double> change;
};

[[nodiscard]] inline kept kept_quantity(report_view const& r) {
  for (field const& k : r.root["keep"].items()) {
    if (auto const change = k["change"].number())
      return {report_view::words(k["name"].text_or("capability")), change};
  }
  return {};
}

[[nodiscard]] inline std::vector<trade> trades(report_view const& r) {
  std::vector<trade> out;
  if (auto const reduction = r.root["harm"]["reduction"].number()) {
    auto const change =
        r.root["control_text"]["change"].number();  // on the controls' text, where that is told
    out.push_back({"this surgery", *reduction, change ? change : kept_quantity(r).change,
                   r.root["harm"]["low"].number(), r.root["harm"]["high"].number(), true});
  }
  for (field const& c : r.root["controls"].items()) {
    if (auto const reduction = c["reduction"].number()) {
      out.push_back({c["name"].text_or("control"), *reduction, c["change"].number(), c["low"].number(),
                     c["high"].number()});
    }
  }
  return out;
}

/// Says plainly whether a control does as well: at least the reduction, at no more collateral.
[[nodiscard]] inline std::string against_controls(std::vector<trade> const& all) {
  trade const& ours = all.front();
  trade const* best = nullptr;
  std::string beaten_by;
  for (trade const& t : all) {
    if (t.surgery) continue;
    if (best == nullptr || t.reduction > best->reduction) best = &t;
    double const cost = std::abs(t.change.value_or(0)), our_cost = std::abs(ours.change.value_or(0));
    if (t.reduction >= ours.reduction && cost <= our_cost)
      beaten_by += (beaten_by.empty() ? "" : ", ") + t.name;
  }
  if (best == nullptr) return "";
  if (!beaten_by.empty())
    return "This surgery does not beat: " + beaten_by + ", which lowers harm as much at no more collateral.";
  if (best->reduction >= ours.reduction) {
    return "The control “" + best->name + "” lowers harm as much (" + percent(best->reduction, 0) +
           "), but at more collateral.";
  }
  return "The best control, “" + best->name + "”, lowers harm by " + percent(best->reduction, 0) +
         "; this surgery by " + percent(ours.reduction, 0) + ".";
}

}  // namespace detail

/// The surgery and its controls as points on the same axes.
[[nodiscard]] inline section controls_section(report_view const& r) {
  section s{.id = "controls", .title = "Against controls", .lede = {}, .body = {}, .absent = {}};
  auto const all = detail::trades(r);
  bool const any = std::any_of(all.begin(), all.end(), [](auto const& t) { return !t.surgery; });
  if (!any || !all.front().surgery) {
    s.absent =
        "No controls were run: it is not known what a random circuit of the same size, or a sham change, "
        "would have done.";
    return s;
  }
  s.lede = detail::against_controls(all);
  if (std::string const name = detail::kept_quantity(r).name; !name.empty())
    s.lede += " Collateral is here the relative change of " + name + control_windows(r) + ".";
  extent x, y;
  x.add(0), x.add(1), y.add(-0.06), y.add(0.06);
  for (auto const& t : all)
    x.add(t.reduction), x.add(t.low.value_or(NAN)), x.add(t.high.value_or(NAN)),
        y.add(t.change.value_or(NAN));
  x = x.padded(0.03), y = y.padded();
  plot p({.description = "Harm reduction against collateral, this surgery and its controls",
          .x = {"harm reduction (right is better)", x.low, x.high, notation::share},
          .y = {"change of capability (0 is best)", y.low, y.high, notation::signed_share},
          .width = 720,
          .height = 330});
  p.region(std::max(0.5, x.low), x.high, std::max(-0.05, y.low), std::min(0.05, y.high), "target");
  p.horizontal(0, "");
  table t("table-controls", "This surgery and its controls",
          {"Change", "Harm reduction", "95% low", "95% high", "Collateral"});
  auto const share = [](double v) { return percent(v); };
  bool unmeasured = false;
  std::vector<std::pair<double, double>> labels;
  for (auto const& c : all) {
    t.row({c.name, number_cell(c.reduction, share), number_cell(c.low, share), number_cell(c.high, share),
           number_cell(c.change, [](double v) { return change_percent(v); })},
          c.surgery ? "in" : "");
    unmeasured = unmeasured || !c.change;
    if (!c.change) continue;
    std::string_view const style = c.surgery ? "found" : "random";
    if (c.low && c.high) {
      append(p.body(), "<path class=\"whisker ", style, "\" d=\"M", p.x()(*c.low), " ", p.y()(*c.change), "H",
             p.x()(*c.high), "\"></path>");
    }
    p.markers(
        {{c.reduction, *c.change, NAN, NAN,
          c.name + ": reduction " + percent(c.reduction) + ", collateral " + change_percent(*c.change)}},
        style, c.surgery ? shape::diamond : shape::square, c.surgery ? 6 : 4.5);
    double const lx = std::clamp(p.x()(c.reduction), 90.0, 650.0), ly = p.y()(*c.change);
    bool const taken = std::any_of(labels.begin(), labels.end(), [&](auto const& l) {
      return std::abs(l.first - lx) < 120 && std::abs(l.second - (ly - 12)) < 16;
    });
    double const at = taken ? ly + 22 : ly - 12;
    labels.emplace_back(lx, at);
    append(p.body(), "<text class=\"end ", style, "\" x=\"", lx, "\" y=\"", at, "\" text-anchor=\"middle\">",
           shorten(c.name, 28), "</text>");
  }
  std::string caption = "Shaded: harm at least halved, collateral within 5%.";
  if (unmeasured) caption += " Changes without a measured collateral are in the table only.";
  s.body = html(figure(p.finish(), html(caption), "This surgery and its controls", "wide"), t.finish());
  return s;
}

/// Is this suite one of those whose answers had to stay?
[[nodiscard]] inline bool had_to_stay(report_view const& r, std::string const& suite) {
  auto const all = r.root["keep"].items();
  return std::any_of(all.begin(), all.end(),
                     [&](field const& k) { return k["name"].text_or("").starts_with(suite + "_"); });
}

/// Other suites, so that harm which only moved elsewhere is seen; what had to stay is not called a harm.
[[nodiscard]] inline section cross_harm_section(report_view const& r) {
  auto const suites = r.root["cross_harm"].items();
  auto const stayed = std::count_if(suites.begin(), suites.end(),
                                    [&](field const& f) { return had_to_stay(r, f["suite"].text_or("")); });
  bool const no_harm = stayed > 0 && stayed == std::ssize(suites);
  section s{.id = "other-harms",
            .title = no_harm ? "What had to stay" : "Other harms",
            .lede = {},
            .body = {},
            .absent = {}};
  table t("table-other-harms", s.title + ", before and after",
          {"Suite", "Metric", "Examples", "Before", "After", "Change", "p"});
  for (field const& f : suites) {
    auto const before = f["before"].number(), after = f["after"].number();
    std::optional<double> change;
    if (before && after) change = *after - *before;
    t.row({f["suite"].text_or(""), report_view::words(f["metric"].text_or("")),
           whole_cell(f["items"].number()), number_cell(before), number_cell(after),
           number_cell(change, [](double x) { return signed_number(x); }), p_cell(f["p"].number())});
  }
  if (t.rows() == 0) {
    s.absent = "No other kind of harm was measured in this run: whether harm moved elsewhere is not known.";
    return s;
  }
  s.lede = no_harm
               ? "Unseen examples whose answers had to stay. No other kind of harm was measured in this run: "
                 "whether harm moved elsewhere is not known."
               : "Suites the change was not made for. A harm that only moved elsewhere would show here.";
  s.body = t.finish();
  return s;
}

/// Capabilities in the shape of the evaluation harness's table.
[[nodiscard]] inline section capability_section(report_view const& r) {
  section s{.id = "capability", .title = "Capability", .lede = {}, .body = {}, .absent = {}};
  table t("table-capability", "Capability, before and after",
          {"Task", "n", "Metric", "Better", "Before", "After", "Change", "± s.e.", "p"});
  for (field const& f : r.root["table"].items()) {
    auto const before = f["before"].number(), after = f["after"].number();
    std::optional<double> change;
    if (before && after) change = *after - *before;
    auto const higher = f["higher_is_better"].flag();
    auto const four = [](double x) { return std::abs(x) < 10 ? fixed(x, 4) : short_number(x, 4); };
    t.row({f["task"].text_or(""), whole_cell(f["n"].number()), report_view::words(f["metric"].text_or("")),
           higher ? html(*higher ? "↑ higher" : "↓ lower") : markup("–"), number_cell(before, four),
           number_cell(after, four), number_cell(change, [](double x) { return signed_number(x, 4); }),
           number_cell(f["stderr"].number(), four), p_cell(f["p"].number())});
  }
  if (t.rows() > 0) {
    s.lede = "p is of the paired test between before and after; ± is the standard error of the value after.";
    s.body = t.finish();
    return s;
  }
  for (field const& k : r.root["keep"].items()) {
    std::string const name = k["name"].text_or("capability");
    auto const before = k["before"].number(), after = k["after"].number();
    t.row({report_view::words(name), whole_cell(k["items"].number()), std::string("–"), std::string("–"),
           number_cell(before), number_cell(after),
           number_cell(k["change"].number(), [](double x) { return change_percent(x); }), std::string("–"),
           p_cell(k["p"].number())});
  }
  if (t.rows() == 0) {
    s.absent = "No capability was measured in this run: what else the change did is not known.";
  } else {
    s.lede = "No evaluation suite was run; these are the quantities that had to be kept. Change is relative.";
    s.body = t.finish();
  }
  return s;
}

}  // namespace lancet::html
