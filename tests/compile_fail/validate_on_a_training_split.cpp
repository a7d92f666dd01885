// SPDX-License-Identifier: Apache-2.0
// What was trained on proves nothing: `validate` takes a test split, and the type says which split a set is.
// error: pairs of one split were given where those of another are expected
#include "lancet/backend/reference.hpp"
#include "lancet/validate/validate.hpp"

using backend = lancet::backend::reference<float>;

auto validate_on(lancet::transformer<backend> const& model, lancet::intervention<backend>& breaker,
                 lancet::training_pairs const& pairs) {
  return lancet::validate(model, breaker, {.harm = pairs}, lancet::log_odds{});
}
