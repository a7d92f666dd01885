// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled.hpp"

namespace lancet {
template transformer<compiled::backend_type> load_model<compiled::backend_type>(std::string const&);
}  // namespace lancet
