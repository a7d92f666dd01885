// SPDX-License-Identifier: Apache-2.0
// Members of report.json that come from a validation (docs/schemas/report.schema.json).
#pragma once

#include "lancet/causal/contrast_pair.hpp"
#include "lancet/common.hpp"
#include "lancet/validate/measures.hpp"

namespace program {

/// NaN, infinity and what was not measured become null.
[[nodiscard]] nlohmann::ordered_json number(std::optional<double> x);
[[nodiscard]] nlohmann::ordered_json harm_json(lancet::harm_measure const& h);
/// Perplexity first, which stands for collateral damage; then accuracy, log-odds and log-likelihood of each
/// keep set.
[[nodiscard]] nlohmann::ordered_json keep_json(lancet::validation_result const& r);
/// The statements of a verdict; null where there is none.
[[nodiscard]] nlohmann::ordered_json verdict_json(lancet::verdict const& v);
/// One pair in `items`, with what its line said beside.
[[nodiscard]] nlohmann::ordered_json item_json(lancet::contrast_pair const& pair, std::string const& text,
                                               double before, double after);
/// For the member `notes`: a sentence for each thing that was not measured.
[[nodiscard]] nlohmann::ordered_json unmeasured_json(lancet::validation_result const& r);

}  // namespace program
