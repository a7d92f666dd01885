// SPDX-License-Identifier: Apache-2.0
// Which sites an architecture lacks, and why: what a hook there is refused with.
#pragma once

#include "lancet/model/architecture.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {

/// The reason why a site does not exist in an architecture; null where it does.
template <class Arch>
[[nodiscard]] constexpr char const* absent_because(Arch const& a, site_id site) {
  switch (site) {
    case site_id::mlp_up:
      return a.mlp == mlp_kind::plain ? "its MLP has no gate" : nullptr;
    case site_id::linear_gate:
      return a.mlp == mlp_kind::plain ? "its MLP has no gate; the only input projection is linear<up>"
                                      : nullptr;
    case site_id::attn_scale:
    case site_id::attn_norm:
      return norms_input(a) ? nullptr : "no norm stands before its attention; see attn_in";
    case site_id::mlp_scale:
    case site_id::mlp_norm:
      return norms_input(a) ? nullptr : "no norm stands before its MLP; see mlp_in";
    case site_id::resid_mid:
      return a.residual == residual_kind::parallel ? "attention and MLP both read resid_pre" : nullptr;
    case site_id::final_scale:
      return a.final_norm ? nullptr : "no norm stands behind its layers";
    default:
      return nullptr;
  }
}

}  // namespace lancet
