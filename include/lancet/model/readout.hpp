// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of chosen tokens at chosen rows, as linear functions with their gradient.
//
// A query is coefficient·log P(token | row), or a KL divergence from a given prediction. Where the
// coefficients of a row add up to zero (a log-odds of two tokens) the normaliser cancels, and only those
// tokens' rows of the unembedding are read: exact, and a fraction of the cost.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>

#include "lancet/model/run.hpp"
#include "lancet/ops/elements.hpp"
#include "lancet/ops/softmax.hpp"

namespace lancet {

/// A distribution over next tokens to compare with, on the host.
struct prediction {
  std::vector<double> p;
  double negative_entropy = 0;  ///< Σ p·log p
};

/// coefficient·log P(id | the tokens up to `row`), or with `against` coefficient·KL(against ‖ P(· | …)),
/// added to example `example`. `row` counts the rows read, not the batch's.
struct token_query {
  index row;
  token id;
  double coefficient;
  index example;
  std::shared_ptr<prediction const> against = nullptr;
};

/// What to read of a pass: rows of the batch, and queries over them.
struct readout_plan {
  std::vector<index> rows;
  std::vector<token_query> queries;
  index examples = 0;

  /// Adds a query of the batch's row `row` to `example`. Queries of one row share it, so that coefficients
  /// that add up to zero are seen to.
  void read(index row, token_query q, index example) {
    auto const found = std::find(rows.rbegin(), rows.rend(), row);
    auto const at = found == rows.rend() ? std::ssize(rows) : rows.rend() - found - 1;
    if (found == rows.rend()) rows.push_back(row);
    q.row = at;
    q.example = example;
    queries.push_back(std::move(q));
  }

  void clear() {
    rows.clear();
    queries.clear();
    examples = 0;
  }
};

/// Throws usage_error, in the name of `who`, for a classifier of whose labels not exactly one holds.
template <class Arch>
void require_exclusive_labels(Arch const& arch, char const* who) {
  if (arch.labels_are == label_kind::exclusive && arch.labels > 1) return;
  fail_expected(who,
                arch.labels_are == label_kind::independent ? "independent labels"
                : arch.labels_are == label_kind::numbers   ? "a regression, whose outputs are no labels"
                                                           : "a classifier with one label",
                "labels of which one holds");
}

template <class B, class Arch, class H>
class readout {
  using T = typename B::scalar;

 public:
  readout(transformer<B, Arch> const& model, H& hooks, workspace<B>& ws)
      : model_(model), hooks_(hooks), ws_(ws) {}

  /// Σ coefficient·log P of each example, in double. Needs a pass that read plan.rows. Throws usage_error for a
  /// classifier whose outputs are not one distribution.
  [[nodiscard]] std::vector<double> values(readout_plan const& plan) {
    if (model_.arch().labels > 0) require_exclusive_labels(model_.arch(), "readout");
    for (token_query const& q : plan.queries)
      if (!q.against && (q.id < 0 || q.id >= outputs()))
        fail_expected("readout", "output " + std::to_string(q.id),
                      "one below the model's " + std::to_string(outputs()));
    std::vector<double> out(static_cast<std::size_t>(plan.examples), 0.0);
    read(plan);
    for (token_query const& q : plan.queries) {
      double value = dot_[slot(q)];  // a logit; against a prediction Σ p·logit
      if (!sparse(q)) value -= lse_[static_cast<std::size_t>(q.row)];
      if (q.against) value = q.against->negative_entropy - value;
      out[static_cast<std::size_t>(q.example)] += q.coefficient * value;
    }
    return out;
  }

  /// g_final [M, D] = Σ_e weight[e]·∂value[e]/∂(rows read), right after `values` of the same plan.
  void gradient(readout_plan const& plan, std::span<double const> weights, tensor<B>& g_final) {
    index const m = std::ssize(plan.rows), d = model_.arch().width;
    g_final.resize(m, d);
    ops::fill<B>(g_final.all(), 0);
    if (any_dense_) {
      std::vector<double> total(static_cast<std::size_t>(m), 0.0);
      for (token_query const& q : plan.queries)
        if (!sparse(q))
          total[static_cast<std::size_t>(q.row)] -=
              weights[static_cast<std::size_t>(q.example)] * (q.against ? -q.coefficient : q.coefficient);
      g_logits_.resize(m, outputs());
      ops::scaled_softmax<B>(ws_.readout.logits, lse_, total, g_logits_.all());
      add_at_tokens(plan, weights, g_logits_);
      backward_pass<B, Arch, H>(model_, hooks_, ws_).logits(g_logits_, g_final);
    }
    for (token_query const& q : plan.queries)
      if (sparse(q))
        ops::axpy<B>(
            static_cast<T>(weights[static_cast<std::size_t>(q.example)] * q.coefficient * slope_[slot(q)]),
            rows_.all().row_range(position_.at(q.id), 1), g_final.all().row_range(q.row, 1));
  }

 private:
  [[nodiscard]] index outputs() const { return sizes<Arch>(model_.arch()).outputs; }
  [[nodiscard]] bool sparse(token_query const& q) const {
    return sparse_rows_[static_cast<std::size_t>(q.row)];
  }

