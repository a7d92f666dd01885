// SPDX-License-Identifier: Apache-2.0
// Low-rank parts as changes of stored weights, W' = W + s·B·A, by the names and row orders of a file; and
// back.
//
// A part on columns of a projection has zeros in A elsewhere; a part on a projection that is stored within a
// larger weight (queries in GPT-2's c_attn) has rows of zeros in B for the others. Both are exact.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/host_part.hpp"
#include "lancet/io/peer_names.hpp"
#include "lancet/model/weights.hpp"

namespace lancet {

/// A change of one stored weight.
struct low_rank_update {
  std::string weight;  ///< its name without ".weight"
  index layer = 0;
  index in = 0, out = 0, rank = 0;
  double scale = 1;
  std::vector<float> a;               ///< [rank, in]
  std::vector<float> b;               ///< [out, rank], rows in the file's order
  std::vector<float> magnitude = {};  ///< DoRA: norms that the changed rows get [out], in the file's order
};

/// A stored weight of a layer and the projections in it, in order of their rows.
struct stored_projection {
  index layer = 0;
  index in = 0, out = 0;
  std::vector<std::pair<proj, index>> rows;  ///< each projection with its number of rows
};

namespace detail {

[[nodiscard]] inline std::string name_in_layer(std::string name, index layer) {
  if (auto const at = name.find("{}"); at != name.npos) name.replace(at, 2, std::to_string(layer));
  return name;
}

/// The row of a stored weight that one of lancet's is; `first` is where the projection's rows begin if they
/// lie together. GGUF's Llama keeps rotated pairs of queries and keys side by side, (i, i + n/2) of a head as
/// rows (2i, 2i + 1); GPT-NeoX keeps the rows of each head's query, key and value together.
[[nodiscard]] inline index stored_row(peer_names const& peer, architecture const& a, proj p, index first,
                                      index row) {
  bool const query_or_key = p == proj::q || p == proj::k;
  index const within = row % a.head_dim, half = a.rope.dims / 2;
  if (peer.names.qkv_rows == row_order::per_head && (query_or_key || p == proj::v))
    return 3 * (row - within) + (p == proj::q ? 0 : p == proj::k ? 1 : 2) * a.head_dim + within;
  if (!peer.names.interleaved_query || !query_or_key || within >= 2 * half) return first + row;
  return first + row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

}  // namespace detail

/// Every stored weight that holds projections, by name without ".weight".
[[nodiscard]] inline std::map<std::string, stored_projection, std::less<>> stored_projections(
    peer_names const& peer, architecture const& a) {
  tensor_names const& names = peer.names;
  std::map<std::string, stored_projection, std::less<>> out;
  sizes<architecture> const n(a);
  for (index l = 0; l < a.layers; ++l) {
    auto const add = [&](std::vector<std::string> const& stored, std::vector<proj> const& of, index in) {
      for (std::size_t i = 0; i < stored.size(); ++i) {
        stored_projection one{l, in, 0, {}};
        for (std::size_t j = 0; j < of.size(); ++j) {
          if (stored.size() > 1 && j != i) continue;
          one.rows.emplace_back(of[j], rows_of(a, of[j]).count);
          one.out += one.rows.back().second;
        }
        out.emplace(detail::name_in_layer(stored[i], l), std::move(one));
      }
    };
    add(names.qkv, {proj::q, proj::k, proj::v}, a.width);
    add({names.o}, {proj::o}, n.q);
    add(names.mlp_in, a.mlp == mlp_kind::gated ? std::vector{proj::gate, proj::up} : std::vector{proj::up},
        a.width);
    add({names.down}, {proj::down}, a.mlp_width);
  }
  return out;
}

namespace detail {

/// Writes a part into ranks first_rank, … of an update: A at its columns, factor·B at its projection's rows.
inline void put_part(host_part const& p, stored_projection const& s, peer_names const& peer,
                     architecture const& a, index first_rank, double factor, low_rank_update& u) {
  index const r = p.what.rank, columns = std::ssize(p.what.columns);
  for (index i = 0; i < r; ++i)
    for (index j = 0; j < columns; ++j)
      u.a[static_cast<std::size_t>((first_rank + i) * u.in + p.what.columns[static_cast<std::size_t>(j)])] =
          p.a[static_cast<std::size_t>(i * columns + j)];
  index first_row = 0;
  for (auto const& [which, rows] : s.rows) {
    for (index row = 0; row < rows && proj_name(which) == p.what.where; ++row)
      for (index i = 0; i < r; ++i)
        u.b[static_cast<std::size_t>(stored_row(peer, a, which, first_row, row) * u.rank + first_rank + i)] =
            static_cast<float>(factor * static_cast<double>(p.b[static_cast<std::size_t>(row * r + i)]));
    first_row += rows;
  }
}

}  // namespace detail

/// The parts as changes of stored weights, in order of layers; parts of one weight become one, stacked along
/// the rank. Offsets are left out. Throws usage_error for a projection that the family has not.
[[nodiscard]] inline std::vector<low_rank_update> low_rank_updates(std::span<host_part const> parts,
                                                                   peer_names const& peer,
                                                                   architecture const& a) {
  auto const stored = stored_projections(peer, a);
  std::map<std::pair<index, std::string>, std::vector<host_part const*>> by_weight;
  for (host_part const& p : parts) {
    if (p.what.kind != "low_rank") continue;
    auto const at = std::ranges::find_if(stored, [&](auto const& s) {
      return s.second.layer == p.what.layer && std::ranges::any_of(s.second.rows, [&](auto const& r) {
               return detail::proj_name(r.first) == p.what.where;
             });
    });
    if (at == stored.end())
      throw usage_error("export: got a part on projection '" + p.what.where + "', which a " + a.family +
                        " does not have");
    by_weight[{p.what.layer, at->first}].push_back(&p);
  }
  std::vector<low_rank_update> out;
  for (auto const& [place, members] : by_weight) {
    stored_projection const& s = stored.at(place.second);
    bool const alone = members.size() == 1;
    low_rank_update u{place.second, place.first, s.in, s.out, 0, alone ? members[0]->what.scale : 1,
                      {},           {},          {}};
    for (host_part const* p : members) u.rank += p->what.rank;
    u.a.resize(static_cast<std::size_t>(u.rank * u.in));
    u.b.resize(static_cast<std::size_t>(u.out * u.rank));
    index first_rank = 0;
    for (host_part const* p : members) {
      detail::put_part(*p, s, peer, a, first_rank, alone ? 1 : p->what.scale, u);
      first_rank += p->what.rank;
    }
    out.push_back(std::move(u));
  }
  std::ranges::stable_sort(out, {}, &low_rank_update::layer);
  return out;
}

/// Changes of stored weights as parts on whole projections; a projection whose rows of B are zero has no
/// low-rank one. Magnitudes follow as parts of kind "magnitude", their numbers in `gamma`.
[[nodiscard]] inline std::vector<host_part> parts_of(std::span<low_rank_update const> updates,
                                                     peer_names const& peer, architecture const& a) {
  auto const stored = stored_projections(peer, a);
  std::vector<host_part> out;
  for (low_rank_update const& u : updates) {
    index first_row = 0;
    for (auto const& [which, rows] : stored.at(u.weight).rows) {
      host_part p{{"low_rank", std::string(detail::proj_name(which)), u.layer, detail::column_run(0, u.in),
                   u.rank, u.scale},
                  u.a,
                  std::vector<float>(static_cast<std::size_t>(rows * u.rank)),
                  {}};
      for (index row = 0; row < rows; ++row)
        std::copy_n(u.b.begin() + detail::stored_row(peer, a, which, first_row, row) * u.rank, u.rank,
                    p.b.begin() + row * u.rank);
      host_part norms{{"magnitude", p.what.where, u.layer, detail::column_run(0, rows), 0, 1}, {}, {}, {}};
      for (index row = 0; row < rows && !u.magnitude.empty(); ++row)
        norms.gamma.push_back(
            u.magnitude[static_cast<std::size_t>(detail::stored_row(peer, a, which, first_row, row))]);
      first_row += rows;
      if (std::ranges::any_of(p.b, [](float x) { return x != 0; })) out.push_back(std::move(p));
      if (!norms.gamma.empty()) out.push_back(std::move(norms));
    }
  }
  return out;
}

}  // namespace lancet
