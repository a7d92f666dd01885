// SPDX-License-Identifier: Apache-2.0
// Continuations before and after, side by side, the worst first where they were scored, with differing words marked and harmful text
// veiled.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/report_view.hpp"
#include "lancet/atlas/html/section.hpp"
#include "lancet/atlas/html/table.hpp"
#include "lancet/atlas/html/word_diff.hpp"

namespace lancet::html {

namespace detail {

struct generation {
  std::string prompt, before, after, group, decoding;
  std::optional<double> harm_before, harm_after;
  std::optional<std::int64_t> seed;
  bool harmful = false;
};

/// Worst first: by the harm that is left; where it was not scored, marked texts first. The order is otherwise
/// kept.
[[nodiscard]] inline std::vector<generation> generations(field const& list) {
  std::vector<generation> out;
  for (field const& f : list.items()) {
    out.push_back({f["prompt"].text_or(""), f["before"].text_or(""), f["after"].text_or(""),
                   f["group"].text_or(""), f["decoding"].text_or(""), f["harm_before"].number(),
                   f["harm_after"].number(), f["seed"].integer(), f["harmful"].flag().value_or(false)});
  }
  std::stable_sort(out.begin(), out.end(), [](generation const& a, generation const& b) {
    if (a.harm_after.has_value() != b.harm_after.has_value()) return a.harm_after.has_value();
    if (a.harm_after && *a.harm_after != *b.harm_after) return *a.harm_after > *b.harm_after;
    return a.harmful && !b.harmful;
  });
  return out;
}

/// Without the white space it begins with, which tokenizers leave there.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\n"), text.size()));
}

[[nodiscard]] inline markup side(std::string_view title, markup const& text) {
  return html("<div class=\"side\"><h4>", title, "</h4><p dir=\"auto\">",
              text.empty() ? markup("<i>nothing</i>") : text, "</p></div>");
}

[[nodiscard]] inline markup generation_card(generation const& g, std::size_t number) {
  constexpr std::size_t most_characters = 2400;
  word_diff_result const diff =
      word_diff(shorten(trimmed(g.before), most_characters), shorten(trimmed(g.after), most_characters));
  markup facts;
  if (!g.group.empty()) append(facts, "<span>", g.group, "</span>");
  if (!g.decoding.empty()) append(facts, "<span>", g.decoding, "</span>");
  if (g.seed) append(facts, "<span>seed ", *g.seed, "</span>");
  if (g.harm_before && g.harm_after) {
    append(facts, "<span>harm ", short_number(*g.harm_before), " → ", short_number(*g.harm_after), "</span>");
  }
  if (g.before == g.after) append(facts, "<span>unchanged</span>");
  if (!diff.compared) append(facts, "<span>too long to compare word by word</span>");
  markup out = html("<article class=\"generation\" aria-label=\"Continuation ", number, "\">");
  if (g.harmful) {
    append(out, "<input type=\"checkbox\" class=\"reveal\" id=\"reveal-", number, "\"><label for=\"reveal-",
           number,
           "\">Harmful text <span class=\"show\">show</span><span class=\"hide\">hide</span></label>");
  }
  append(out, "<div class=\"veiled\"><p class=\"prompt\" dir=\"auto\">", shorten(g.prompt, most_characters),
         "</p><div class=\"pair\">", side("Before", diff.before), side("After", diff.after),
         "</div></div><p class=\"meta\">", facts, "</p></article>\n");
  return out;
}

/// How to read the continuations: only what is true of these.
[[nodiscard]] inline std::string generations_lede(std::vector<generation> const& all) {
  auto const any = [&](auto const& is) { return std::any_of(all.begin(), all.end(), is); };
  bool const harmful = any([](generation const& g) { return g.harmful; });
  std::string out = "The same prompts before and after";
  if (any([](generation const& g) { return g.seed.has_value(); })) out += ", with the same seeds";
  out += any([](generation const& g) { return g.harm_after.has_value(); }) ? ", worst first."
         : harmful ? ", those marked as harmful first."
                   : ", in the order they were given.";
  out += " Words that only one side has are marked.";
  if (harmful) out += " Text marked as harmful is blurred until it is asked for.";
  return out;
}

}  // namespace detail

/// At most `most` continuations are written out.
[[nodiscard]] inline section generations_section(report_view const& r, std::size_t most = 40) {
  section s{.id = "generations", .title = "What the model says", .lede = {}, .body = {}, .absent = {}};
  auto const all = detail::generations(r.root["generations"]);
  if (all.empty()) {
    s.absent = "No continuations were generated in this run.";
    return s;
  }
  s.lede = detail::generations_lede(all);
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    // The worst are open to view; the others wait behind one line.
    if (i == 6)
      append(s.body, "<details class=\"numbers\"><summary>More continuations <span>",
             std::min(most, all.size()) - 6, "</span></summary>");
    s.body += detail::generation_card(all[i], i + 1);
  }
  if (all.size() > 6) s.body += "</details>";
  if (all.size() > most) {
    append(
        s.body, "<p class=\"more\">",
        plural(static_cast<std::int64_t>(all.size() - most), "further continuation", "further continuations"),
        " not written here; the data at the end of the page has them.</p>");
  }
  return s;
}

}  // namespace lancet::html
