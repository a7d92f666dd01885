// SPDX-License-Identifier: Apache-2.0
// Exact activation patching of every head on a pair of 14-token prompts that differ at position 1, and the
// naive loop: one full forward pass a head; by backend.
#include "support/figures.hpp"
#include "support/model.hpp"
#include "support/patching.hpp"

namespace lancet_bench {
namespace {

[[nodiscard]] lancet::contrast_pair pair_of(lancet::architecture const& a) {
  std::vector<lancet::token> const t = random_tokens(17, a.vocabulary, "pair");
  lancet::contrast_pair pair;
  pair.clean.assign(t.begin(), t.begin() + 14);
  pair.corrupted = pair.clean;
  pair.corrupted[1] = t[14];
  pair.answer = {t[15]};
  pair.contrast = {t[16]};
  return pair;
}

/// Work that is counted: the products of the layers behind the patched one, for the rows from the difference
/// on.
template <class B>
void every_head(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  lancet::architecture const& a = m.arch();
  lancet::contrast_pair const pair = pair_of(a);
  measure<B>(state, [&] { benchmark::DoNotOptimize(patch_every_head(m, pair)); });
  state.SetLabel(m.identity().name);
  count(state, "heads", static_cast<double>(a.layers * a.heads));
  index const rows = std::ssize(pair.clean) - 1, layers_behind = a.layers * (a.layers - 1) / 2;
  count_operations<B>(state, static_cast<double>(a.heads * rows * layers_behind) * layer_operations(a));
}

/// The heads of the middle layer, one full pass each: its rate is that of any other layer's.
template <class B>
void naive_loop(benchmark::State& state) {
  lancet::transformer<B> const& m = model<B>();
  lancet::architecture const& a = m.arch();
  lancet::contrast_pair const pair = pair_of(a);
  index const rows = std::ssize(pair.clean), layer = a.layers / 2;
  lancet::workspace<B> ws;
  lancet::batch<B> clean, corrupted;
  clean.add(pair.clean);
  corrupted.add(pair.corrupted);
  lancet::record<B, lancet::site::z> source(lancet::layer_span{layer, layer});
  lancet::forward(m, clean, lancet::hooks(source), ws);
  lancet::do_table<B> change;
  auto hooks = lancet::hooks(change);
  measure<B>(state, [&] {
    for (index h = 0; h < a.heads; ++h) {
      change.clear();
      change.add({lancet::site_id::z, layer, 0, 0, rows, h * a.head_dim, a.head_dim,
                  source.template get<lancet::site::z>(layer).col_range(h * a.head_dim, a.head_dim)});
      lancet::forward(m, corrupted, hooks, ws);
      lancet::logits(m, hooks, ws);
    }
  });
  state.SetLabel(m.identity().name);
  count(state, "heads", static_cast<double>(a.heads));
  count_operations<B>(state, static_cast<double>(a.heads * rows) * product_operations(a));
}

bool const registered = [] {
  for_each_backend([]<class B>() {
    add<B>("every_head", every_head<B>);
    add<B>("naive_loop", naive_loop<B>);
  });
  return true;
}();

}  // namespace
}  // namespace lancet_bench
