// SPDX-License-Identifier: Apache-2.0
// The sweep engine: many interventions as rows of one batch, each recomputing only what it can reach.
//
// Base runs are cached once. An intervention resumes at its layer from the cached residual (gathered, never
// recomputed), from the first position that it can reach; earlier positions are referred to as a key/value
// prefix. Interventions are packed in layer order and join the batch at their layer. One that
// changes nothing costs nothing. Results equal the naive loop of one full forward pass an intervention; on
// the packed kernel bit for bit, because a row's result there depends neither on the other rows nor on where
// its prefix comes from.
#pragma once

#include <algorithm>
#include <numeric>

#include "lancet/causal/metric.hpp"
#include "lancet/hooks/do_table.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/readout.hpp"

namespace lancet {

/// Records one of the patchable sites, chosen at run time.
template <class B>
class site_recorder {
 public:
  using reads = patchable_sites;
  explicit site_recorder(site_id site) : site_(site) {}

  [[nodiscard]] bool acts_at(site_id site, index) const { return site == site_; }
  template <class S>
  requires(reads::template contains<S>) void on(S, const_view<B> value, place const& at) {
    if (S::id == site_) shelf_.put(S::id, at, value);
  }
  /// [R, columns] of the whole batch.
  [[nodiscard]] const_view<B> get(index layer) const { return shelf_.get(site_, layer, -1); }

 private:
  site_id site_;
  detail::value_shelf<B> shelf_;
};

/// Runs of several prompts, kept for resuming (`resid`, `cache`) and as a source or target of values
/// (`site`).
template <class B, class Arch>
class prompt_runs {
 public:
  /// `hooks` act during the runs (noise on embeddings, say) and are part of what is cached.
  prompt_runs(transformer<B, Arch> const& model, std::span<prompt const> prompts, site_id site,
              hook_table<B> hooks, workspace<B>& ws, bool resumable)
      : prompts_(prompts.begin(), prompts.end()), site_(site) {
    batch<B> input;
    readout_plan plan;
    for (prompt const& p : prompts_) {
      first_row_.push_back(input.rows());
      for (token_query const& q : p.queries) plan.read(input.rows() + q.row, q, std::ssize(first_row_) - 1);
      input.add(p.tokens);
    }
    plan.examples = std::ssize(prompts_);
    hooks.add(site_);
    if (resumable) hooks.add(base_);
    forward(model, input, hooks, ws, std::span<index const>(plan.rows));
    values_ = readout<B, Arch, hook_table<B>>(model, hooks, ws).values(plan);
    if (resumable)
      for (std::size_t i = 0; i < prompts_.size(); ++i) caches_.push_back(make_cache(model.arch().layers, i));
  }
  prompt_runs(prompt_runs const&) = delete;

  [[nodiscard]] std::vector<prompt> const& prompts() const { return prompts_; }
  /// Σ coefficient·log P of prompt i.
  [[nodiscard]] double value(index i) const { return values_[static_cast<std::size_t>(i)]; }
  /// The site's value, prompt i: [T, columns].
  [[nodiscard]] const_view<B> site(index layer, index i) const { return rows(site_.get(layer), i); }
  /// Residual before a layer, prompt i: [T, D].
  [[nodiscard]] const_view<B> resid(index layer, index i) const {
    return rows(base_.template get<lancet::site::resid_pre>(layer), i);
  }
  [[nodiscard]] std::shared_ptr<kv_cache<B> const> cache(index i) const {
    return caches_[static_cast<std::size_t>(i)];
  }

 private:
  [[nodiscard]] const_view<B> rows(const_view<B> all, index i) const {
    return all.row_range(first_row_[static_cast<std::size_t>(i)],
                         std::ssize(prompts_[static_cast<std::size_t>(i)].tokens));
  }
  [[nodiscard]] std::shared_ptr<kv_cache<B> const> make_cache(index layers, std::size_t i) const {
    auto out = std::make_shared<kv_cache<B>>();
    for (index l = 0; l < layers; ++l)
      out->layers.push_back(
          {tensor<B>::clone(rows(base_.template get<lancet::site::rot_k>(l), static_cast<index>(i))),
           tensor<B>::clone(rows(base_.template get<lancet::site::v>(l), static_cast<index>(i)))});
    out->length = std::ssize(prompts_[i].tokens);
    return out;
  }

