// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled.hpp"

namespace lancet {
template class prompt_runs<compiled::backend_type, architecture>;
template class sweep<compiled::backend_type, architecture>;
template class causal_runs<compiled::backend_type, architecture>;
template effect_table activation_patching<compiled::backend_type, architecture>(
    transformer<compiled::backend_type> const&, std::span<contrast_pair const>, patching_options const&);
template effect_table attribution_patching<compiled::backend_type, architecture>(
    transformer<compiled::backend_type> const&, std::span<contrast_pair const>, attribution_options const&);
}  // namespace lancet
