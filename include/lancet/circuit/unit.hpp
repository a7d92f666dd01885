// SPDX-License-Identifier: Apache-2.0
// Units: the parts of a model that effects are measured for and circuits are made of.
#pragma once

#include <compare>
#include <string>

#include "lancet/model/architecture.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {

/// head: z of one query head. neuron: one column of mlp_post. attn, mlp: a block's output. resid: resid_pre
/// of a layer.
enum class unit_kind { head, neuron, attn, mlp, resid };

[[nodiscard]] constexpr std::string_view name(unit_kind k) {
  constexpr std::string_view names[] = {"head", "neuron", "attn", "mlp", "resid"};
  return names[static_cast<int>(k)];
}

/// `number` is the head or the neuron, 0 otherwise. `position` counts from the start of the sequence, −1:
/// every position.
struct unit {
  unit_kind kind = unit_kind::head;
  index layer = 0;
  index number = 0;
  index position = -1;

  friend auto operator<=>(unit const&, unit const&) = default;
};

/// "head 26.2", "mlp 3 at position 4".
[[nodiscard]] inline std::string text(unit const& u) {
  std::string out = std::string(name(u.kind)) + " " + std::to_string(u.layer);
  if (u.kind == unit_kind::head || u.kind == unit_kind::neuron) out += "." + std::to_string(u.number);
  if (u.position >= 0) out += " at position " + std::to_string(u.position);
  return out;
}

/// The site whose value a unit is.
[[nodiscard]] constexpr site_id site_of(unit_kind k) {
  constexpr site_id ids[] = {site_id::z, site_id::mlp_post, site_id::attn_out, site_id::mlp_out,
                             site_id::resid_pre};
  return ids[static_cast<int>(k)];
}

/// How many units of a kind one layer has, and each one's columns at its site.
struct unit_columns {
  index count;
  index width;
};
template <class Arch>
[[nodiscard]] unit_columns columns_of(Arch const& a, unit_kind k) {
  if (k == unit_kind::head) return {a.heads, a.head_dim};
  if (k == unit_kind::neuron) return {a.mlp_width, 1};
  return {1, a.width};
}

/// Throws usage_error where the model has no such unit.
template <class Arch>
void check_unit(Arch const& a, unit const& u) {
  if (u.layer < 0 || u.layer >= a.layers || u.number < 0 || u.number >= columns_of(a, u.kind).count)
    fail_expected("unit", text(u),
                  "a unit of a model with " + std::to_string(a.layers) + " layers, " +
                      std::to_string(a.heads) + " heads and " + std::to_string(a.mlp_width) +
                      " neurons each");
}

}  // namespace lancet
