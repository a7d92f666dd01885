// SPDX-License-Identifier: Apache-2.0
// DoRA adapters (Liu et al. 2024, eq. 5): W' = m ∘ (W + s·B·A) / ‖W + s·B·A‖, norms by row.
//
// A file has m, A and B. Beside the low-rank part stands one that scales the rows of the changed weight by
// m / ‖·‖ and leaves the bias: exact, once the norms are known, and they need the model's weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/host_part.hpp"

namespace lancet {

namespace detail {

/// A projection's weight [rows, in] and bias (or nothing), row-major, by its name in parts.
struct host_projection {
  std::vector<float> weight, bias;
  index in = 0;
};

template <class B>
[[nodiscard]] host_projection host_projection_of(transformer<B> const& model, std::string const& where,
                                                 index layer) {
  layer_weights<B> const& l = model.weights().layers[static_cast<std::size_t>(layer)];
  proj which = proj::q;
  while (proj_name(which) != where) which = static_cast<proj>(static_cast<int>(which) + 1);
  projection<B> const& p = projection_of(l, which);
  stacked_rows const rows = rows_of(model.arch(), which);
  host_projection out{
      host_floats<B>(weight_rows<B>(p.weight, rows.first, rows.count).all()), {}, p.weight.in()};
  if (!p.bias.empty()) out.bias = host_floats<B>(p.bias.all().col_range(rows.first, rows.count));
  return out;
}

/// "row 3 of projection q of layer 1".
[[nodiscard]] inline std::string row_text(std::size_t row, part_description const& part) {
  return "row " + std::to_string(row) + " of projection " + part.where + " of layer " +
         std::to_string(part.layer);
}

/// m / ‖W + s·B·A‖ − 1 for every row. Throws usage_error for a row that is zero.
[[nodiscard]] inline std::vector<double> row_changes(host_projection const& p, host_part const* low_rank,
                                                     host_part const& magnitude) {
  auto const in = static_cast<std::size_t>(p.in), rows = magnitude.gamma.size();
  std::vector<double> out(rows), row(in);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < in; ++j) row[j] = static_cast<double>(p.weight[i * in + j]);
    auto const rank = low_rank == nullptr ? std::size_t{0} : static_cast<std::size_t>(low_rank->what.rank);
    for (std::size_t r = 0; r < rank; ++r) {
      double const factor = low_rank->what.scale * static_cast<double>(low_rank->b[i * rank + r]);
      for (std::size_t j = 0; j < in; ++j) row[j] += factor * static_cast<double>(low_rank->a[r * in + j]);
    }
    double squares = 0;
    for (double const x : row) squares += x * x;
    if (squares == 0)
      throw usage_error("dora: " + row_text(i, magnitude.what) + " is zero, expected a direction to scale");
    out[i] = static_cast<double>(magnitude.gamma[i]) / std::sqrt(squares) - 1;
  }
  return out;
}

}  // namespace detail

/// Parts of kind "magnitude" become parts of kind "rescale" for this model; others stay as they are. Throws
/// file_error (with `where`, the adapter's path) where a float does not hold a magnitude over its row's norm.
template <class B>
[[nodiscard]] std::vector<host_part> with_magnitudes(std::vector<host_part> parts,
                                                     transformer<B> const& model,
                                                     std::string_view where = "dora") {
  for (host_part& m : parts) {
    if (m.what.kind != "magnitude") continue;
    auto const low_rank = std::ranges::find_if(parts, [&](host_part const& p) {
      return p.what.kind == "low_rank" && p.what.layer == m.what.layer && p.what.where == m.what.where;
    });
    detail::host_projection const p = detail::host_projection_of(model, m.what.where, m.what.layer);
    std::vector<double> const gamma =
        detail::row_changes(p, low_rank == parts.end() ? nullptr : &*low_rank, m);
    m.what.kind = "rescale";
    m.beta.assign(gamma.size(), 0);
    for (std::size_t i = 0; i < gamma.size(); ++i) {
      double const beta = p.bias.empty() ? 0 : -gamma[i] * static_cast<double>(p.bias[i]);
      if (!detail::fits_float(gamma[i]) || !detail::fits_float(beta))
        throw file_error(where,
                         detail::row_text(i, m.what) +
                             ": got a magnitude too large for the row's norm, "
                             "expected a ratio of the two, and that times the bias, that a float holds");
      m.gamma[i] = static_cast<float>(gamma[i]);
      m.beta[i] = static_cast<float>(beta);
    }
  }
  return parts;
}

}  // namespace lancet
