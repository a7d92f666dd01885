// SPDX-License-Identifier: Apache-2.0
// Exact causal effects by activation patching: Δ = metric(do(a = ã)) − metric, one intervention a unit and
// example.
//
// Vig et al. 2020; Meng et al. 2022 (ROME); Heimersheim and Nanda 2024. Every unit is run; the sweep engine
// makes it cheap.
#pragma once

#include "lancet/causal/do_operator.hpp"
#include "lancet/causal/effect_table.hpp"
#include "lancet/causal/sweep.hpp"
#include "lancet/core/progress.hpp"

namespace lancet {

/// Which positions a unit is intervened on at: all at once, each on its own, or the prompt's last.
enum class positions { all, each, last };

[[nodiscard]] constexpr std::string_view name(positions p) {
  return p == positions::all ? "all" : p == positions::each ? "each" : "last";
}

/// `metric`, `change` and `direction` have no defaults: each changes the numbers.
struct patching_options {
  lancet::metric metric;
  do_operator change;
  lancet::direction direction;
  unit_kind unit = unit_kind::head;
  positions at = positions::all;
  std::vector<lancet::unit> units = {};  ///< only these; empty: every unit of the kind
  index window = 1;  ///< layers max(0, l − window/2) … l + window/2 − 1 are patched together (ROME uses 10)
  index rows = 384;  ///< of a batch
  progress* report = nullptr;
};

namespace detail {

template <class Arch>
[[nodiscard]] std::vector<unit> all_units(Arch const& a, unit_kind kind, positions at, index longest) {
  std::vector<unit> out;
  for (index l = 0; l < a.layers; ++l)
    for (index n = 0; n < columns_of(a, kind).count; ++n)
      for (index p = 0; p < (at == positions::each ? longest : 1); ++p)
        out.push_back({kind, l, n, at == positions::each ? p : -1});
  return out;
}

/// Groups of consecutive pairs whose runs stay within some number of rows.
[[nodiscard]] inline std::vector<std::span<contrast_pair const>> groups_of(
    std::span<contrast_pair const> pairs, index rows) {
  std::vector<std::span<contrast_pair const>> out;
  for (std::size_t first = 0; first < pairs.size();) {
    std::size_t last = first;
    index sum = 0;
    while (last < pairs.size() && (last == first || sum + std::ssize(pairs[last].clean) <= rows))
      sum += std::ssize(pairs[last++].clean);
    out.push_back(pairs.subspan(first, last - first));
    first = last;
  }
  return out;
}

inline void require_pairs(std::span<contrast_pair const> pairs, char const* who) {
  if (pairs.empty())
    throw usage_error(std::string(who) + ": got an empty set of pairs, expected at least one");
}

}  // namespace detail

/// Effects of every unit on every pair. Throws usage_error for an empty set, a pair that lacks what the
/// metric or the do-operator needs, or a unit that the model does not have.
template <class B, class Arch>
[[nodiscard]] effect_table activation_patching(transformer<B, Arch> const& model,
                                               std::span<contrast_pair const> pairs,
                                               patching_options const& options) {
  detail::require_pairs(pairs, "activation_patching");
  Arch const& arch = model.arch();
  site_id const site = site_of(options.unit);
  unit_columns const columns = columns_of(arch, options.unit);
  index longest = 0;
  for (contrast_pair const& p : pairs) longest = std::max<index>(longest, std::ssize(p.clean));

  effect_table out = make_effect_table(model, pairs, options.metric, options.change, options.direction,
                                       options.unit, name(options.at));
  out.estimator = "exact";
  out.units =
      options.units.empty() ? detail::all_units(arch, options.unit, options.at, longest) : options.units;
  for (unit const& u : out.units) check_unit(arch, u);
  out.effects.assign(out.units.size(),
                     std::vector<double>(pairs.size(), std::numeric_limits<double>::quiet_NaN()));

  workspace<B> ws;
  sweep<B, Arch> engine(model, ws, {.rows = options.rows});
  replacement<B, Arch> const constant(model, pairs, options.change, site, ws);
  index example = 0;
  for (std::span<contrast_pair const> const group : detail::groups_of(pairs, 512)) {
    causal_runs<B, Arch> const runs(model, group, options.metric, options.change, options.direction, site, ws,
                                    true);
    std::vector<sweep_item<B>> items;
    std::vector<std::pair<std::size_t, index>> owners;  // unit, example of the group
    for (std::size_t u = 0; u < out.units.size(); ++u)
      for (index r = 0; r < std::ssize(runs.base().prompts()); ++r) {
        prompt const& p = runs.base().prompts()[static_cast<std::size_t>(r)];
        index const first = out.units[u].position >= 0      ? out.units[u].position
                            : options.at == positions::last ? p.length - 1
                                                            : 0;
        if (first >= p.length) continue;
        bool const one = out.units[u].position >= 0 || options.at == positions::last;
        index const l = out.units[u].layer;
        index const from = options.window == 1 ? l : std::max<index>(0, l - options.window / 2);
        index const to = options.window == 1 ? l + 1 : std::min(arch.layers, l + options.window / 2);
        sweep_item<B> item{
            r, from, first, one ? 1 : p.length, out.units[u].number * columns.width, columns.width, {}};
        for (index layer = from; layer < to; ++layer)
          item.sources.push_back(constant.active() ? constant.columns(layer, item.first_col, item.cols)
                                                   : runs.source(layer, r)
                                                         .row_range(item.first_row, item.rows)
                                                         .col_range(item.first_col, item.cols));
        items.push_back(std::move(item));
        owners.emplace_back(u, p.queries.front().example);
      }
    std::vector<double> const linear = engine.run(runs.base(), site, items);
    std::vector<std::vector<double>> sums(
        out.units.size(), std::vector<double>(group.size(), std::numeric_limits<double>::quiet_NaN()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      double& sum = sums[owners[i].first][static_cast<std::size_t>(owners[i].second)];
      sum = (std::isnan(sum) ? 0.0 : sum) + linear[i];
    }
    for (std::size_t e = 0; e < group.size(); ++e) {
      auto const at = static_cast<std::size_t>(example) + e;
      runs.write_baselines(out, e, at);
      double const before = options.metric.value(runs.base_value(e));
      for (std::size_t u = 0; u < out.units.size(); ++u)
        if (!std::isnan(sums[u][e])) out.effects[u][at] = options.metric.value(sums[u][e]) - before;
    }
    example += std::ssize(group);
    if (options.report) options.report->advance(std::ssize(group));
  }
  return out;
}

template <split S, class B, class Arch>
[[nodiscard]] effect_table activation_patching(transformer<B, Arch> const& model, pair_set<S> const& pairs,
                                               patching_options const& options) {
  effect_table out = activation_patching(model, std::span<contrast_pair const>(pairs.pairs), options);
  out.source = pairs.source + " (" + std::string(name(S)) + ")";
  return out;
}

}  // namespace lancet
