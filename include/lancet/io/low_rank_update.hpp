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

#include "lancet/io/family.hpp"
#include "lancet/io/host_part.hpp"
#include "lancet/model/weights.hpp"

namespace lancet {

/// A change of one stored weight.
struct low_rank_update {
  std::string weight;  ///< its name without ".weight"
  index layer = 0;
  index in = 0, out = 0, rank = 0;
  double scale = 1;
  std::vector<float> a;  ///< [rank, in]
  std::vector<float> b;  ///< [out, rank], rows in the file's order
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

/// A plain MLP has one input projection, which hooks call up.
[[nodiscard]] inline stacked_rows stored_rows(architecture const& a, proj p) {
  return rows_of(a, p == proj::up && a.mlp == mlp_kind::plain ? proj::gate : p);
}

/// GGUF's Llama keeps rotated pairs of queries and keys side by side: pair (i, i + n/2) of a head as rows
/// (2i, 2i + 1). The file's row of one of lancet's.
[[nodiscard]] inline index stored_row(tensor_names const& names, architecture const& a, proj p, index row) {
  if (!names.interleaved_query || (p != proj::q && p != proj::k)) return row;
  index const within = row % a.head_dim, half = a.rotary_dims / 2;
  if (within >= 2 * half) return row;
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

}  // namespace detail

/// Every stored weight that holds projections, by name without ".weight".
[[nodiscard]] inline std::map<std::string, stored_projection, std::less<>> stored_projections(
    tensor_names const& names, architecture const& a) {
  std::map<std::string, stored_projection, std::less<>> out;
  sizes<architecture> const n(a);
  for (index l = 0; l < a.layers; ++l) {
    auto const add = [&](std::vector<std::string> const& stored, std::vector<proj> const& of, index in) {
      for (std::size_t i = 0; i < stored.size(); ++i) {
        stored_projection one{l, in, 0, {}};
        for (std::size_t j = 0; j < of.size(); ++j) {
          if (stored.size() > 1 && j != i) continue;
          one.rows.emplace_back(of[j], detail::stored_rows(a, of[j]).count);
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

/// The parts as changes of stored weights, in order of layers; parts of one weight become one, stacked along
/// the rank. Offsets are left out. Throws usage_error for a projection that has no name there.
[[nodiscard]] inline std::vector<low_rank_update> low_rank_updates(std::span<host_part const> parts,
                                                                   tensor_names const& names,
                                                                   architecture const& a) {
  auto const stored = stored_projections(names, a);
  std::map<std::pair<index, std::string>, std::vector<host_part const*>> by_weight;
  for (host_part const& p : parts) {
    if (p.what.kind != "low_rank") continue;
    auto const at = std::ranges::find_if(stored, [&](auto const& s) {
      return s.second.layer == p.what.layer && std::ranges::any_of(s.second.rows, [&](auto const& r) {
               return detail::proj_name(r.first) == p.what.where;
             });
    });
    if (at == stored.end())
      throw usage_error("export: projection '" + p.what.where + "' of a " + a.family +
                        " has no rows of its own there (heads' queries, keys and values are mixed), so no "
                        "adapter can name it; merge the intervention into the model instead");
    by_weight[{p.what.layer, at->first}].push_back(&p);
  }
  std::vector<low_rank_update> out;
  for (auto const& [place, members] : by_weight) {
    stored_projection const& s = stored.at(place.second);
    low_rank_update u{place.second, place.first, s.in, s.out, 0, members[0]->what.scale, {}, {}};
    bool const alone = members.size() == 1;
    if (!alone) u.scale = 1;
    for (host_part const* p : members) u.rank += p->what.rank;
    u.a.resize(static_cast<std::size_t>(u.rank * u.in));
    u.b.resize(static_cast<std::size_t>(u.out * u.rank));
    index first_rank = 0;
    for (host_part const* p : members) {
      index const r = p->what.rank, columns = std::ssize(p->what.columns);
      for (index i = 0; i < r; ++i)
        for (index j = 0; j < columns; ++j)
          u.a[static_cast<std::size_t>((first_rank + i) * u.in +
                                       p->what.columns[static_cast<std::size_t>(j)])] =
              p->a[static_cast<std::size_t>(i * columns + j)];
      index first_row = 0;
      for (auto const& [which, rows] : s.rows) {
        if (detail::proj_name(which) == p->what.where)
          for (index row = 0; row < rows; ++row)
            for (index i = 0; i < r; ++i)
              u.b[static_cast<std::size_t>((first_row + detail::stored_row(names, a, which, row)) * u.rank +
                                           first_rank + i)] =
                  static_cast<float>((alone ? 1 : p->what.scale) *
                                     p->b[static_cast<std::size_t>(row * r + i)]);
        first_row += rows;
      }
      first_rank += r;
    }
    out.push_back(std::move(u));
  }
  std::ranges::stable_sort(out, {}, &low_rank_update::layer);
  return out;
}

/// Changes of stored weights as parts on whole projections; a projection whose rows of B are zero has none.
[[nodiscard]] inline std::vector<host_part> parts_of(std::span<low_rank_update const> updates,
                                                     tensor_names const& names, architecture const& a) {
  auto const stored = stored_projections(names, a);
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
        std::copy_n(u.b.begin() + (first_row + detail::stored_row(names, a, which, row)) * u.rank, u.rank,
                    p.b.begin() + row * u.rank);
      first_row += rows;
      if (std::ranges::any_of(p.b, [](float x) { return x != 0; })) out.push_back(std::move(p));
    }
  }
  return out;
}

}  // namespace lancet
