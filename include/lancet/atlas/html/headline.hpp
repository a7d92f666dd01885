// SPDX-License-Identifier: Apache-2.0
// The top of a report: the verdict in a sentence, harm before and after, what was kept, how small the cut
// was.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"

namespace lancet::html {

/// "0.62" or, for shares, "62%": by the unit that the document names, else by the name of the quantity.
[[nodiscard]] inline std::string quantity(double x, std::string_view unit, std::string_view name = {}) {
  bool const share = unit == "share" || name.find("accuracy") != std::string_view::npos;
  if (share) return percent(x);
  return short_number(x, 4) + (unit.empty() ? "" : " " + std::string(unit));
}

namespace detail {

/// The sentence the document gives, or one made of its numbers.
[[nodiscard]] inline std::string verdict_sentence(report_view const& r) {
  if (auto given = r.root["verdict"]["sentence"].text()) {
    // "82 %" stays on one line.
    for (std::size_t at = 0; (at = given->find(" %", at)) != given->npos;) given->replace(at, 1, "\u00A0");
    return *given;
  }
  auto const reduction = r.root["harm"]["reduction"].number();
  if (!reduction) return "This report holds no measurement of harm.";
  std::string const size = r.circuit_size();
  std::string out = size.empty() ? "The intervention" : "Changing " + size;
  if (*reduction < 0) {
    out += " raised harm by " + percent(-*reduction, 0);
  } else {
    out += " lowered harm by " + percent(*reduction, 0);
  }
  auto const low = r.root["harm"]["low"].number(), high = r.root["harm"]["high"].number();
  if (low && high) out += " (95% interval " + percent(*low, 0) + " to " + percent(*high, 0) + ")";
  for (field const& k : r.root["keep"].items()) {
    if (auto const change = k["change"].number()) {
      return out + "; " + report_view::words(k["name"].text_or("capability")) + " changed by " +
             change_percent(*change) + ".";
    }
  }
  return out + ".";
}

/// Harm before and after on one axis with intervals.
[[nodiscard]] inline markup harm_axis(report_view const& r, double before, double after) {
  constexpr double width = 400, left = 14, right = 14;
  field const harm = r.root["harm"];
  auto const bl = harm["before_low"].number(), bh = harm["before_high"].number();
  auto const al = harm["after_low"].number(), ah = harm["after_high"].number();
  extent range;
  for (double const x : {0.0, before, after}) range.add(x);
  for (auto const& x : {bl, bh, al, ah}) range.add(x.value_or(0));
  range = range.padded(0.08);
  scale const x{{"", range.low, range.high}, left, width - right};
  markup out =
      html("<svg class=\"plot harm-axis\" role=\"img\" aria-label=\"", r.metric, " before ",
           short_number(before), ", after ", short_number(after), "\" viewBox=\"0 0 ", width, " 104\">");
  auto const at = ticks(x.of, 6);
  int const decimals = tick_decimals(at, notation::number);
  for (double const t : at) {
    append(out, "<path class=\"grid\" d=\"M", x(t), " 26V78\"></path><text class=\"tick\" x=\"", x(t),
           "\" y=\"96\" text-anchor=\"middle\">", tick_text(t, x.of, decimals), "</text>");
  }
  append(out, "<path class=\"baseline\" d=\"M", x(0), " 22V78\"></path><path class=\"arrow\" d=\"M",
         x(before), " 52H", x(after), "\"></path>");
  if (bl && bh)
    append(out, "<path class=\"whisker\" d=\"M", x(*bl), " 52H", x(*bh), "M", x(*bl), " 46v12M", x(*bh),
           " 46v12\"></path>");
  if (al && ah)
    append(out, "<path class=\"whisker\" d=\"M", x(*al), " 52H", x(*ah), "M", x(*al), " 46v12M", x(*ah),
           " 46v12\"></path>");
  append(out, marker(shape::ring, x(before), 52, 7, "ring before"),
         marker(shape::circle, x(after), 52, 7, "dot after"));
  auto const name = [&](double v, std::string_view text) {
    double const centre = std::clamp(x(v), 34.0, width - 34);
    append(out, "<text class=\"note strong\" x=\"", centre, "\" y=\"16\" text-anchor=\"middle\">", text, " ",
           short_number(v), "</text>");
  };
  bool const crowded = std::abs(x(before) - x(after)) < 90;
  if (!crowded) name(before, "before");
  name(after, crowded ? "before " + short_number(before) + ", after" : "after");
  out += "</svg>";
  return out;
}

[[nodiscard]] inline markup tile(std::string_view name, markup const& value, markup const& note) {
  return html("<div class=\"tile\"><dt>", name, "</dt><dd><b>", value, "</b><span>", note,
              "</span></dd></div>");
}

/// A yes/no of the verdict in words.
[[nodiscard]] inline std::string verdict_name(std::string const& key) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"harm_halved", "harm at least halved"},
      {"collateral_within_5_percent", "collateral within 5%"},
      {"significant", "paired test significant"},
      {"keeps_answers", "other answers kept"},
      {"beats_controls", "beats every control"}};
  for (auto const& [name, words] : known) {
    if (name == key) return std::string(words);
  }
  return report_view::words(key);
}

