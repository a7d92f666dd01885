// SPDX-License-Identifier: Apache-2.0
// Parts that scale rows as changes of stored weights and biases, W'[i] = (1 + γ[i])·W[i] and b' = b + γ∘b + β,
// in a file's order of rows.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lancet/io/low_rank_update.hpp"

namespace lancet {

struct row_change {
  index in = 0;
  std::vector<double> gamma, beta;  ///< [out]
};

/// By name without ".weight".
[[nodiscard]] inline std::map<std::string, row_change> row_changes(std::span<host_part const> parts,
                                                                   peer_names const& peer,
                                                                   architecture const& a) {
  std::map<std::string, row_change> out;
  for (auto const& [name, stored] : stored_projections(peer, a)) {
    index first_row = 0;
    for (auto const& [which, rows] : stored.rows) {
      for (host_part const& p : parts) {
        if (p.what.kind != "rescale" || p.what.layer != stored.layer ||
            p.what.where != detail::proj_name(which))
          continue;
        row_change& c = out[name];
        c.in = stored.in;
        c.gamma.resize(static_cast<std::size_t>(stored.out));
        c.beta.resize(static_cast<std::size_t>(stored.out));
        for (index row = 0; row < rows; ++row) {
          auto const at = static_cast<std::size_t>(detail::stored_row(peer, a, which, first_row, row));
          c.gamma[at] = static_cast<double>(p.gamma[static_cast<std::size_t>(row)]);
          c.beta[at] = static_cast<double>(p.beta[static_cast<std::size_t>(row)]);
        }
      }
      first_row += rows;
    }
  }
  return out;
}

}  // namespace lancet
