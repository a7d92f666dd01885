// SPDX-License-Identifier: Apache-2.0
// LANCET_INLINE: before the bodies of functions that are no templates and take long to compile.
//
// A header declares such a function and includes its body, which stands in a header of its own, at its end. Where a
// program is linked with lancet::compiled, which has the bodies and defines LANCET_HAS_COMPILED for all who link it, the
// declaration is enough. The sources of lancet::compiled define LANCET_COMPILING.
#pragma once

#ifdef LANCET_COMPILING
#define LANCET_INLINE
#else
#define LANCET_INLINE inline
#endif
