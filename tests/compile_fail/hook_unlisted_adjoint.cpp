// SPDX-License-Identifier: Apache-2.0
// An adjoint for a site that is not listed would never run.
// error: lancet: a hook policy has an adjoint for a site that it does not list in `edits` or `reads_gradient`
// error: hopeful
// error: lancet::site::v
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct hopeful {
  using reads = lancet::sites<lancet::site::v>;
  void on(lancet::site::v, lancet::const_view<B>, lancet::place const&) {}
  void adjoint(lancet::site::v, lancet::const_view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, hopeful& policy) { table.add(policy); }