  /// Each query's logit, and the log-sum-exp of the rows that need one. Row by row, so that what else is read
  /// changes nothing.
  void read(readout_plan const& plan) {
    first_query_ = plan.queries.data();
    dot_.resize(plan.queries.size());
    slope_.resize(plan.queries.size());
    std::vector<double> sums(plan.rows.size(), 0.0);
    for (token_query const& q : plan.queries)
      sums[static_cast<std::size_t>(q.row)] +=
          q.against ? std::numeric_limits<double>::infinity() : q.coefficient;
    bool all_dense = false;
    if constexpr (listened<H, site::logits>)
      all_dense = hooks_.template wants<site::logits>(model_.arch().layers);
    sparse_rows_.resize(sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) sparse_rows_[i] = !all_dense && sums[i] == 0;
    any_dense_ = std::any_of(plan.queries.begin(), plan.queries.end(),
                             [&](token_query const& q) { return !sparse(q); });
    gather(plan);
    if (any_dense_) make_logits(plan);
  }

  [[nodiscard]] std::size_t slot(token_query const& q) const {
    return static_cast<std::size_t>(&q - first_query_);
  }

  /// Of sparse rows: their tokens' rows of the unembedding, and each query's logit.
  void gather(readout_plan const& plan) {
    std::vector<index> ids, left, right;
    position_.clear();
    for (token_query const& q : plan.queries) {
      if (!sparse(q)) continue;
      auto const [at, fresh] = position_.emplace(q.id, std::ssize(ids));
      if (fresh) ids.push_back(q.id);
      left.push_back(q.row);
      right.push_back(at->second);
    }
    if (ids.empty()) return;
    index const n = std::ssize(left), d = model_.arch().width;
    rows_.resize(std::ssize(ids), d);
    model_.weights().unembed().gather(ids, rows_.all());  // [tokens, D]
    x_.resize(n, d);
    w_.resize(n, d);
    products_.resize(n, 1);
    ops::gather_rows<B>(ws_.readout.features(), left, x_.all());
    ops::gather_rows<B>(rows_, right, w_.all());
    ops::row_dot<B>(x_, w_, products_.all());
    if (tensor<B> const& bias = model_.weights().unembedding_bias; !bias.empty()) {
      tokens_.clear();
      for (token_query const& q : plan.queries)
        if (sparse(q)) tokens_.push_back({0, q.id});
      biases_.resize(n, 1);
      ops::gather_elements<B>(bias, tokens_, biases_.all());
      ops::axpy<B>(1, biases_, products_.all());
    }
    std::vector<T> host(static_cast<std::size_t>(n));
    B::download(products_, host.data());
    auto next = host.begin();
    for (token_query const& q : plan.queries)
      if (sparse(q)) {
        auto const c = ops::cap_score(static_cast<double>(*next++), model_.arch().logit_cap);
        dot_[slot(q)] = c.value;
        slope_[slot(q)] = c.slope;
      }
  }

  void make_logits(readout_plan const& plan) {
    logits(model_, hooks_, ws_);
    lse_.resize(plan.rows.size());
    ops::log_sum_exp<B>(ws_.readout.logits, lse_);
    find_tokens(plan);
    std::vector<T> read(tokens_.size());
    products_.resize(std::ssize(tokens_), 1);
    ops::gather_elements<B>(ws_.readout.logits, tokens_, products_.all());
    B::download(products_, read.data());
    auto next = read.begin();
    for (token_query const& q : plan.queries) {
      if (sparse(q)) continue;
      if (q.against) {
        T value;
        products_.resize(1, 1);
        ops::row_dot<B>(ws_.readout.logits.all().row_range(q.row, 1), on_device(*q.against), products_.all());
        B::download(products_, &value);
        dot_[slot(q)] = static_cast<double>(value);
      } else {
        dot_[slot(q)] = static_cast<double>(*next++);
      }
    }
  }

  /// tokens_: the logits that dense queries of tokens name, in their order.
  void find_tokens(readout_plan const& plan) {
    tokens_.clear();
    for (token_query const& q : plan.queries)
      if (!sparse(q) && !q.against) tokens_.push_back({q.row, q.id});
  }

  void add_at_tokens(readout_plan const& plan, std::span<double const> weights, tensor<B>& g) {
    std::vector<T> values;
    for (token_query const& q : plan.queries) {
      if (sparse(q)) continue;
      T const value = static_cast<T>(weights[static_cast<std::size_t>(q.example)] * q.coefficient);
      if (q.against)
        ops::axpy<B>(-value, on_device(*q.against), g.all().row_range(q.row, 1));
      else
        values.push_back(value);
    }
    products_.resize(std::ssize(values), 1);
    B::upload(values.data(), products_.all());
    ops::scatter_add_elements<B>(products_, tokens_, g.all());
  }

  /// p as [1, V].
  [[nodiscard]] const_view<B> on_device(prediction const& of) {
    std::vector<T> const host(of.p.begin(), of.p.end());
    against_.resize(1, std::ssize(host));
    B::upload(host.data(), against_.all());
    return against_;
  }

  transformer<B, Arch> const& model_;
  H& hooks_;
  workspace<B>& ws_;
  token_query const* first_query_ = nullptr;
  std::map<token, index> position_;
  tensor<B> rows_, x_, w_, products_, biases_, g_logits_, against_;
  std::vector<ops::element> tokens_;
  std::vector<double> dot_, slope_, lse_;  // slope: of the logits' cap
  std::vector<bool> sparse_rows_;
  bool any_dense_ = false;
};

}  // namespace lancet
