// SPDX-License-Identifier: Apache-2.0
// The pass whose machine code is compared: with no hooks, or with one policy (ONE_HOOK), under the same type
// names.
#include "lancet/backend/reference.hpp"
#include "lancet/model/run.hpp"

using B = lancet::backend::reference<float>;

/// Doubles the neurons.
struct policy {
  using edits = lancet::sites<lancet::site::mlp_post>;
  void on(lancet::site::mlp_post, lancet::view<B> v, lancet::place const&) { lancet::ops::scale<B>(2, v); }
  void adjoint(lancet::site::mlp_post, lancet::view<B> g, lancet::place const&) {
    lancet::ops::scale<B>(2, g);
  }
};

#ifdef ONE_HOOK
struct hook_source : lancet::hook_set<policy> {
  using lancet::hook_set<policy>::hook_set;
};
#else
struct hook_source : lancet::hook_set<> {};
#endif

template class lancet::forward_pass<B, lancet::architecture, hook_source>;
template class lancet::backward_pass<B, lancet::architecture, hook_source>;
