// SPDX-License-Identifier: Apache-2.0
// Attribution patching: Δ ≈ Σ (ã − a)·∂metric/∂a, for all units from one backward pass.
//
// Nanda 2023; Syed et al. 2023; with `steps` > 1 integrated gradients from the base run's embeddings to the
// source's (Hanna et al. 2024). The gradient is taken in the run that is intervened on, so the sign is that
// of exact patching.
#pragma once

#include "lancet/causal/activation_patching.hpp"

namespace lancet {

/// Where the gradient is taken: in the base run, or its mean over runs from embeddings base +
/// (k/steps)(source − base), k = 1 … steps.
struct attribution_options {
  lancet::metric metric;
  lancet::direction direction;
  unit_kind unit = unit_kind::head;
  positions at = positions::all;
  index steps = 0;  ///< 0: the base run alone; m: integrated gradients over m runs
  progress* report = nullptr;
};

namespace detail {

/// Reads the gradient at one of the patchable sites, chosen at run time.
template <class B>
class gradient_recorder {
 public:
  using reads_gradient = patchable_sites;
  explicit gradient_recorder(site_id site) : site_(site) {}
  [[nodiscard]] bool acts_at(site_id site, index) const { return site == site_; }
  template <class S>
  requires(reads_gradient::template contains<S>) void adjoint(S, const_view<B> gradient, place const& at) {
    if (S::id == site_) shelf_.put(S::id, at, gradient);
  }
  [[nodiscard]] const_view<B> get(index layer) const { return shelf_.get(site_, layer, -1); }

 private:
  site_id site_;
  value_shelf<B> shelf_;
};

/// Adds (k/m)·(source − base) to the embedded tokens of every prompt, as they enter layer 0.
template <class B>
class embedding_path {
 public:
  using edits = sites<site::resid_pre>;
  embedding_path(tensor<B> const& difference, double share) : difference_(difference), share_(share) {}
  [[nodiscard]] layer_span layers() const { return {0, 0}; }
  void on(site::resid_pre, view<B> value, place const&) {
    ops::axpy<B>(static_cast<typename B::scalar>(share_), difference_, value);
  }
  void adjoint(site::resid_pre, view<B>, place const&) {}

