// SPDX-License-Identifier: Apache-2.0
// The library's version. CMake reads the numbers from here.
#pragma once

#define LANCET_VERSION_MAJOR 0
#define LANCET_VERSION_MINOR 1
#define LANCET_VERSION_PATCH 0

namespace lancet {
/// "major.minor.patch", written into every file that lancet makes.
inline constexpr char version[] = "0.1.0";
}  // namespace lancet
