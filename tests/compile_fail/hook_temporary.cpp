// SPDX-License-Identifier: Apache-2.0
// Policies are held by reference and own their results: a temporary would take them with it.
// error: lancet::hooks: got a temporary policy; policies are held by reference and own their results
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hooks.hpp"

struct silent {};

auto composes() { return lancet::hooks(silent{}); }
