// SPDX-License-Identifier: Apache-2.0
// Members of report.json that come from a validation (docs/schemas/report.schema.json).
#pragma once

#include "lancet/common.hpp"
#include "lancet/validate/measures.hpp"

namespace program {

/// NaN and infinity become null.
[[nodiscard]] nlohmann::ordered_json number(double x);
[[nodiscard]] nlohmann::ordered_json harm_json(lancet::harm_measure const& h);
/// Perplexity first, which stands for collateral damage; then accuracy and log-odds of each keep set.
[[nodiscard]] nlohmann::ordered_json keep_json(lancet::validation_result const& r);

}  // namespace program
