// SPDX-License-Identifier: Apache-2.0
// A policy that lists a site must handle it.
// error: lancet: a hook policy lists a site in `edits` without a handler on(site, view, place) of the right signature
// error: forgetful
// error: lancet::site::z
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct forgetful {
  using edits = lancet::sites<lancet::site::q, lancet::site::z>;
  void on(lancet::site::q, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, forgetful& policy) { table.add(policy); }
