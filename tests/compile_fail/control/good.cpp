// SPDX-License-Identifier: Apache-2.0
// Control: a correct program. If it does not build, the other cases prove nothing.
#include "lancet/core/error.hpp"
#include "lancet/version.hpp"

int main() { return lancet::version[0] == '\0'; }
