// SPDX-License-Identifier: Apache-2.0
// Biases that a merged model needs and its source has not: which a format lets one add, and which others must
// then be there too, as zeros.
#pragma once

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/merged_tensors.hpp"

namespace lancet::detail {

/// Which blocks have biases, or got some, for the configuration of the folder.
struct added_biases {
  bool attention = false;
  bool mlp = false;
};

/// Adds biases of zeros to `moved` for projections (names with {}) that have none, in all layers.
inline void add_zero_biases(std::vector<moved_tensor>& moved, std::vector<std::string> const& names,
                            peer_names const& peer, architecture const& a) {
  std::set<std::string, std::less<>> known;
  for (moved_tensor const& m : moved) known.insert(m.name);
  auto const stored = stored_projections(peer, a);
  for (index l = 0; l < a.layers; ++l)
    for (std::string const& name : names) {
      std::string const weight = name_in_layer(name, l);
      if (known.insert(weight + ".bias").second)
        moved.push_back({weight + ".bias", nullptr, rearranged::no, {stored.at(weight).out}});
    }
}

/// All projections of attention, or of the MLP; the first is the one whose bias shifts are folded into.
[[nodiscard]] inline std::vector<std::string> projections_of(peer_names const& peer, bool attention) {
  tensor_names const& n = peer.names;
  std::vector<std::string> out{attention ? n.o : n.down};
  std::vector<std::string> const& in = attention ? n.qkv : n.mlp_in;
  out.insert(out.end(), in.begin(), in.end());
  return out;
}

/// Says which blocks of a model that becomes a Llama folder have biases; transformers takes them for all of a
/// block's projections at once, so those that lack one get zeros.
[[nodiscard]] inline added_biases complete_biases(std::vector<moved_tensor>& moved, peer_names const& peer,
                                                  architecture const& a) {
  std::set<std::string, std::less<>> known;
  for (moved_tensor const& m : moved) known.insert(m.name);
  added_biases out;
  for (bool const attention : {true, false}) {
    std::vector<std::string> const names = projections_of(peer, attention);
    bool any = false;
    for (index l = 0; l < a.layers && !any; ++l)
      any = std::ranges::any_of(
          names, [&](std::string const& name) { return known.contains(name_in_layer(name, l) + ".bias"); });
    if (any) add_zero_biases(moved, names, peer, a);
    (attention ? out.attention : out.mlp) = any;
  }
  return out;
}

/// Adds biases of zeros to `moved` where a shift needs one that is not there, in all layers: readers ask for
/// them in all or none. `peer` names the target. Throws usage_error where the target's model has no such bias.
[[nodiscard]] inline added_biases add_biases(std::vector<moved_tensor>& moved, peer_names const& peer,
                                             naming format, std::span<constant_shift const> shifts,
                                             architecture const& a) {
  std::set<std::string, std::less<>> known;
  for (moved_tensor const& m : moved) known.insert(m.name);
  added_biases out;
  for (constant_shift const& s : shifts) {
    std::string const bias = merged_tensors::bias_of(peer.names, a, s);
    bool const attention = s.place == shift_place::attention;
    if (known.contains(bias) || (attention ? out.attention : out.mlp)) continue;
    if (peer.architecture != "llama")
      throw usage_error("export: an offset " + std::string(attention ? "at attention" : "at the MLP") +
                        " of layer " + std::to_string(s.layer) + " would need tensor '" + bias + "', which " +
                        (format == naming::gguf ? "llama.cpp's " : "transformers' ") + peer.architecture +
                        " does not have" +
                        (s.place == shift_place::attention ? "" : "; a control vector may hold it"));
    // Llama's readers take biases of both formats; transformers only for a whole block at once.
    std::vector<std::string> names = projections_of(peer, attention);
    if (attention && format == naming::gguf) names.resize(1);
    add_zero_biases(moved, names, peer, a);
    (attention ? out.attention : out.mlp) = true;
  }
  return out;
}

}  // namespace lancet::detail
