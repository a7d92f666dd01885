// SPDX-License-Identifier: Apache-2.0
// A model on a type that is no tensor backend.
// error: lancet::transformer<B>: B lacks something that every tensor backend must provide
// error: half_a_backend
#include "lancet/backend/host/memory.hpp"
#include "lancet/model/transformer.hpp"

struct half_a_backend : lancet::host::memory<half_a_backend, float> {
  using overrides = lancet::op_list<>;
  using weight = int;
  static void copy() {}  // hides the copy between views
};

lancet::transformer<half_a_backend> const& model();
auto const& arch = model().arch();
