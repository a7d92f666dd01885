// SPDX-License-Identifier: Apache-2.0
// Control vectors as GGUF files (repeng, llama.cpp's --control-vector): direction.L is added to the output of
// block L, for L from 1 to the last layer.
//
// Block L's output is resid_pre of layer L + 1, so offsets there are directions exactly; so is a constant that
// the MLP of layer L adds, being the last thing that a block does. One on attention's output is not, unless the
// block is parallel: the MLP sees it.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/constant_shift.hpp"
#include "lancet/io/finite.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/gguf_writer.hpp"

namespace lancet {

/// Writes the parts of an intervention, which must all be offsets on the residual stream. Throws usage_error
/// for one that is no direction, naming its place and what could hold it.
template <class B>
void write_control_vector(std::string const& path, std::vector<host_part> const& parts,
                          transformer<B> const& model) {
  architecture const& a = model.arch();
  for (host_part const& p : parts)
    if (p.what.kind != "offset")
      throw usage_error("export: a control vector has no place for " +
                        std::string(p.what.kind == "rescale" ? "scaled rows" : "a low-rank change") +
                        " (of " + p.what.where + " in layer " + std::to_string(p.what.layer) +
                        "): it adds constants; export an adapter or a merged model");
  std::string const family = peer_names_of(a, naming::gguf).architecture;
  std::map<index, std::vector<float>> directions;
  for (constant_shift const& s : constant_shifts(parts, model)) {
    std::string const layer = " of layer " + std::to_string(s.layer);
    bool const behind = s.place != shift_place::block && norms_output(a);
    if (behind)
      throw usage_error("export: a control vector cannot hold what is added within a block before a norm" +
                        layer + "; export a merged model");
    if (s.place == shift_place::attention && a.residual != residual_kind::parallel)
      throw usage_error("export: a control vector cannot hold what is added to attention's output" + layer +
                        ": the MLP of the same block sees it; export a merged model");
    if (s.layer < 1)
      throw usage_error("export: a control vector cannot hold an offset before layer " +
                        std::to_string(s.layer + 1) +
                        ": llama.cpp adds the first one to the output of block 1, "
                        "which is resid_pre of layer 2" +
                        (s.layer < 0 ? "" : "; export a merged model"));
    auto& direction = directions[s.layer];
    direction.resize(s.delta.size());
    for (std::size_t j = 0; j < s.delta.size(); ++j)
      direction[j] = static_cast<float>(static_cast<double>(direction[j]) + s.delta[j]);
  }
  if (directions.empty()) throw usage_error("export: got no offset, expected at least one");
  gguf_writer out;
  out.set("general.architecture", "controlvector");
  out.set("controlvector.model_hint", family);
  out.set("controlvector.layer_count", static_cast<std::int32_t>(std::ssize(directions)));
  for (auto const& [layer, direction] : directions)
    out.add(as_stored({.name = "direction." + std::to_string(layer),
                       .type = tensor_type::f32,
                       .shape = {std::ssize(direction)},
                       .bytes = std::as_bytes(std::span<float const>(direction))}));
  out.write(path);
}

/// Reads a control vector as offsets: direction.L on resid_pre of layer L + 1, the last layer's on its
/// mlp_out. Throws file_error for a file that is none, and for a layer or a width that the model has not.
[[nodiscard]] inline std::vector<host_part> read_control_vector(std::string const& path,
                                                                architecture const& a) {
  gguf_file const file = gguf_file::open(path);
  auto const kind = file.get<std::string>("general.architecture");
  if (kind != "controlvector")
    throw file_error(path,
                     "general.architecture: got " + detail::in_quotes(kind) + ", expected 'controlvector'");
  static_cast<void>(file.get_optional<std::string>("controlvector.model_hint"));
  if (auto const count = file.get_optional<std::int64_t>("controlvector.layer_count");
      count && (*count < 0 || *count > 65536))
    throw file_error(path,
                     "controlvector.layer_count: got " + std::to_string(*count) + ", expected 0 to 65536");
  std::map<index, host_part> by_layer;
  for (tensor_entry const& t : file.tensors()) {
    constexpr std::string_view prefix = "direction.";
    std::string_view const digits = std::string_view(t.name).substr(std::min(prefix.size(), t.name.size()));
    index layer = 0;
    auto const [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    if (!t.name.starts_with(prefix) || code != std::errc() || end != digits.data() + digits.size() ||
        digits[0] == '0' || layer < 1 || layer >= a.layers)
      throw file_error(path, "has tensor " + detail::in_quotes(t.name) +
                                 ", expected direction.1 to direction." + std::to_string(a.layers - 1) +
                                 " alone");
    bool const last = layer == a.layers - 1;
    host_part p{{"offset", last ? "mlp_out" : "resid_pre", last ? layer : layer + 1,
                 detail::column_run(0, a.width), 0, 1},
                {},
                {},
                {}};
    std::vector<std::ptrdiff_t> const shape{a.width};
    p.delta = read_values<float>(file.tensors().at(t.name, shape), path);
    check_finite(p.delta, t.name, path);
    by_layer.emplace(layer, std::move(p));
  }
  if (by_layer.empty()) throw file_error(path, "has no direction, expected at least one");
  std::vector<host_part> out;
  for (auto& [layer, p] : by_layer) out.push_back(std::move(p));
  return out;
}

}  // namespace lancet
