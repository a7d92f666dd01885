// SPDX-License-Identifier: Apache-2.0
// Declares what the optional library lancet::compiled holds, so that programs do not compile it again:
// passes, sweeps and training of the Eigen backend in float under `hook_table`. Include it after the
// library's other headers.
#pragma once

#include "lancet/backend/eigen.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/score.hpp"

namespace lancet {

namespace compiled {
using backend_type = backend::eigen<float>;
using table = hook_table<backend_type>;
}  // namespace compiled

extern template class forward_pass<compiled::backend_type, architecture, compiled::table>;
extern template class backward_pass<compiled::backend_type, architecture, compiled::table>;
extern template class readout<compiled::backend_type, architecture, compiled::table>;
extern template class prompt_runs<compiled::backend_type, architecture>;
extern template class sweep<compiled::backend_type, architecture>;
extern template class causal_runs<compiled::backend_type, architecture>;
extern template class frozen_pairs<compiled::backend_type, architecture>;
extern template class frozen_text<compiled::backend_type, architecture>;
extern template class trainer<compiled::backend_type, architecture>;
extern template transformer<compiled::backend_type> load_model<compiled::backend_type>(std::string const&);
extern template effect_table activation_patching<compiled::backend_type, architecture>(
    transformer<compiled::backend_type> const&, std::span<contrast_pair const>, patching_options const&);
extern template effect_table attribution_patching<compiled::backend_type, architecture>(
    transformer<compiled::backend_type> const&, std::span<contrast_pair const>, attribution_options const&);
extern template std::vector<std::vector<double>>
log_probabilities<compiled::backend_type, architecture, compiled::table>(
    transformer<compiled::backend_type> const&, compiled::table&, std::span<std::vector<token> const>,
    workspace<compiled::backend_type>&);
extern template std::unique_ptr<part<compiled::backend_type>> make_part<compiled::backend_type>(
    part_description const&, architecture const&);

}  // namespace lancet
