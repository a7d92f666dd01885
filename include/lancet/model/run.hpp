// SPDX-License-Identifier: Apache-2.0
// Whole passes in one call: forward over a batch, backward from a gradient of what was read.
#pragma once

#include <numeric>
#include <optional>

#include "lancet/model/backward.hpp"

namespace lancet {

/// Runs all layers of `input` under `hooks` and the final norm of the rows to read (every row by default).
/// Afterwards ws.readout.features() is [M, D]; `logits` continues from there. With `kind == record` a backward
/// pass may follow. Throws usage_error for a token or position the model does not have, or a hook's target
/// that does not exist.
template <class B, class Arch, class H>
void forward(transformer<B, Arch> const& model, batch<B> const& input, H&& hooks, workspace<B>& ws,
             std::optional<std::span<index const>> rows = {}, pass_kind kind = pass_kind::forward) {
  forward_pass<B, Arch, std::remove_cvref_t<H>> pass(model, hooks, ws, kind);
  pass.begin(input.segments, input.prefixes);
  pass.embed(input.tokens, input.types);
  for (index l = 0; l < model.arch().layers; ++l) pass.layer(l);
  if (rows) {
    pass.read(*rows);
  } else {
    std::vector<index> all(static_cast<std::size_t>(ws.rows));
    std::iota(all.begin(), all.end(), index{0});
    pass.read(all);
  }
  pass.end();
}

/// Logits [M, C] of the rows that the last forward pass read: ws.readout.logits.
template <class B, class Arch, class H>
void logits(transformer<B, Arch> const& model, H&& hooks, workspace<B>& ws) {
  forward_pass<B, Arch, std::remove_cvref_t<H>>(model, hooks, ws, ws.kind).logits();
}

/// Backward from the gradient of the rows read, g_final [M, D] (changed), down to the lowest layer that a
/// hook needs. Must follow a forward pass with pass_kind::record over the same hooks.
template <class B, class Arch, class H>
void backward(transformer<B, Arch> const& model, H&& hooks, workspace<B>& ws, tensor<B>& g_final) {
  backward_pass<B, Arch, std::remove_cvref_t<H>> pass(model, hooks, ws);
  pass.read(g_final);
  for (index l = model.arch().layers - 1; l >= ws.first_kept; --l) pass.layer(l);
  if (ws.first_kept == 0) pass.embed();
  pass.end();
}

}  // namespace lancet
