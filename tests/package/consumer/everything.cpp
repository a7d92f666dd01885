// SPDX-License-Identifier: Apache-2.0
// Includes every public header, as a stranger's project sees them.
#include "every_header.hpp"

int main() { return lancet::version[0] == '\0'; }
