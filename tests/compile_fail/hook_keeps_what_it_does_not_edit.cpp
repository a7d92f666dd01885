// SPDX-License-Identifier: Apache-2.0
// Only a site that is changed has a value from before the change.
// error: lancet: a hook policy may keep only a site that it edits
// error: hoarder
// error: lancet::site::pattern
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct hoarder {
  using edits = lancet::sites<lancet::site::z>;
  using keeps = lancet::sites<lancet::site::pattern>;
  void on(lancet::site::z, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, hoarder& policy) { table.add(policy); }
