// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of chosen tokens at chosen rows, as linear functions with their gradient.
//
// A query is coefficient·log P(token | row), or a KL divergence from a given prediction. Where the
// coefficients of a row add up to zero (a log-odds of two tokens) the normaliser cancels, and only those
// tokens' rows of the unembedding are read: exact, and a fraction of the cost.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>

#include "lancet/model/run.hpp"
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

template <class B, class Arch, class H>
class readout {
  using T = typename B::scalar;

 public:
  readout(transformer<B, Arch> const& model, H& hooks, workspace<B>& ws)
      : model_(model), hooks_(hooks), ws_(ws) {}

  /// Σ coefficient·log P of each example, in double. Needs a pass that read plan.rows.
  [[nodiscard]] std::vector<double> values(readout_plan const& plan) {
    for (token_query const& q : plan.queries)
      if (!q.against && (q.id < 0 || q.id >= model_.arch().vocabulary))
        fail_expected("readout", "token id " + std::to_string(q.id),
                      "an id below the vocabulary's size " + std::to_string(model_.arch().vocabulary));
    std::vector<double> out(static_cast<std::size_t>(plan.examples), 0.0);
    if (sparse(plan)) {
      gather(plan);
      for (token_query const& q : plan.queries)
        out[static_cast<std::size_t>(q.example)] += q.coefficient * dot_[slot(q)];
    } else {
      make_logits(plan);
      for (token_query const& q : plan.queries) {
        double const log_p = logit(q) - lse_[static_cast<std::size_t>(q.row)];  // against: Σ p·log P
        out[static_cast<std::size_t>(q.example)] +=
            q.coefficient * (q.against ? q.against->negative_entropy - log_p : log_p);
      }
    }
    return out;
  }

  /// g_final [M, D] = Σ_e weight[e]·∂value[e]/∂(rows read), right after `values` of the same plan.
  void gradient(readout_plan const& plan, std::span<double const> weights, tensor<B>& g_final) {
    index const m = std::ssize(plan.rows), d = model_.arch().width;
    g_final.resize(m, d);
    ops::fill<B>(g_final.all(), 0);
    if (!sparse(plan)) {
      std::vector<double> total(static_cast<std::size_t>(m), 0.0);
      for (token_query const& q : plan.queries)
        total[static_cast<std::size_t>(q.row)] -=
            weights[static_cast<std::size_t>(q.example)] * (q.against ? -q.coefficient : q.coefficient);
      g_logits_.resize(m, model_.arch().vocabulary);
      ops::scaled_softmax<B>(ws_.readout.logits, lse_, total, g_logits_.all());
      add_at_tokens(plan, weights, g_logits_);
      backward_pass<B, Arch, H>(model_, hooks_, ws_).logits(g_logits_, g_final);
      return;
    }
    gather(plan);
    for (token_query const& q : plan.queries)
      ops::axpy<B>(static_cast<T>(weights[static_cast<std::size_t>(q.example)] * q.coefficient),
                   rows_.all().row_range(position_.at(q.id), 1), g_final.all().row_range(q.row, 1));
  }

  /// The log-sum-exp of each row read, after `values` of a plan that needed it.
  [[nodiscard]] std::span<double const> normalisers() const { return lse_; }

 private:
  [[nodiscard]] bool sparse(readout_plan const& plan) const {
    if constexpr (listened<H, site::logits>)
      if (hooks_.template wants<site::logits>(model_.arch().layers)) return false;
    std::map<index, double> sums;
    for (token_query const& q : plan.queries) {
      if (q.against) return false;
      sums[q.row] += q.coefficient;
    }
    for (auto const& [row, sum] : sums)
      if (sum != 0) return false;
    return true;
  }

  [[nodiscard]] std::size_t slot(token_query const& q) const {
    return static_cast<std::size_t>(&q - first_query_);
  }

  /// Rows of the unembedding that the plan reads, and each query's logit.
  void gather(readout_plan const& plan) {
    first_query_ = plan.queries.data();
    std::vector<index> ids;
    position_.clear();
    for (token_query const& q : plan.queries)
      if (position_.emplace(q.id, std::ssize(ids)).second) ids.push_back(q.id);
    index const n = std::ssize(plan.queries), d = model_.arch().width;
    rows_.resize(std::ssize(ids), d);
    model_.weights().unembed().gather(ids, rows_.all());  // [tokens, D]
    std::vector<index> left, right;
    for (token_query const& q : plan.queries) {
      left.push_back(q.row);
      right.push_back(position_.at(q.id));
    }
    x_.resize(n, d);
    w_.resize(n, d);
    products_.resize(n, 1);
    ops::gather_rows<B>(ws_.readout.norm.out, left, x_.all());
    ops::gather_rows<B>(rows_, right, w_.all());
    ops::row_dot<B>(x_, w_, products_.all());
    std::vector<T> host(static_cast<std::size_t>(n));
    B::download(products_, host.data());
    dot_.assign(host.begin(), host.end());
  }

  void make_logits(readout_plan const& plan) {
    first_query_ = plan.queries.data();
    logits(model_, hooks_, ws_);
    lse_.resize(plan.rows.size());
    ops::log_sum_exp<B>(ws_.readout.logits, lse_);
    dot_.resize(plan.queries.size());
    T value;
    for (token_query const& q : plan.queries) {
      if (q.against) {
        products_.resize(1, 1);
        ops::row_dot<B>(ws_.readout.logits.all().row_range(q.row, 1), on_device(*q.against), products_.all());
        B::download(products_, &value);
        dot_[slot(q)] = static_cast<double>(value);
        continue;
      }
      B::download(ws_.readout.logits.all().row_range(q.row, 1).col_range(q.id, 1), &value);
      dot_[slot(q)] = static_cast<double>(value);
    }
  }
  [[nodiscard]] double logit(token_query const& q) const { return dot_[slot(q)]; }

  void add_at_tokens(readout_plan const& plan, std::span<double const> weights, tensor<B>& g) {
    tensor<B> one(1, 1);
    for (token_query const& q : plan.queries) {
      T const value = static_cast<T>(weights[static_cast<std::size_t>(q.example)] * q.coefficient);
      if (q.against) {
        ops::axpy<B>(-value, on_device(*q.against), g.all().row_range(q.row, 1));
        continue;
      }
      B::upload(&value, one.all());
      ops::axpy<B>(1, one, g.all().row_range(q.row, 1).col_range(q.id, 1));
    }
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
  tensor<B> rows_, x_, w_, products_, g_logits_, against_;
  std::vector<double> dot_, lse_;
};

}  // namespace lancet
