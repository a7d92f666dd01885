// SPDX-License-Identifier: Apache-2.0
// One list a site: read or changed, not both.
// error: lancet: a hook policy lists a site in both reads and edits
// error: undecided
// error: lancet::site::logits
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct undecided {
  using reads = lancet::sites<lancet::site::logits>;
  using edits = lancet::sites<lancet::site::logits>;
  void on(lancet::site::logits, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, undecided& policy) { table.add(policy); }
