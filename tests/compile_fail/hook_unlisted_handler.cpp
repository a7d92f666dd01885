// SPDX-License-Identifier: Apache-2.0
// A handler for a site that is not listed would never run.
// error: lancet: a hook policy handles a site that it does not list in `reads` or `edits`: the handler would never run
// error: chatty
// error: lancet::site::k
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct chatty {
  using edits = lancet::sites<lancet::site::q>;
  void on(lancet::site::q, lancet::view<B>, lancet::place const&) {}
  void on(lancet::site::k, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, chatty& policy) { table.add(policy); }
