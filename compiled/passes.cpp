// SPDX-License-Identifier: Apache-2.0
#include "lancet/compiled.hpp"

namespace lancet {
template class forward_pass<compiled::backend_type, architecture, compiled::table>;
template class backward_pass<compiled::backend_type, architecture, compiled::table>;
template class readout<compiled::backend_type, architecture, compiled::table>;
template std::vector<std::vector<double>>
log_probabilities<compiled::backend_type, architecture, compiled::table>(
    transformer<compiled::backend_type> const&, compiled::table&, std::span<std::vector<token> const>,
    workspace<compiled::backend_type>&);
}  // namespace lancet
