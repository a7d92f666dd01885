// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled.hpp"

namespace lancet {
template class frozen_pairs<compiled::backend_type, architecture>;
template class frozen_text<compiled::backend_type, architecture>;
template class trainer<compiled::backend_type, architecture>;
template std::unique_ptr<part<compiled::backend_type>> make_part<compiled::backend_type>(
    part_description const&, architecture const&);
}  // namespace lancet
