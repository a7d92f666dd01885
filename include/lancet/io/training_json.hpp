// SPDX-License-Identifier: Apache-2.0
// A training curve as JSON.
#pragma once

#include <vector>

#include "lancet/intervene/intervention.hpp"
#include "lancet/io/unit_json.hpp"

namespace lancet::detail {

[[nodiscard]] inline nlohmann::ordered_json history_to_json(std::vector<training_record> const& history) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (training_record const& r : history) {
    nlohmann::ordered_json one{{"step", r.step},
                               {"loss", finite_or_null(r.loss)},
                               {"harm", finite_or_null(r.harm)},
                               {"keep", finite_or_null(r.keep)},
                               {"norm", finite_or_null(r.norm)},
                               {"gradient_norm", finite_or_null(r.gradient_norm)},
                               {"learning_rate", finite_or_null(r.learning_rate)}};
    if (r.validation) one["validation"] = finite_or_null(*r.validation);
    out.push_back(std::move(one));
  }
  return out;
}

[[nodiscard]] inline std::vector<training_record> read_history(json_field const& list) {
  std::vector<training_record> out;
  for (json_field const& f : list.items()) {
    f.allow_only({"step", "loss", "harm", "keep", "norm", "gradient_norm", "learning_rate", "validation"});
    training_record r;
    r.step = json_index(f["step"], 0, std::int64_t{1} << 53);
    r.loss = number_or_nan(f["loss"]);
    r.harm = number_or_nan(f["harm"]);
    r.keep = number_or_nan(f["keep"]);
    r.norm = number_or_nan(f["norm"]);
    r.gradient_norm = number_or_nan(f["gradient_norm"]);
    r.learning_rate = number_or_nan(f["learning_rate"]);
    r.validation = f["validation"].number();
    out.push_back(r);
  }
  return out;
}

}  // namespace lancet::detail
