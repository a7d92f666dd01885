// SPDX-License-Identifier: Apache-2.0
// The training that is measured: rank-4 adapters on o_proj and down_proj of layers 10 to 19, AdamW, the
// objective E[log P(sequence)] minimised over all next tokens.
#pragma once

#include "lancet/intervene/train.hpp"
#include "next_token.hpp"

namespace lancet_bench {

inline constexpr double learning_rate = 1e-4;
inline constexpr index lowest_adapter = 10;

template <class B>
[[nodiscard]] lancet::intervention<B> make_adapters(lancet::transformer<B> const& model) {
  lancet::circuit where;
  where.model = model.identity();
  for (index l = lowest_adapter; l < lowest_adapter + 10; ++l) {
    where.units.push_back({lancet::unit_kind::attn, l, 0, -1});
    where.units.push_back({lancet::unit_kind::mlp, l, 0, -1});
  }
  return lancet::make_intervention<B>(lancet::circuit_breaker{.rank = 4}, model.arch(), model.identity(),
                                      where, 1);
}

/// A step that runs every layer forward, as a general training loop does.
template <class B>
class whole_training {
 public:
  whole_training(lancet::transformer<B> const& model, token_lists const& sequences)
      : adapters_(make_adapters(model)),
        loss_(model, sequences, 1.0 / static_cast<double>(sequences.size())),
        parameters_(adapters_.tensors()),
        optimizer_({.learning_rate = learning_rate}, parameters_.spans()) {
    adapters_.hook(hooks_);
  }

  double step() {
    adapters_.zero_gradients();
    double const loss = loss_.run(hooks_);
    parameters_.fetch();
    optimizer_.step(parameters_.spans());
    parameters_.store();
    return loss;
  }
  [[nodiscard]] lancet::intervention<B>& adapters() { return adapters_; }

 private:
  lancet::intervention<B> adapters_;
  next_token_loss<B> loss_;
  lancet::hook_table<B> hooks_;
  lancet::host_parameters<B> parameters_;
  lancet::optimizer<typename B::scalar> optimizer_;
};

/// A step of lancet's trainer, which starts at the lowest trained layer, from residuals that it keeps.
template <class B>
class resumed_training {
 public:
  resumed_training(lancet::transformer<B> const& model, token_lists const& sequences)
      : adapters_(make_adapters(model)), trainer_(model, adapters_, data(sequences), options()) {}

  double step() { return trainer_.step().loss; }
  [[nodiscard]] lancet::intervention<B>& adapters() { return adapters_; }

 private:
  [[nodiscard]] static lancet::training_data data(token_lists const& sequences) {
    lancet::training_data out;
    for (std::vector<lancet::token> const& s : sequences) {
      lancet::contrast_pair pair;
      pair.clean = {s.front()};
      pair.answer.assign(s.begin() + 1, s.end());
      out.harm.push_back(std::move(pair));
    }
    return out;
  }
  [[nodiscard]] static lancet::training_options options() {
    lancet::training_options out{.objective = lancet::harm_log_likelihood{}};
    out.schedule = {.shape = lancet::decay_shape::constant, .peak = learning_rate};
    return out;
  }

  lancet::intervention<B> adapters_;
  lancet::trainer<B> trainer_;
};

}  // namespace lancet_bench
