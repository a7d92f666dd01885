// SPDX-License-Identifier: Apache-2.0
// An intervention as a folder: intervention.json (docs/schemas/intervention.schema.json) and
// weights.safetensors.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lancet/intervene/intervention.hpp"
#include "lancet/io/atomic_folder.hpp"
#include "lancet/io/checked.hpp"
#include "lancet/io/circuit_json.hpp"
#include "lancet/io/finite.hpp"
#include "lancet/io/host_part.hpp"
#include "lancet/io/safetensors_writer.hpp"
#include "lancet/io/training_json.hpp"

namespace lancet {

namespace detail {

/// Ascending columns as runs [first, last].
[[nodiscard]] inline nlohmann::ordered_json columns_to_json(std::vector<index> const& columns) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (std::size_t first = 0, i = 1; i <= columns.size(); ++i) {
    if (i < columns.size() && columns[i] == columns[i - 1] + 1) continue;
    out.push_back(nlohmann::ordered_json::array({columns[first], columns[i - 1]}));
    first = i;
  }
  return out;
}

[[nodiscard]] inline std::vector<index> read_columns(json_field const& list, index width) {
  std::vector<index> out;
  if (!list) list.fail("runs of columns, each [first, last]");
  for (json_field const& run : list.items()) {
    std::vector<json_field> const ends = run.items();
    if (ends.size() != 2) run.fail("[first, last]");
    index const first = json_index(ends[0], out.empty() ? 0 : out.back() + 1, width - 1);
    index const last = json_index(ends[1], first, width - 1);
    for (index c = first; c <= last; ++c) out.push_back(c);
  }
  if (out.empty()) list.fail("at least one column");
  return out;
}

/// Columns of a part's place: of a projection's input, or of a site.
[[nodiscard]] inline index width_of_place(json_field const& where, bool low_rank, architecture const& a) {
  std::string const place = where.need_text();
  std::string const known =
      low_rank ? "q, k, v, o, gate, up or down" : "z, mlp_post, attn_out, mlp_out or resid_pre";
  if (place == (low_rank ? "o" : "z")) return a.heads * a.head_dim;
  if (place == (low_rank ? "down" : "mlp_post")) return a.mlp_width;
  std::vector<std::string_view> const wide =
      low_rank ? std::vector<std::string_view>{"q", "k", "v", "gate", "up"}
               : std::vector<std::string_view>{"attn_out", "mlp_out", "resid_pre"};
  if (std::find(wide.begin(), wide.end(), place) == wide.end()) where.fail(known);
  return a.width;
}

/// Rows of a projection's output.
[[nodiscard]] inline index outputs_of(std::string const& place, architecture const& a) {
  sizes<architecture> const n(a);
  if (place == "q") return n.q;
  if (place == "k" || place == "v") return n.kv;
  return place == "gate" || place == "up" ? a.mlp_width : a.width;
}

[[nodiscard]] inline part_description read_part(json_field const& f, architecture const& a) {
  f.allow_only({"kind", "where", "layer", "columns", "rank", "scale"});
  part_description d;
  d.kind = f["kind"].need_text();
  if (d.kind != "low_rank" && d.kind != "offset" && d.kind != "rescale")
    f["kind"].fail("low_rank, offset or rescale");
  bool const low_rank = d.kind == "low_rank", rescales = d.kind == "rescale";
  index width = width_of_place(f["where"], low_rank || rescales, a);
  d.where = *f["where"].text();
  if (rescales) width = outputs_of(d.where, a);
  d.layer = json_index(f["layer"], 0, a.layers - 1);
  d.columns = read_columns(f["columns"], width);
  if (!low_rank && d.columns.back() - d.columns.front() + 1 != std::ssize(d.columns))
    f["columns"].fail("one run: an offset's columns are contiguous");
  if (rescales && std::ssize(d.columns) != width) f["columns"].fail("all rows of the projection's output");
  if (low_rank) {
    d.rank = json_index(f["rank"], 1, std::max(a.width, a.mlp_width));
    d.scale = f["scale"].need_number();
    if (!fits_float(d.scale)) f["scale"].fail(float_range);
  } else if (f["rank"] || f["scale"]) {
    f.fail("no rank and no scale but of a low-rank part");
  }
  return d;
}

/// How many numbers a part has.
[[nodiscard]] inline std::uint64_t numbers_of(part_description const& d, architecture const& a,
                                              std::string_view where) {
  auto const columns = static_cast<std::uint64_t>(d.columns.size());
  if (d.kind == "offset") return columns;
  if (d.kind == "rescale") return (checked_size(columns, where) * std::uint64_t{2}).value();
  return ((checked_size(columns, where) + static_cast<std::uint64_t>(outputs_of(d.where, a))) *
          static_cast<std::uint64_t>(d.rank))
      .value();
}

template <class B>
[[nodiscard]] std::vector<typename B::scalar> host_copy(tensor<B> const& t) {
  std::vector<typename B::scalar> out(static_cast<std::size_t>(t.rows() * t.cols()));
  B::download(t.all(), out.data());
  return out;
}

/// Elements of a tensor of the file as the backend's scalar; the stored type is float or, for double, either.
template <class T>
[[nodiscard]] std::vector<T> read_scalars(tensor_entry const& entry, std::string const& path) {
  if constexpr (std::is_same_v<T, double>) {
    if (entry.type == tensor_type::f32) {
      std::vector<float> const narrow = read_values<float>(entry, path);
      return {narrow.begin(), narrow.end()};
    }
  }
  return read_values<T>(entry, path);
}

template <class T>
void require_finite(std::vector<T> const& values, std::string const& name, std::string const& path) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw file_error(path, "tensor " + in_quotes(name) + ": element " + std::to_string(i) +
                                 " is not finite, expected a number");
}

}  // namespace detail