/// Pass or fail of each yes/no of the verdict, or that it was not measured, by sign, word and colour.
[[nodiscard]] inline markup checks(report_view const& r) {
  markup out;
  field const verdict = r.root["verdict"];
  auto const add = [&](std::string_view style, std::string_view sign, std::string const& key,
                       std::string_view word) {
    append(out, "<li class=\"", style, "\"><span aria-hidden=\"true\">", sign, "</span> ", verdict_name(key),
           " <em>", word, "</em></li>");
  };
  if (!verdict) return out;
  for (auto const& [key, value] : verdict.json()->items()) {
    if (value.is_null() && key != "sentence") add("unmeasured", "–", key, "not measured");
    if (!value.is_boolean()) continue;
    value.get<bool>() ? add("pass", "✓", key, "yes") : add("fail", "✗", key, "no");
  }
  return out.empty() ? out : html("<ul class=\"checks\">", out, "</ul>");
}

[[nodiscard]] inline markup keep_tiles(report_view const& r) {
  markup out;
  for (field const& k : r.root["keep"].items()) {
    std::string const name = k["name"].text_or("capability");
    auto const before = k["before"].number(), after = k["after"].number(), change = k["change"].number();
    std::string const unit = k["unit"].text_or("");
    markup note =
        before && after ? html(quantity(*before, unit, name), " → ", quantity(*after, unit, name)) : markup();
    if (auto const p = k["p"].number()) append(note, note.empty() ? markup() : markup(", "), p_text(*p));
    auto const moved = [&] {
      if (change) return *change == 0 ? markup("no change") : html(change_percent(*change));
      if (!before || !after) return markup("–");
      return html(signed_number(*after - *before), unit.empty() ? "" : " " + unit);
    };
    append(out, tile(report_view::words(name), moved(), note));
  }
  return out;
}

}  // namespace detail

/// The headline card.
[[nodiscard]] inline markup headline(report_view const& r) {
  field const harm = r.root["harm"];
  auto const before = harm["before"].number(), after = harm["after"].number(),
             reduction = harm["reduction"].number();
  auto const low = harm["low"].number(), high = harm["high"].number();
  markup out = html("<section class=\"headline\" aria-label=\"Headline\"><p class=\"verdict\">",
                    detail::verdict_sentence(r), "</p>", detail::checks(r));
  if (reduction || (before && after)) {
    out += "<div class=\"harm\">";
    if (reduction) {
      append(out, "<p class=\"big\"><b>", change_percent(-*reduction, 0), "</b><span>harm");
      if (low && high)
        append(out, "<br>95% interval ", change_percent(-*high, 0), " to ", change_percent(-*low, 0));
      out += "</span></p>";
    }
    if (before && after) {
      append(out, "<figure><figcaption>", harm["name"].text_or(r.metric),
             r.unit.empty() ? "" : ", " + r.unit);
      if (auto const n = harm["items"].integer()) append(out, ", ", count(*n), " test examples");
      append(out, "</figcaption>", detail::harm_axis(r, *before, *after));
      markup test;
      if (auto const p = harm["p"].number()) {
        append(test, harm["test"].text_or("paired test"), ": ", p_text(*p));
      }
      if (auto const d = harm["effect_size"].number()) {
        append(test, test.empty() ? markup() : markup(", "), harm["effect_size_name"].text_or("effect size"),
               " ", short_number(*d));
      }
      if (!test.empty()) append(out, "<p class=\"test\">", test, "</p>");
      out += "</figure>";
    }
    out += "</div>";
  }
  markup tiles = detail::keep_tiles(r);
  if (std::string const size = r.circuit_size(); !size.empty()) {
    auto const share = r.root["circuit"]["fraction"].number();
    append(tiles, detail::tile("circuit", html(size),
                               share ? html(percent(*share, 2), " of all")
                                     : html(r.root["circuit"]["rule"].text_or(""))));
  }
  auto trainable = r.root["intervention"]["trainable"].integer();
  if (!trainable) trainable = r.root["cost"]["trainable"].integer();
  if (trainable) {
    auto const all = r.root["model"]["parameters"].integer();
    append(tiles,
           detail::tile("parameters trained", html(count(*trainable)),
                        all && *all > 0
                            ? html(percent(static_cast<double>(*trainable) / static_cast<double>(*all), 4),
                                   " of ", count(*all))
                            : markup()));
  }
  if (!tiles.empty()) append(out, "<dl class=\"tiles\">", tiles, "</dl>");
  for (field const& note : r.root["notes"].items())
    append(out, "<p class=\"notice\">", note.text_or(""), "</p>");
  out += "</section>\n";
  return out;
}

}  // namespace lancet::html
