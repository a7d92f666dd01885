// SPDX-License-Identifier: Apache-2.0
// Forward and backward, by backend: the gradient of −E[log P(next token)] with respect to the embeddings,
// weights frozen.
#include "support/figures.hpp"
#include "support/model.hpp"
#include "support/next_token.hpp"

namespace lancet_bench {
namespace {

template <class B>
void forward_backward(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  double const rows = static_cast<double>(state.range(0) * state.range(1));
  next_token_loss<B> loss(m, random_sequences(m.arch(), state.range(0), state.range(1) + 1), -1 / rows);
  lancet::gradients<B, lancet::site::embed> wanted(lancet::layer_span{0, 0});
  auto hooks = lancet::hooks(wanted);
  loss.run(hooks);
  measure<B>(state, [&] { benchmark::DoNotOptimize(loss.run(hooks)); });
  state.SetLabel(m.identity().name);
  count(state, "tokens", rows);
  count_operations<B>(state, 2 * rows * product_operations(m.arch()));
}

bool const registered = [] {
  for_each_backend([]<class B>() {
    add<B>("forward_backward", forward_backward<B>)->ArgNames({"sequences", "tokens"})->Args({8, 32});
  });
  return true;
}();

}  // namespace
}  // namespace lancet_bench
