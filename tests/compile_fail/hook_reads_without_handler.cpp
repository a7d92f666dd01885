// SPDX-License-Identifier: Apache-2.0
// What is read comes as a const view: a handler that wants to change it does not fit `reads`.
// error: lancet: a hook policy lists a site in `reads` without a handler on(site, const_view, place) of the right
// error: grasping
// error: lancet::site::resid_mid
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

using B = lancet::backend::reference<float>;

struct grasping {
  using reads = lancet::sites<lancet::site::resid_mid>;
  void on(lancet::site::resid_mid, lancet::view<B>, lancet::place const&) {}
};

void adds(lancet::hook_table<B>& table, grasping& policy) { table.add(policy); }