/// intervention.json: kind, model, circuit, parts, settings, what it was trained on and its training curve.
template <class B>
[[nodiscard]] nlohmann::ordered_json to_json(intervention<B> const& what) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (auto const& p : what.parts()) {
    part_description const d = p->describe();
    nlohmann::ordered_json one{{"kind", d.kind},
                               {"where", d.where},
                               {"layer", d.layer},
                               {"columns", detail::columns_to_json(d.columns)}};
    if (d.kind == "low_rank") {
      one["rank"] = d.rank;
      one["scale"] = d.scale;
    }
    parts.push_back(std::move(one));
  }
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  for (auto const& [key, value] : what.settings) settings[key] = value;
  return {{"format", "lancet.intervention"},
          {"version", 1},
          {"kind", what.kind()},
          {"model", detail::model_to_json(what.model())},
          {"strength", what.strength()},
          {"trainable", what.trainable()},
          {"settings", std::move(settings)},
          {"trained_on", {{"source", what.trained_on_source}, {"lines", what.trained_on}}},
          {"circuit", to_json(what.circuit())},
          {"parts", std::move(parts)},
          {"history", detail::history_to_json(what.history)}};
}

/// Writes the folder whole or not at all; one that something else wrote is not replaced (usage_error).
template <class B>
void save_intervention(std::string const& folder, intervention<B> const& what) {
  std::vector<std::vector<typename B::scalar>> values;
  std::vector<tensor_entry> tensors;
  for (auto const& t : what.tensors()) {
    values.push_back(detail::host_copy<B>(*t.value));
    tensors.push_back(as_tensor(t.name, {t.value->rows(), t.value->cols()},
                                std::span<typename B::scalar const>(values.back())));
  }
  write_folder_atomically(folder, [&](std::string const& into) {
    write_file(into + "/intervention.json", detail::file_text(to_json(what)));
    write_safetensors(into + "/weights.safetensors", tensors,
                      {{"format", "lancet.intervention"}, {"model_sha256", what.model().sha256}});
  });
}

