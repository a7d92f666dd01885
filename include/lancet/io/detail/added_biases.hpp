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

/// What was added, for the configuration of the folder.
struct added_biases {
  bool attention = false;
  bool mlp = false;
};

/// Adds biases of zeros to `moved` where a shift needs one that is not there, in all layers: readers ask for
/// them in all or none. `peer` names the target. Throws usage_error where the target's model has no such bias.
[[nodiscard]] inline added_biases add_biases(std::vector<moved_tensor>& moved, peer_names const& peer,
                                             naming format, std::span<constant_shift const> shifts,
                                             architecture const& a) {
  std::set<std::string, std::less<>> known;
  for (moved_tensor const& m : moved) known.insert(m.name);
  auto const stored = stored_projections(peer, a);
  auto const add = [&](std::vector<std::string> const& names) {
    for (index l = 0; l < a.layers; ++l)
      for (std::string const& name : names) {
        std::string const weight = name_in_layer(name, l);
        if (known.insert(weight + ".bias").second)
          moved.push_back({weight + ".bias", nullptr, rearranged::no, {stored.at(weight).out}});
      }
  };
  added_biases out;
  for (constant_shift const& s : shifts) {
    std::string const bias = merged_tensors::bias_of(peer.names, a, s);
    if (known.contains(bias)) continue;
    bool const attention = s.place == shift_place::attention;
    if (peer.architecture != "llama")
      throw usage_error("export: an offset " + std::string(attention ? "at attention" : "at the MLP") +
                        " of layer " + std::to_string(s.layer) + " would need tensor '" + bias + "', which " +
                        (format == naming::gguf ? "llama.cpp's " : "transformers' ") + peer.architecture +
                        " does not have" +
                        (s.place == shift_place::attention ? "" : "; a control vector may hold it"));
    // Llama's readers take biases of both formats; transformers only for a whole block at once.
    std::vector<std::string> names{attention ? peer.names.o : peer.names.down};
    if (attention && format == naming::hugging_face)
      names.insert(names.end(), peer.names.qkv.begin(), peer.names.qkv.end());
    if (!attention) names.insert(names.end(), peer.names.mlp_in.begin(), peer.names.mlp_in.end());
    add(names);
    (attention ? out.attention : out.mlp) = true;
  }
  return out;
}

}  // namespace lancet::detail
