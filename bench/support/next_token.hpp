// SPDX-License-Identifier: Apache-2.0
// weight·Σ log P(t_{i+1} | t_0 … t_i) over every next token of some sequences, with its gradient.
#pragma once

#include <span>
#include <vector>

#include "lancet/hooks/record.hpp"
#include "lancet/model/readout.hpp"

namespace lancet_bench {

using lancet::index;
using token_lists = std::vector<std::vector<lancet::token>>;

template <class B>
class next_token_loss {
 public:
  /// The last token of each sequence is a target only.
  next_token_loss(lancet::transformer<B> const& model, token_lists const& sequences, double weight)
      : model_(model), weight_(weight) {
    plan_.examples = 1;
    for (std::vector<lancet::token> const& sequence : sequences) {
      for (std::size_t i = 1; i < sequence.size(); ++i) {
        plan_.queries.push_back({std::ssize(plan_.rows), sequence[i], 1.0, 0});
        plan_.rows.push_back(std::ssize(plan_.rows));
      }
      input_.add(std::span(sequence).first(sequence.size() - 1));
    }
  }

  /// The loss; its gradient runs down to the lowest layer that `hooks` ask for.
  template <class H>
  double run(H& hooks) {
    lancet::forward(model_, input_, hooks, ws_, std::span<index const>(plan_.rows),
                    lancet::pass_kind::record);
    lancet::readout<B, lancet::architecture, H> reader(model_, hooks, ws_);
    double const loss = weight_ * reader.values(plan_)[0];
    reader.gradient(plan_, std::span(&weight_, 1), g_final_);
    lancet::backward(model_, hooks, ws_, g_final_);
    return loss;
  }

  [[nodiscard]] index rows() const { return input_.rows(); }

 private:
  lancet::transformer<B> const& model_;
  double weight_;
  lancet::batch<B> input_;
  lancet::readout_plan plan_;
  lancet::workspace<B> ws_;
  lancet::tensor<B> g_final_;
};

}  // namespace lancet_bench
