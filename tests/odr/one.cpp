// SPDX-License-Identifier: Apache-2.0
// The first of two translation units that include everything: a function that is not inline would not link.
#include "every_header.hpp"

char const* version_seen_by_two();

int main() { return version_seen_by_two() == lancet::version ? 0 : 1; }
