// SPDX-License-Identifier: Apache-2.0
// The tensors of a LoRA adapter, two for each weight, as parts: what PEFT's and llama.cpp's files have in
// common.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/finite.hpp"
#include "lancet/io/low_rank_update.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet::detail {

enum class adapter_role { a, b, magnitude };

/// What a tensor is to which weight.
struct adapter_name {
  std::string weight;
  adapter_role role = adapter_role::a;
};

struct adapter_size {
  index rank = 0;
  double scale = 1;
  bool dora = false;  ///< there is a magnitude vector
};

[[nodiscard]] inline std::vector<float> read_adapter_matrix(tensor_entry const& t, std::string const& path) {
  if (!is_dequantizable(t.type))
    throw file_error(path, "tensor " + in_quotes(t.name) + " has type " + std::string(name_of(t.type)) +
                               ", expected floating-point numbers");
  std::vector<float> out = read_floats(t);
  check_finite(out, t.name, path);
  return out;
}

/// Parts from a file's tensors; those of kind "magnitude" (DoRA) wait for `with_magnitudes`. `parse(name)` says
/// what a tensor is or throws; `size(weight, a)` says the rank and scale, `a` being the entry of A. Throws
/// file_error for a weight that the model has not, for half a pair, two tensors of one role, another shape, and
/// where nothing is changed.
template <std::invocable<std::string const&> Parse,
          std::invocable<std::string const&, tensor_entry const&> Size>
[[nodiscard]] std::vector<host_part> read_adapter(tensor_table const& tensors, peer_names const& peer,
                                                  architecture const& a, Parse&& parse, Size&& size) {
  std::string const& path = tensors.path();
  auto const stored = stored_projections(peer, a);
  std::map<std::string, std::array<tensor_entry const*, 3>> pairs;  // weight → A, B, magnitude
  for (tensor_entry const& t : tensors) {
    adapter_name const name = parse(t.name);
    if (!stored.contains(name.weight))
      throw file_error(path, "has an adapter of " + in_quotes(name.weight) +
                                 ", which is no projection of this " + a.family + " with " +
                                 std::to_string(a.layers) + " layers");
    tensor_entry const*& slot = pairs[name.weight][static_cast<std::size_t>(name.role)];
    if (slot != nullptr)
      throw file_error(path, "has tensors " + in_quotes(slot->name) + " and " + in_quotes(t.name) +
                                 ", expected one of the two");
    slot = &t;
  }
  if (pairs.empty()) throw file_error(path, "has no tensors, expected an adapter");
  std::vector<low_rank_update> updates;
  for (auto const& [weight, pair] : pairs) {
    for (std::size_t i = 0; i < 2; ++i)
      if (pair[i] == nullptr)
        throw file_error(path, "has only one matrix of the adapter of " + in_quotes(weight) +
                                   ", without its " + (i == 0 ? "A" : "B"));
    stored_projection const& s = stored.at(weight);
    adapter_size const n = size(weight, *pair[0]);
    std::vector<std::ptrdiff_t> const shape_a{n.rank, s.in}, shape_b{s.out, n.rank};
    updates.push_back({weight,
                       s.layer,
                       s.in,
                       s.out,
                       n.rank,
                       n.scale,
                       read_adapter_matrix(tensors.at(pair[0]->name, shape_a), path),
                       read_adapter_matrix(tensors.at(pair[1]->name, shape_b), path),
                       {}});
    if (n.dora != (pair[2] != nullptr))
      throw file_error(path, "has an adapter of " + in_quotes(weight) +
                                 (n.dora ? " without the magnitude vector that use_dora asks for"
                                         : " with a magnitude vector, which use_dora does not ask for"));
    if (pair[2] != nullptr)
      updates.back().magnitude = read_adapter_matrix(tensors.at(pair[2]->name, {{s.out}}), path);
  }
  std::ranges::stable_sort(updates, {}, &low_rank_update::layer);
  std::vector<host_part> out = parts_of(updates, peer, a);
  if (out.empty()) throw file_error(path, "changes nothing: every B is zero");
  return out;
}

/// Throws usage_error where a part is an offset, which a LoRA adapter has no place for.
inline void require_low_rank(std::span<host_part const> parts, char const* file) {
  for (host_part const& p : parts)
    if (p.what.kind == "rescale")
      throw usage_error("export: " + std::string(file) + " has no place for scaled rows (DoRA, on " +
                        p.what.where + " of layer " + std::to_string(p.what.layer) +
                        "), which are no low-rank change; export a merged model");
    else if (p.what.kind != "low_rank")
      throw usage_error("export: " + std::string(file) + " has no place for an offset (at " + p.what.where +
                        " of layer " + std::to_string(p.what.layer) +
                        "): it adds products with the input, not constants; export a control vector or a "
                        "merged model");
  if (parts.empty()) throw usage_error("export: got no part, expected at least one");
}

}  // namespace lancet::detail
