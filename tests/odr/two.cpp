// SPDX-License-Identifier: Apache-2.0
// The second one: `lancet::version` must be the same object in both.
#include "every_header.hpp"

char const* version_seen_by_two();
char const* version_seen_by_two() { return lancet::version; }
