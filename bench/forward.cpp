// SPDX-License-Identifier: Apache-2.0
// Forward passes with all logits, by product policy and backend: sequences × tokens.
#include "lancet/model/run.hpp"
#include "support/figures.hpp"
#include "support/model.hpp"

namespace lancet_bench {
namespace {

template <class B>
void forward(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  lancet::batch<B> const input = random_batch<B>(m.arch(), state.range(0), state.range(1));
  lancet::workspace<B> ws;
  auto const once = [&] {
    lancet::forward(m, input, lancet::hooks(), ws);
    lancet::logits(m, lancet::hooks(), ws);
  };
  once();
  measure<B>(state, once);
  double const rows = static_cast<double>(input.rows());
  state.SetLabel(m.identity().name);
  count(state, "tokens", rows);
  count_operations<B>(state, rows * product_operations(m.arch()));
}

template <class B>
void add_forward(std::string const& product) {
  add<B>("forward/" + product, forward<B>)->ArgNames({"sequences", "tokens"})->Args({8, 128})->Args({1, 14});
}

bool const registered = [] {
  for_each_product([]<class B>(char const* product) { add_forward<B>(product); });
  return true;
}();

}  // namespace
}  // namespace lancet_bench