/// Loads an intervention for the model it was made for. Throws file_error, with the path of the value, for a
/// folder that is damaged or does not fit, and for a scale or a strength that no float holds; naming both
/// hashes, for another model. Parts are read only as far as the file of weights has numbers for them.
template <class B>
[[nodiscard]] intervention<B> load_intervention(std::string const& folder, transformer<B> const& model) {
  static_cast<void>(verify_manifest(folder));
  std::string const path = folder + "/intervention.json", weights = folder + "/weights.safetensors";
  nlohmann::json const document = read_json(path);
  static_cast<void>(require_format(document, "lancet.intervention", 1, path));
  json_field const f(document, path);
  f.allow_only({"format", "version", "kind", "model", "strength", "trainable", "settings", "trained_on",
                "circuit", "parts", "history"});
  model_identity const made_for = detail::read_model_identity(f["model"]);
  if (made_for.sha256 != model.identity().sha256)
    throw file_error(path, "got an intervention for model '" + detail::printable(made_for.name) +
                               "' (sha256 " + detail::printable(made_for.sha256) +
                               "), expected one for model '" + detail::printable(model.identity().name) +
                               "' (sha256 " + model.identity().sha256 + ")");
  circuit found = circuit_from_json(f["circuit"]);
  for (unit const& u : found.units)
    if (u.layer >= model.arch().layers || u.number >= columns_of(model.arch(), u.kind).count)
      f["circuit"]["units"].fail("units of the model, not " + text(u));
  intervention<B> out(f["kind"].need_text(), std::move(found), made_for);

  auto const file = safetensors_file::open(weights);
  checked_size stored(0, weights);
  for (tensor_entry const& t : file.tensors()) stored += static_cast<std::uint64_t>(t.elements());
  double const strength = f["strength"].number().value_or(1.0);
  if (!detail::fits_float(strength)) f["strength"].fail(detail::float_range);
  std::vector<part_description> parts;
  checked_size numbers(0, path);
  for (json_field const& p : f["parts"].items()) {
    parts.push_back(detail::read_part(p, model.arch()));
    if (!detail::fits_float(strength * parts.back().scale))
      p["scale"].fail("a number that a float holds when it is multiplied by the strength");
    numbers += detail::numbers_of(parts.back(), model.arch(), path);
    // A short document can name many columns: no further part is read than there are numbers for.
    if (numbers.value() > stored.value())
      throw file_error(weights, "holds " + std::to_string(stored.value()) + " numbers, the parts need " +
                                    std::to_string(numbers.value()) + " or more");
  }
  if (parts.empty()) f["parts"].fail("at least one part");
  if (stored.value() != numbers.value())  // nothing is made before the file is known to hold as much
    throw file_error(weights, "holds " + std::to_string(stored.value()) + " numbers, the parts need " +
                                  std::to_string(numbers.value()));
  for (part_description const& d : parts) out.parts().push_back(make_part<B>(d, model.arch()));
  std::set<std::string> names;
  for (auto const& t : out.tensors())
    if (!names.insert(t.name).second)
      f["parts"].fail("parts with a place each, not two with tensor " + t.name);
  for (auto const& t : out.tensors()) {
    std::vector<std::ptrdiff_t> const shape{t.value->rows(), t.value->cols()};
    auto const values = detail::read_scalars<typename B::scalar>(file.tensors().at(t.name, shape), weights);
    detail::require_finite(values, t.name, weights);
    B::upload(values.data(), t.value->all());
  }

  f["trained_on"].allow_only({"source", "lines"});
  out.trained_on_source = f["trained_on"]["source"].text_or("");
  out.trained_on = detail::read_lines(f["trained_on"]["lines"]);
  for (auto const& [key, value] : f["settings"].members()) out.settings[key] = *value.text();
  out.history = detail::read_history(f["history"]);
  out.set_strength(strength);
  return out;
}

}  // namespace lancet
