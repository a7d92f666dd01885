// SPDX-License-Identifier: Apache-2.0
// Learning-rate schedules: constant, linear and cosine decay, each after a linear warm-up.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "lancet/core/error.hpp"

namespace lancet {

enum class decay_shape { constant, linear, cosine };

/// The learning rate as a function of the step. During warm-up it is peak * step / warmup, so 0 at step 0;
/// then, with p = (step - warmup) / (steps - warmup) clamped to [0, 1], it is floor + (peak - floor) * s,
/// where s is 1, 1 - p or (1 + cos(pi p)) / 2. With floor = 0 these are transformers'
/// get_{constant,linear,cosine}_schedule_with_warmup.
struct learning_rate_schedule {
  decay_shape shape = decay_shape::constant;
  double peak = 1e-3;
  double floor = 0.0;         ///< rate from step `steps` on; not of the constant shape
  std::ptrdiff_t warmup = 0;  ///< steps
  std::ptrdiff_t steps = 0;   ///< of the whole training, warm-up included; not of the constant shape

  /// The rate of a step, counted from 0. Throws usage_error for a negative step and for values that do not
  /// fit together.
  [[nodiscard]] double operator()(std::ptrdiff_t step) const {
    check();
    if (step < 0) fail_expected("learning_rate_schedule", "step " + std::to_string(step), "0 or more");
    if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
    if (shape == decay_shape::constant) return peak;
    double const progress =
        step >= steps ? 1.0 : static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
    double const height =
        shape == decay_shape::linear ? 1.0 - progress : 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    return floor + (peak - floor) * height;
  }

  /// Throws usage_error for values that do not fit together.
  void check() const {
    if (!(peak >= 0.0 && std::isfinite(peak))) {
      fail_expected("learning_rate_schedule.peak", std::to_string(peak), "0 or more");
    }
    if (!(floor >= 0.0 && floor <= peak)) {
      fail_expected("learning_rate_schedule.floor", std::to_string(floor), "0 .. " + std::to_string(peak));
    }
    if (warmup < 0) fail_expected("learning_rate_schedule.warmup", std::to_string(warmup), "0 or more");
    if (shape != decay_shape::constant && steps < std::max<std::ptrdiff_t>(warmup, 1)) {
      fail_expected("learning_rate_schedule.steps", std::to_string(steps),
                    "at least 1 and at least the warm-up of " + std::to_string(warmup));
    }
    if (shape == decay_shape::constant && floor != 0.0) {
      fail_expected("learning_rate_schedule.floor", std::to_string(floor), "0 with the constant shape");
    }
  }
};

}  // namespace lancet
