// SPDX-License-Identifier: Apache-2.0
// An atlas: findings about many harms and models in one file, to be searched, compared and merged.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/atlas_compare.hpp"
#include "lancet/atlas/atlas_entry.hpp"
#include "lancet/core/error.hpp"
#include "lancet/io/atomic_file.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/io/json.hpp"

namespace lancet {

/// What to look for; empty members match everything. Names match where they contain the text, in any case; a
/// model also by the beginning of its hash (six digits or more).
struct atlas_query {
  std::string model = {};
  std::string harm = {};
  std::optional<lancet::unit> unit = {};  ///< in the circuit; a position of −1 matches every position
};

/// "head 26.2", "26.2" (a head), "neuron 4.1021", "mlp 3", "attn 3", "resid 3", as the program prints units.
/// Throws usage_error for anything else.
[[nodiscard]] inline unit parse_unit(std::string_view text) {
  std::string_view rest = text;
  auto const refuse = [&] {
    fail_expected("unit", detail::in_quotes(text), "head 26.2, neuron 4.1021, mlp 3, attn 3 or resid 3");
  };
  auto const number = [&] {
    index value = 0;
    auto const [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (code != std::errc() || value < 0) refuse();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return value;
  };
  unit u;
  if (std::size_t const space = rest.find(' '); space != rest.npos) {
    bool known = false;
    for (unit_kind const k :
         {unit_kind::head, unit_kind::neuron, unit_kind::attn, unit_kind::mlp, unit_kind::resid}) {
      if (rest.substr(0, space) == name(k)) u.kind = k, known = true;
    }
    if (!known) refuse();
    rest.remove_prefix(space + 1);
  }
  u.layer = number();
  if (u.kind == unit_kind::head || u.kind == unit_kind::neuron) {
    if (rest.empty() || rest[0] != '.') refuse();
    rest.remove_prefix(1);
    u.number = number();
  }
  if (!rest.empty()) refuse();
  return u;
}

/// Two entries of the same harm and model that do not say the same; `first` and `second` are places in the
/// atlas.
struct atlas_disagreement {
  std::size_t first = 0;
  std::size_t second = 0;
  atlas_comparison comparison;
};

/// Findings in the order they were added. No two entries say the same.
class atlas {
 public:
  [[nodiscard]] std::vector<atlas_entry> const& entries() const { return entries_; }

  /// Adds an entry; false if the atlas already has one that says the same, which is then kept as it is.
  bool add(atlas_entry entry) {
    std::string id = id_of(entry);
    if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return false;
    ids_.push_back(std::move(id));
    entries_.push_back(std::move(entry));
    return true;
  }

  /// The entry with this id, or whose id begins so; nullptr if there is none. Throws usage_error if there are
  /// several.
  [[nodiscard]] atlas_entry const* find(std::string_view id) const {
    atlas_entry const* found = nullptr;
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (std::string_view(ids_[i]).substr(0, id.size()) != id) continue;
      if (found != nullptr)
        fail_expected("id", detail::in_quotes(id), "more digits: several entries begin so");
      found = &entries_[i];
    }
    return found;
  }
  [[nodiscard]] std::string const& id(std::size_t entry) const { return ids_.at(entry); }

  /// The places of the entries that match, in order.
  [[nodiscard]] std::vector<std::size_t> query(atlas_query const& q) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (matches(entries_[i], q)) out.push_back(i);
    }
    return out;
  }

  /// All pairs of entries of one harm and one model that differ in what they found or how.
  [[nodiscard]] std::vector<atlas_disagreement> disagreements() const {
    std::vector<atlas_disagreement> out;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      for (std::size_t j = i + 1; j < entries_.size(); ++j) {
        if (entries_[i].harm != entries_[j].harm || entries_[i].model.sha256 != entries_[j].model.sha256)
          continue;
        atlas_comparison c = compare(entries_[i], entries_[j]);
        if (!c.differences.empty()) out.push_back({i, j, std::move(c)});
      }
    }
    return out;
  }

  [[nodiscard]] nlohmann::json to_json() const {
    nlohmann::json list = nlohmann::json::array();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      list.push_back(lancet::to_json(entries_[i]));
      list.back()["id"] = ids_[i];
    }
    return {{"format", "lancet.atlas"}, {"version", 1}, {"entries", std::move(list)}};
  }

  /// Reads strictly: what does not fit docs/schemas/atlas.schema.json throws file_error with the path of the
  /// value. An id that is not its entry's was edited by hand or damaged, and is refused.
  [[nodiscard]] static atlas from_json(nlohmann::json const& document, std::string_view where) {
    static_cast<void>(require_format(document, "lancet.atlas", 1, where));
    json_field const root(document, where);
    root.allow_only({"format", "version", "entries"});
    if (!root["entries"]) root["entries"].fail("a list");
    atlas out;
    for (json_field const& f : root["entries"].items()) {
      atlas_entry entry = read_atlas_entry(f);
      if (auto const id = f["id"].text(); id && *id != id_of(entry))
        f["id"].fail("'" + id_of(entry) + "', from what the entry says");
      if (!out.add(std::move(entry))) f.fail("an entry that is not already there");
    }
    return out;
  }

  /// The atlas in a file. Throws file_error.
  [[nodiscard]] static atlas load(std::string const& path) { return from_json(read_json(path), path); }

  /// Writes the file whole or not at all.
  void save(std::string const& path) const {
    write_file(path, to_json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }

 private:
  [[nodiscard]] static bool contains(std::string_view text, std::string_view part) {
    auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }) != text.end() ||
           part.empty();
  }

  [[nodiscard]] static bool matches(atlas_entry const& e, atlas_query const& q) {
    bool const by_hash =
        q.model.size() >= 6 && std::string_view(e.model.sha256).substr(0, q.model.size()) == q.model;
    if (!by_hash && !contains(e.model.name, q.model)) return false;
    if (!contains(e.harm, q.harm)) return false;
    return !q.unit || std::any_of(e.circuit.units.begin(), e.circuit.units.end(), [&](atlas_unit const& u) {
      unit wanted = *q.unit;
      if (wanted.position < 0) wanted.position = u.unit.position;
      return u.unit == wanted;
    });
  }

  std::vector<atlas_entry> entries_;
  std::vector<std::string> ids_;
};

/// Both atlases in one: every entry of either is kept. Where they disagree, both stay, and `disagreements`
/// shows it.
[[nodiscard]] inline atlas merge(atlas const& first, atlas const& second) {
  atlas out = first;
  for (atlas_entry const& e : second.entries()) out.add(e);
  return out;
}

}  // namespace lancet