 private:
  tensor<B> const& difference_;
  double share_;
};

/// source − base of every row of the batch as it enters layer 0: [R, D]; rows of the answer's tokens are equal in
/// both.
template <class B, class Arch>
[[nodiscard]] tensor<B> embedding_difference(transformer<B, Arch> const& model,
                                             std::span<contrast_pair const> group,
                                             attribution_options const& options,
                                             std::vector<prompt> const& prompts, batch<B> const& input,
                                             workspace<B>& ws) {
  std::vector<token> source_ids, base_ids;
  for (prompt const& p : prompts) {
    contrast_pair const& pair = group[static_cast<std::size_t>(p.queries.front().example)];
    std::vector<token> const& other = options.direction == denoise ? pair.clean : pair.corrupted;
    for (std::size_t i = 0; i < p.tokens.size(); ++i) {
      base_ids.push_back(p.tokens[i]);
      source_ids.push_back(i < other.size() ? other[i] : p.tokens[i]);
    }
  }
  hook_table<B> none;
  forward_pass<B, Arch, hook_table<B>> pass(model, none, ws, pass_kind::forward);
  pass.begin(input.segments, input.prefixes);
  pass.embed(source_ids);
  tensor<B> out = tensor<B>::clone(ws.layer(0).resid_pre);
  pass.embed(base_ids);
  ops::axpy<B>(-1, ws.layer(0).resid_pre, out.all());
  return out;
}

/// Adds share·Σ_columns (source − base)·gradient of every unit and position.
template <class B, class Arch>
void accumulate(Arch const& arch, attribution_options const& options, unit_columns columns, index per_unit,
                causal_runs<B, Arch> const& runs, std::vector<prompt> const& prompts,
                std::vector<index> const& first_row, gradient_recorder<B> const& recorder, index example,
                double share, effect_table& out) {
  using T = typename B::scalar;
  tensor<B> difference, products;
  std::vector<T> host, dots;
  for (index l = 0; l < arch.layers; ++l)
    for (std::size_t r = 0; r < prompts.size(); ++r) {
      index const length = prompts[r].length, width = columns.count * columns.width;
      const_view<B> const g = recorder.get(l).row_range(first_row[r], length);
      difference.resize(length, width);
      B::copy(runs.source(l, static_cast<index>(r)).row_range(0, length), difference.all());
      ops::axpy<B>(-1, runs.base().site(l, static_cast<index>(r)).row_range(0, length), difference.all());
      dots.resize(static_cast<std::size_t>(length * columns.count));  // [T, units]
      if (columns.width == 1) {
        std::vector<T> gradient(dots.size());
        B::download(difference, dots.data());
        B::download(g, gradient.data());
        for (std::size_t i = 0; i < dots.size(); ++i) dots[i] *= gradient[i];
      } else {
        products.resize(length, columns.count);
        for (index n = 0; n < columns.count; ++n)
          ops::row_dot<B>(difference.all().col_range(n * columns.width, columns.width),
                          g.col_range(n * columns.width, columns.width), products.all().col_range(n, 1));
        B::download(products, dots.data());
      }
      auto const e = static_cast<std::size_t>(example + prompts[r].queries.front().example);
      for (index n = 0; n < columns.count; ++n)
        for (index p = options.at == positions::last ? length - 1 : 0; p < length; ++p) {
          auto const u = static_cast<std::size_t>((l * columns.count + n) * per_unit +
                                                  (options.at == positions::each ? p : 0));
          double& sum = out.effects[u][e];
          sum = (std::isnan(sum) ? 0.0 : sum) +
                share * static_cast<double>(dots[static_cast<std::size_t>(p * columns.count + n)]);
        }
    }
}

}  // namespace detail

/// Estimated effects of every unit on every pair, with the counterfactual prompt as source of values.
template <class B, class Arch>
[[nodiscard]] effect_table attribution_patching(transformer<B, Arch> const& model,
                                                std::span<contrast_pair const> pairs,
                                                attribution_options const& options) {
  detail::require_pairs(pairs, "attribution_patching");
  using hooks_type = hook_table<B>;
  Arch const& arch = model.arch();
  site_id const site = site_of(options.unit);
  unit_columns const columns = columns_of(arch, options.unit);
  index longest = 0;
  for (contrast_pair const& p : pairs) longest = std::max<index>(longest, std::ssize(p.clean));

  effect_table out = make_effect_table(model, pairs, options.metric, resample{}, options.direction,
                                       options.unit, name(options.at));
  out.estimator = options.steps == 0 ? "attribution" : "attribution_ig" + std::to_string(options.steps);
  out.units = detail::all_units(arch, options.unit, options.at, longest);
  out.effects.assign(out.units.size(),
                     std::vector<double>(pairs.size(), std::numeric_limits<double>::quiet_NaN()));
  index const per_unit = options.at == positions::each ? longest : 1;

  workspace<B> ws;
  index example = 0;
  for (std::span<contrast_pair const> const group : detail::groups_of(pairs, 256)) {
    causal_runs<B, Arch> const runs(model, group, options.metric, resample{}, options.direction, site, ws,
                                    false);
    auto const& prompts = runs.base().prompts();
    batch<B> input;
    readout_plan plan;
    std::vector<index> first_row;
    for (prompt const& p : prompts) {
      first_row.push_back(input.rows());
      for (token_query const& q : p.queries) plan.read(input.rows() + q.row, q, q.example);
      input.add(p.tokens);
    }
    plan.examples = std::ssize(group);

    tensor<B> path;  // [R, D] source − base embeddings
    if (options.steps > 0) path = detail::embedding_difference(model, group, options, prompts, input, ws);
    index const passes = std::max<index>(1, options.steps);
    for (index k = 1; k <= passes; ++k) {
      detail::gradient_recorder<B> recorder(site);
      detail::embedding_path<B> shift(path, static_cast<double>(k) / static_cast<double>(passes));
      hooks_type hooks;
      if (options.steps > 0) hooks.add(shift);
      hooks.add(recorder);
      forward(model, input, hooks, ws, std::span<index const>(plan.rows), pass_kind::record);
      readout<B, Arch, hooks_type> reader(model, hooks, ws);
      std::vector<double> slopes = reader.values(plan);
      for (double& s : slopes) s = options.metric.slope(s);
      tensor<B> g_final;
      reader.gradient(plan, slopes, g_final);
      backward(model, hooks, ws, g_final);
      detail::accumulate(arch, options, columns, per_unit, runs, prompts, first_row, recorder, example,
                         1.0 / static_cast<double>(passes), out);
    }
    for (std::size_t e = 0; e < group.size(); ++e)
      runs.write_baselines(out, e, static_cast<std::size_t>(example) + e);
    example += std::ssize(group);
    if (options.report) options.report->advance(std::ssize(group));
  }
  return out;
}

template <split S, class B, class Arch>
[[nodiscard]] effect_table attribution_patching(transformer<B, Arch> const& model, pair_set<S> const& pairs,
                                                attribution_options const& options) {
  effect_table out = attribution_patching(model, std::span<contrast_pair const>(pairs.pairs), options);
  out.source = pairs.source + " (" + std::string(name(S)) + ")";
  return out;
}

}  // namespace lancet