  std::vector<prompt> prompts_;
  std::vector<index> first_row_;
  site_recorder<B> site_;
  record<B, lancet::site::resid_pre, lancet::site::rot_k, lancet::site::v> base_;
  std::vector<double> values_;
  std::vector<std::shared_ptr<kv_cache<B> const>> caches_;
};

/// One intervention: rows [first_row, first_row + rows) × columns of the site in prompt `run`, in layers
/// [layer, last_layer], set to rows of `sources` (one per layer; empty: zero; one row: the same at every
/// position).
template <class B>
struct sweep_item {
  index run;
  index layer;
  index first_row, rows;
  index first_col, cols;
  std::vector<const_view<B>> sources;

  [[nodiscard]] index last_layer() const { return layer + std::ssize(sources) - 1; }
};

struct sweep_options {
  index rows = 384;  ///< of a batch
};

template <class B, class Arch>
class sweep {
 public:
  sweep(transformer<B, Arch> const& model, workspace<B>& ws, sweep_options options = {})
      : model_(model), ws_(ws), options_(options) {}

  /// The metric's linear value of each item's run under its intervention, in the items' order.
  [[nodiscard]] std::vector<double> run(prompt_runs<B, Arch> const& base, site_id site,
                                        std::span<sweep_item<B> const> items) {
    std::vector<double> out(items.size());
    std::vector<planned> plan;
    for (std::size_t i = 0; i < items.size(); ++i) {
      index const from = reached_from(base, items[i]);
      if (from < 0)
        out[i] = base.value(items[i].run);  // nothing changes: the effect is exactly zero
      else
        plan.push_back({i, from});
    }
    std::stable_sort(plan.begin(), plan.end(), [&](planned const& a, planned const& b) {
      return items[a.item].layer < items[b.item].layer;
    });
    for (std::size_t first = 0; first < plan.size();) {
      std::size_t last = first;
      index rows = 0;
      do rows += length(base, items[plan[last].item]) - plan[last].from;
      while (++last < plan.size() &&
             rows + length(base, items[plan[last].item]) - plan[last].from <= options_.rows);
      run_batch(base, site, items, std::span(plan).subspan(first, last - first), rows, out);
      first = last;
    }
    return out;
  }

  /// Rows × layers that ran, and what a full pass an item would have run: the engine's saving.
  struct work {
    double rows_run = 0;
    double rows_naive = 0;
  };
  [[nodiscard]] work const& done() const { return work_; }

 private:
  struct planned {
    std::size_t item;
    index from;  // first position that changes
  };

  [[nodiscard]] static index length(prompt_runs<B, Arch> const& base, sweep_item<B> const& item) {
    return std::ssize(base.prompts()[static_cast<std::size_t>(item.run)].tokens);
  }

  /// First position of the prompt that the item's change can reach; −1 where it changes nothing, or reaches no row that
  /// is read.
  [[nodiscard]] index reached_from(prompt_runs<B, Arch> const& base, sweep_item<B> const& item) {
    index const first = first_change(base, item);
    if (first < 0) return -1;
    key_range const rows =
        reach(model_.arch(), item.layer, first, item.first_row + item.rows - 1, length(base, item));
    auto const& queries = base.prompts()[static_cast<std::size_t>(item.run)].queries;
    bool const read = std::any_of(queries.begin(), queries.end(), [&](token_query const& q) {
      return q.row >= rows.first && q.row < rows.last;
    });
    return read ? rows.first : -1;
  }

