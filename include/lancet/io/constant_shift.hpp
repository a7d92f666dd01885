// SPDX-License-Identifier: Apache-2.0
// Offsets as what they add to the model: a constant to what attention's or the MLP's last projection writes,
// or to a whole block's output.
//
// δ on z or mlp_post is (W + ΔW)·δ on the output of the projection that reads it, ΔW being the low-rank parts
// on that projection: exact, because nothing nonlinear lies between.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/host_part.hpp"
#include "lancet/io/peer_names.hpp"

namespace lancet {

/// attention, mlp: the last projection's output, before a norm that may follow. block: the residual stream
/// after the layer, which is the next one's resid_pre; −1 is the embedding.
enum class shift_place { attention, mlp, block };

struct constant_shift {
  shift_place place = shift_place::attention;
  index layer = 0;
  std::vector<double> delta;  ///< [width]
};

namespace detail {

/// out += (W + Σ s·B·A)·δ over the columns of an offset; `weight` is W [out, in].
inline void add_product(std::vector<float> const& weight, index in, host_part const& offset,
                        std::vector<host_part> const& parts, std::string_view projection,
                        std::vector<double>& out) {
  std::vector<double> full(static_cast<std::size_t>(in));
  for (std::size_t j = 0; j < offset.delta.size(); ++j)
    full[static_cast<std::size_t>(offset.what.columns[j])] = static_cast<double>(offset.delta[j]);
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t j = 0; j < full.size(); ++j)
      out[i] += static_cast<double>(weight[i * full.size() + j]) * full[j];
  for (host_part const& p : parts) {
    if (p.what.kind != "low_rank" || p.what.where != projection || p.what.layer != offset.what.layer)
      continue;
    std::size_t const columns = p.what.columns.size();
    for (std::size_t r = 0; r < static_cast<std::size_t>(p.what.rank); ++r) {
      double h = 0;
      for (std::size_t j = 0; j < columns; ++j)
        h += static_cast<double>(p.a[r * columns + j]) * full[static_cast<std::size_t>(p.what.columns[j])];
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] += p.what.scale * h * static_cast<double>(p.b[i * static_cast<std::size_t>(p.what.rank) + r]);
    }
  }
}

}  // namespace detail

/// The offsets of an intervention, those of one place added up, ascending by layer. `parts` are its
/// host_parts. Throws usage_error for one that stands behind a norm within its block.
template <class B>
[[nodiscard]] std::vector<constant_shift> constant_shifts(std::vector<host_part> const& parts,
                                                          transformer<B> const& model) {
  architecture const& a = model.arch();
  std::map<std::pair<index, shift_place>, std::vector<double>> sums;
  auto const has = [&](char const* kind) {
    return std::ranges::any_of(parts, [&](host_part const& p) { return p.what.kind == kind; });
  };
  if (has("offset") && has("rescale"))
    throw usage_error("export: got offsets beside scaled rows, expected one or the other");
  for (host_part const& p : parts) {
    if (p.what.kind != "offset") continue;
    std::string const& where = p.what.where;
    bool const behind = norms_output(a), parallel = a.residual == residual_kind::parallel;
    if (norms_stream(a) || (where == "attn_out" && behind && !parallel))
      throw usage_error("export: an offset on " + where + " of a " + a.family +
                        " stands behind a norm, so that no file has a place for it");
    bool const before = where == "resid_pre";
    bool const added_last = where == "mlp_out" || (where == "attn_out" && parallel);
    shift_place const place = before || (behind && added_last)      ? shift_place::block
                              : where == "z" || where == "attn_out" ? shift_place::attention
                                                                    : shift_place::mlp;
    auto& sum = sums[{p.what.layer - (before ? 1 : 0), place}];
    sum.resize(static_cast<std::size_t>(a.width));
    if (where == "z" || where == "mlp_post") {
      layer_weights<B> const& l = model.weights().layers[static_cast<std::size_t>(p.what.layer)];
      auto const& w = where == "z" ? l.o.weight : l.down.weight;
      std::vector<float> const host = detail::host_floats<B>(weight_rows<B>(w, 0, w.out()).all());
      detail::add_product(host, w.in(), p, parts, where == "z" ? "o" : "down", sum);
    } else {
      for (std::size_t j = 0; j < p.delta.size(); ++j)
        sum[static_cast<std::size_t>(p.what.columns[j])] += static_cast<double>(p.delta[j]);
    }
  }
  std::vector<constant_shift> out;
  for (auto& [key, sum] : sums) out.push_back({key.second, key.first, std::move(sum)});
  return out;
}

}  // namespace lancet
