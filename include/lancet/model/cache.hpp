// SPDX-License-Identifier: Apache-2.0
// Key/value caches: making one with room for a whole sequence, and extending it run by run of tokens.
#pragma once

#include <algorithm>
#include <optional>

#include "lancet/model/forward.hpp"

namespace lancet {

/// An empty cache of a model with architecture `arch`. Its memory is taken here, once: extending never moves
/// it. Throws usage_error unless 1 <= capacity <= the model's context.
template <class B, class Arch>
[[nodiscard]] std::shared_ptr<kv_cache<B>> make_cache(Arch const& arch, index capacity) {
  if (capacity < 1 || capacity > arch.context)
    fail_expected("make_cache", "a capacity of " + std::to_string(capacity) + " positions",
                  "1 to the model's context of " + std::to_string(arch.context));
  index const columns = sizes<Arch>(arch).kv;
  auto cache = std::make_shared<kv_cache<B>>();
  for (index l = 0; l < arch.layers; ++l)
    cache->layers.push_back({tensor<B>(capacity, columns), tensor<B>(capacity, columns)});
  return cache;
}

/// How many positions a cache has room for.
template <class B>
[[nodiscard]] index capacity(kv_cache<B> const& cache) {
  return cache.layers.empty() ? 0 : cache.layers.front().keys.rows();
}

/// Tokens that follow what is cached of their sequence.
template <class B>
struct continuation {
  std::shared_ptr<kv_cache<B>> cache;
  std::span<token const> run;
};

/// A forward pass over the runs, run i as segment i, that appends each run's keys and values to its cache:
/// those that attention used, after every hook. Reads `rows` of the batch; without them each run's last row,
/// in order. Throws usage_error, and leaves every cache as it was, where a run does not fit into its cache,
/// two runs continue the same one, or the pass itself throws.
template <class B, class Arch, class H>
void extend(transformer<B, Arch> const& model, std::span<continuation<B> const> runs, H&& hooks,
            workspace<B>& ws, std::optional<std::span<index const>> rows = {}) {
  batch<B> input;
  std::vector<index> last;
  for (continuation<B> const& c : runs) {
    kv_cache<B> const& cache = *c.cache;
    if (cache.length + std::ssize(c.run) > capacity(cache))
      fail_expected(
          "extend",
          std::to_string(cache.length) + " cached positions and " + std::to_string(c.run.size()) + " more",
          "at most the cache's capacity of " + std::to_string(capacity(cache)));
    if (std::any_of(runs.data(), &c, [&](continuation<B> const& other) { return other.cache == c.cache; }))
      throw usage_error("extend: two runs continue the same cache, expected each in a batch of its own");
    input.add(c.run, c.cache, cache.length);
    last.push_back(input.rows() - 1);
  }
  forward_pass<B, Arch, std::remove_cvref_t<H>> pass(model, hooks, ws, pass_kind::forward);
  pass.begin(input.segments, input.prefixes);
  pass.embed(input.tokens);
  sizes<Arch> const n(model.arch());
  for (index l = 0; l < model.arch().layers; ++l) {
    pass.layer(l);
    const_view<B> const qkv = ws.layer(l).qkv;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      segment const& s = input.segments[i];
      auto& to =
          runs[i].cache->layers[static_cast<std::size_t>(l)];  // rows from `length` on: nobody reads them yet
      const_view<B> const from = qkv.row_range(s.row, s.rows);
      B::copy(from.col_range(n.q, n.kv), to.keys.all().row_range(s.first_position, s.rows));
      B::copy(from.col_range(n.q + n.kv, n.kv), to.values.all().row_range(s.first_position, s.rows));
    }
  }
  pass.read(rows.value_or(last));
  pass.end();
  for (continuation<B> const& c : runs) c.cache->length += std::ssize(c.run);
}

}  // namespace lancet