  /// First position of the prompt whose value the item changes; −1 if none.
  [[nodiscard]] index first_change(prompt_runs<B, Arch> const& base, sweep_item<B> const& item) {
    index first = item.rows;
    for (index l = item.layer; l <= item.last_layer(); ++l) {
      const_view<B> const then = item.sources[static_cast<std::size_t>(l - item.layer)];
      fetch(base.site(l, item.run).row_range(item.first_row, item.rows).col_range(item.first_col, item.cols),
            now_);
      if (then.data)
        fetch(then, then_);
      else
        then_.assign(static_cast<std::size_t>(item.cols), 0);
      bool const one = !then.data || then.rows == 1;  // for all rows
      for (index i = 0; i < first; ++i)
        if (!std::equal(then_.begin() + (one ? 0 : i * item.cols),
                        then_.begin() + (one ? 1 : i + 1) * item.cols, now_.begin() + i * item.cols))
          first = i;
    }
    return first < item.rows ? item.first_row + first : -1;
  }
  static void fetch(const_view<B> from, std::vector<typename B::scalar>& to) {
    to.resize(static_cast<std::size_t>(from.size()));
    B::download(from, to.data());
  }

  void run_batch(prompt_runs<B, Arch> const& base, site_id site, std::span<sweep_item<B> const> items,
                 std::span<planned const> plan, index rows, std::vector<double>& out) {
    table_.clear();
    for (std::size_t s = 0; s < plan.size(); ++s)
      add_cells(site, items[plan[s].item], plan[s].from, static_cast<index>(s));
    hook_table<B> hooks;
    hooks.add(table_);
    forward_pass<B, Arch, hook_table<B>> pass(model_, hooks, ws_, pass_kind::forward);
    pass.begin({}, {});
    ws_.layer(0).resid_pre.resize(rows, model_.arch().width);  // room for every row that will join
    ws_.resid_last.resize(rows, model_.arch().width);

    readout_plan reads;
    std::size_t joined = 0;
    for (index l = items[plan[0].item].layer; l < model_.arch().layers; ++l) {
      std::size_t const before = joined;
      for (; joined < plan.size() && items[plan[joined].item].layer == l; ++joined)
        join(base, items[plan[joined].item], plan[joined], l, reads);
      if (joined != before) pass.place_rows();
      pass.layer(l);
      work_.rows_run += static_cast<double>(ws_.rows);
    }
    for (planned const& p : plan)
      work_.rows_naive += static_cast<double>(length(base, items[p.item]) * model_.arch().layers);
    pass.read(reads.rows);
    std::vector<double> const values = readout<B, Arch, hook_table<B>>(model_, hooks, ws_).values(reads);
    pass.end();
    for (std::size_t s = 0; s < plan.size(); ++s) out[plan[s].item] = values[s];
  }

  void add_cells(site_id site, sweep_item<B> const& item, index from, index segment) {
    index const skip =
        std::max<index>(0, from - item.first_row);  // rows before the first change stay as they are
    for (index l = item.layer; l <= item.last_layer(); ++l) {
      const_view<B> const source = item.sources[static_cast<std::size_t>(l - item.layer)];
      table_.add({site, l, segment, item.first_row + skip - from, item.rows - skip, item.first_col, item.cols,
                  source.data && source.rows > 1 ? source.row_range(skip, item.rows - skip) : source});
    }
  }

  /// Appends an item's rows: its residual before layer l, from the cache.
  void join(prompt_runs<B, Arch> const& base, sweep_item<B> const& item, planned const& p, index l,
            readout_plan& reads) {
    segment s{ws_.rows, length(base, item) - p.from, p.from, -1};
    if (p.from > 0) {
      auto const cache = base.cache(item.run);
      auto const found = std::find(ws_.prefixes.begin(), ws_.prefixes.end(), cache);
      s.prefix = found - ws_.prefixes.begin();
      if (found == ws_.prefixes.end()) ws_.prefixes.push_back(cache);
    }
    tensor<B>& resid = ws_.layer(l).resid_pre;
    resid.resize(s.row + s.rows, model_.arch().width);
    B::copy(base.resid(l, item.run).row_range(p.from, s.rows), resid.all().row_range(s.row, s.rows));
    for (token_query const& q : base.prompts()[static_cast<std::size_t>(item.run)].queries)
      reads.read(s.row + q.row - p.from, q, reads.examples);
    ++reads.examples;
    ws_.rows += s.rows;
    ws_.segments.push_back(s);
  }

  transformer<B, Arch> const& model_;
  workspace<B>& ws_;
  sweep_options options_;
  do_table<B> table_;
  std::vector<typename B::scalar> now_, then_;  // of one item, on the host
  work work_;
};

}  // namespace lancet
