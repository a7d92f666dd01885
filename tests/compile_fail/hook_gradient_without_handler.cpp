// SPDX-License-Identifier: Apache-2.0
// A policy that lists a gradient must handle it, without changing it.
// error: lancet: a hook policy lists a site in `reads_gradient` without a handler adjoint(site, const_view, place)
// error: attributes
// error: lancet::site::mlp_post
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct attributes {
  using reads_gradient = lancet::sites<lancet::site::mlp_post>;
  void adjoint(lancet::site::mlp_post, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, attributes& policy) { table.add(policy); }
