// SPDX-License-Identifier: Apache-2.0
// frozen_text: what the frozen model makes of windows of text, computed once: how well it predicts them, and
// the residuals from which any number of interventions run. KL(P₀ ‖ P) compares predictions with the frozen
// model's.
#pragma once

#include "lancet/hooks/record.hpp"
#include "lancet/intervene/forward_from.hpp"

namespace lancet {

/// Predictions for rows of text compared with the frozen model's: the sum of KL(P₀ ‖ P) over the rows, and
/// what its gradient needs.
template <class B>
struct kl_terms {
  double sum = 0;
  tensor<B> p0;                       // [M, V]
  std::vector<double> base_lse, lse;  // of the rows of both logits
};

template <class B, class Arch = architecture>
class frozen_text {
 public:
  /// Keeps the residuals before `layers` (ascending). Windows of fewer than two tokens predict nothing and
  /// are left out.
  frozen_text(transformer<B, Arch> const& model, std::span<std::vector<token> const> windows,
              std::span<index const> layers)
      : model_(model), layers_(layers.begin(), layers.end()), resid_(layers.size()) {
    workspace<B> ws;
    record<B, site::resid_pre> recorder;
    hook_table<B> hooks;
    hooks.add(recorder);
    for (std::vector<token> const& window : windows) {
      if (window.size() < 2) continue;
      windows_.push_back(window);
      batch<B> input;
      input.add(window);
      forward(model_, input, hooks, ws);
      final_.push_back(tensor<B>::clone(ws.readout.features()));
      for (std::size_t n = 0; n < layers_.size(); ++n)
        resid_[n].push_back(tensor<B>::clone(recorder.template get<site::resid_pre>(layers_[n])));
    }
  }

  [[nodiscard]] index size() const { return std::ssize(windows_); }
  [[nodiscard]] std::vector<token> const& window(index w) const {
    return windows_[static_cast<std::size_t>(w)];
  }
  [[nodiscard]] const_view<B> residual(index w, std::size_t slot) const {
    return resid_[slot][static_cast<std::size_t>(w)];
  }

  /// Adds a window to a batch that will run from layers[slot]; every row is read.
  void add_to(frozen_batch<B>& input, index w, std::size_t slot) const {
    index const row = input.place(residual(w, slot));
    for (index i = 0; i < std::ssize(window(w)); ++i) input.plan.rows.push_back(row + i);
  }

  /// The frozen model's logits of some windows, all rows one after the other: [M, V]. Overwrites the
  /// workspace's readout.
  [[nodiscard]] tensor<B> base_logits(std::span<index const> chosen, workspace<B>& ws) const {
    index rows = 0, row = 0;
    for (index const w : chosen) rows += std::ssize(window(w));
    tensor<B>& x = ws.readout.features();
    x.resize(rows, model_.arch().width);
    for (index const w : chosen) {
      B::copy(final_[static_cast<std::size_t>(w)], x.all().row_range(row, std::ssize(window(w))));
      row += std::ssize(window(w));
    }
    ws.readout.rows.assign(static_cast<std::size_t>(rows), 0);
    hook_table<B> none;
    logits(model_, none, ws);
    return tensor<B>::clone(ws.readout.logits);
  }

 private:
  transformer<B, Arch> const& model_;
  std::vector<index> layers_;
  std::vector<std::vector<token>> windows_;
  std::vector<tensor<B>> final_;               // of each window, after the final norm: [T, D]
  std::vector<std::vector<tensor<B>>> resid_;  // [layers][windows]: [T, D]
};

/// Compares logits [M, V] with the frozen model's, row by row.
template <class B>
[[nodiscard]] kl_terms<B> kl_from(tensor<B> const& base, tensor<B> const& now) {
  index const m = base.rows();
  auto const rows = static_cast<std::size_t>(m);
  kl_terms<B> out{0, tensor<B>(m, base.cols()), std::vector<double>(rows), std::vector<double>(rows)};
  std::vector<double> const ones(rows, 1.0);
  ops::log_sum_exp<B>(base, out.base_lse);
  ops::log_sum_exp<B>(now, out.lse);
  ops::scaled_softmax<B>(base, out.base_lse, ones, out.p0.all());
  tensor<B> difference = tensor<B>::clone(base), dots(m, 1);  // [M, V], [M, 1]
  ops::axpy<B>(-1, now, difference.all());
  ops::row_dot<B>(out.p0, difference, dots.all());
  std::vector<typename B::scalar> host(rows);
  B::download(dots, host.data());
  for (std::size_t i = 0; i < rows; ++i)
    out.sum += static_cast<double>(host[i]) - out.base_lse[i] + out.lse[i];
  return out;
}

}  // namespace lancet
