// SPDX-License-Identifier: Apache-2.0
// The same for the table.
// error: deleted
// error: hook_table
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/hook_table.hpp"

struct silent {};

void adds(lancet::hook_table<lancet::backend::reference<float>>& table) { table.add(silent{}); }
