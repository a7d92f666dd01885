// SPDX-License-Identifier: Apache-2.0
// `lancet atlas`: lists, shows, merges, compares and renders atlas files.
#include "lancet/atlas/atlas.hpp"

#include <cstdio>

#include "lancet/atlas/atlas_html.hpp"
#include "lancet/atlas/atlas_markdown.hpp"
#include "lancet/verbs.hpp"

namespace program {
namespace {

using json = nlohmann::ordered_json;

struct options {
  std::string file, unit, title = "Atlas of circuits";
  std::vector<std::string> files, ids;
  lancet::atlas_query query;
};

void print(json const& value) {
  std::printf("%s\n", value.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
}

[[nodiscard]] std::string percent(std::optional<double> share) {
  char text[32] = "-";
  if (share) std::snprintf(text, sizeof text, "%+.1f %%", 100 * *share);
  return text;
}

[[nodiscard]] std::string circuit_text(lancet::atlas_entry const& e, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < std::min(most, e.circuit.units.size()); ++i)
    out += (i == 0 ? "" : ", ") + text(e.circuit.units[i].unit);
  return e.circuit.units.size() > most ? out + ", …" : out;
}

void list(common_options const& common, options o) {
  if (!o.unit.empty()) o.query.unit = lancet::parse_unit(o.unit);
  lancet::atlas const a = lancet::atlas::load(o.file);
  json found = json::array();
  for (std::size_t const i : a.query(o.query)) {
    lancet::atlas_entry const& e = a.entries()[i];
    auto const change = e.validation ? e.validation->harm.change : std::nullopt;
    if (common.json) {
      json one = lancet::to_json(e);
      one["id"] = a.id(i);
      found.push_back(std::move(one));
    } else {
      std::printf("%s  %-24s %-24s %-10s %s\n", a.id(i).substr(0, 8).c_str(),
                  lancet::detail::printable(e.harm).c_str(), lancet::detail::printable(e.model.name).c_str(),
                  percent(change).c_str(), circuit_text(e, 6).c_str());
    }
  }
  if (common.json) print(found);
}

[[nodiscard]] lancet::atlas_entry const& entry(lancet::atlas const& a, std::string const& id) {
  lancet::atlas_entry const* const found = a.find(id);
  if (found != nullptr) return *found;
  std::vector<std::string> known;
  for (std::size_t i = 0; i < a.entries().size(); ++i) known.push_back(a.id(i));
  std::string const near = nearest(id, known);
  throw lancet::usage_error("id: got " + lancet::detail::in_quotes(id) + ", expected that of one of " +
                            std::to_string(known.size()) + " entries" +
                            (near.empty() ? "; see lancet atlas list" : "; did you mean " + near + "?"));
}

void show(common_options const& common, options const& o) {
  lancet::atlas const a = lancet::atlas::load(o.file);
  json const one = lancet::to_json(entry(a, o.ids.at(0)));
  if (common.json)
    print(one);
  else
    std::printf("%s\n", one.dump(2, ' ', false, json::error_handler_t::replace).c_str());
}

void merge(common_options const& common, options const& o) {
  if (common.output.empty()) throw lancet::usage_error("--output: got nothing, expected the atlas to write");
  lancet::atlas all;
  std::size_t given = 0;
  for (std::string const& file : o.files) {
    lancet::atlas const one = lancet::atlas::load(file);
    given += one.entries().size();
    all = lancet::merge(all, one);
  }
  all.save(common.output);
  json disagreements = json::array();
  for (auto const& d : all.disagreements())
    disagreements.push_back({{"first", all.id(d.first)},
                             {"second", all.id(d.second)},
                             {"differences", d.comparison.differences}});
  if (common.json)
    return print({{"output", common.output},
                  {"entries", all.entries().size()},
                  {"given", given},
                  {"disagreements", disagreements}});
  if (common.quiet) return;
  std::printf("%s: %zu entries of %zu given\n", common.output.c_str(), all.entries().size(), given);
  for (auto const& d : disagreements) {
    std::printf("%s and %s disagree:\n", d["first"].get<std::string>().substr(0, 8).c_str(),
                d["second"].get<std::string>().substr(0, 8).c_str());
    for (auto const& line : d["differences"]) std::printf("  %s\n", line.get<std::string>().c_str());
  }
}

void compare(common_options const& common, options const& o) {
  lancet::atlas const a = lancet::atlas::load(o.file);
  lancet::atlas_comparison const c = lancet::compare(entry(a, o.ids.at(0)), entry(a, o.ids.at(1)));
  auto const names = [](std::vector<lancet::unit> const& units) {
    json out = json::array();
    for (lancet::unit const& u : units) out.push_back(text(u));
    return out;
  };
  json const document{
      {"same_harm", c.same_harm},          {"same_model", c.same_model},          {"shared", names(c.shared)},
      {"only_first", names(c.only_first)}, {"only_second", names(c.only_second)}, {"overlap", c.overlap},
      {"depth_overlap", c.depth_overlap},  {"differences", c.differences}};
  if (common.json) return print(document);
  std::printf("units shared: %zu, overlap %.2f, overlap of depths %.2f\n", c.shared.size(), c.overlap,
              c.depth_overlap);
  for (std::string const& line : c.differences) std::printf("%s\n", line.c_str());
  if (c.differences.empty()) std::printf("they agree\n");
}

void render(common_options const& common, options const& o) {
  if (common.output.empty())
    throw lancet::usage_error("--output: got nothing, expected a file that ends in .html or .md");
  lancet::atlas const a = lancet::atlas::load(o.file);
  if (common.output.ends_with(".html"))
    lancet::write_file(common.output, lancet::render_atlas_html(a, o.title));
  else if (common.output.ends_with(".md"))
    lancet::write_file(common.output, lancet::render_atlas_markdown(a, o.title));
  else
    lancet::fail_expected("--output", lancet::detail::in_quotes(common.output),
                          "a name that ends in .html or .md");
  if (common.json) print({{"output", common.output}, {"entries", a.entries().size()}});
}

}  // namespace

void add_atlas(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand("atlas", "Lists, shows, merges, compares and renders atlas files");
  verb.require_subcommand(1);
  auto const add = [&](char const* name, char const* what, bool output,
                       void (*action)(common_options const&, options const&)) -> CLI::App& {
    CLI::App& sub = *verb.add_subcommand(name, what);
    add_common(sub, common, {.model = false, .output = output});
    sub.callback([&common, o, action] { action(common, *o); });
    return sub;
  };
  CLI::App& listing = add("list", "Entries, or those that fit", false,
                          [](common_options const& c, options const& q) { list(c, q); });
  listing.add_option("ATLAS", o->file, "atlas.json")->required();
  listing.add_option("--harm", o->query.harm, "whose harm contains this");
  listing.add_option("--model", o->query.model, "whose model's name contains this, or whose hash begins so");
  listing.add_option("--unit", o->unit, "whose circuit has this unit, such as \"head 26.2\"");
  CLI::App& showing = add("show", "One entry", false, show);
  showing.add_option("ATLAS", o->file, "atlas.json")->required();
  showing.add_option("ID", o->ids, "its id, or how it begins")->required()->expected(1);
  CLI::App& merging = add("merge", "Several atlases in one; shows where they disagree", true, merge);
  merging.add_option("ATLAS", o->files, "atlas files")->required()->expected(1, 1000);
  CLI::App& comparing = add("compare", "Two entries side by side", false, compare);
  comparing.add_option("ATLAS", o->file, "atlas.json")->required();
  comparing.add_option("ID", o->ids, "two ids, or how they begin")->required()->expected(2);
  CLI::App& rendering = add("render", "A page: .html or .md", true, render);
  rendering.add_option("ATLAS", o->file, "atlas.json")->required();
  rendering.add_option("--title", o->title, "of the page");
}

}  // namespace program
