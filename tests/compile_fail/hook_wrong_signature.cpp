// SPDX-License-Identifier: Apache-2.0
// At a linear site a handler takes the projection's input and output: one of another signature is not
// ignored.
// error: lancet: a hook policy lists a site in `edits` without a handler on(site, view, place) of the right signature
// error: one_sided
// error: lancet::site::linear
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hooks.hpp"

using B = lancet::backend::reference<float>;

struct one_sided {
  using edits = lancet::sites<lancet::site::linear<lancet::proj::o>>;
  void on(lancet::site::linear<lancet::proj::o>, lancet::view<B>, lancet::place const&) {}
};

void begins(one_sided& policy, lancet::pass_shape const& shape) { lancet::hooks(policy).begin<B>(shape); }
