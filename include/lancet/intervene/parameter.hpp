// SPDX-License-Identifier: Apache-2.0
// What training sees of a model or an intervention: named numbers and their gradients, in host memory.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>

#include "lancet/core/error.hpp"

namespace lancet {

/// One trained array and the gradient of the loss with respect to it, of one length. Owns neither.
template <std::floating_point Scalar>
struct parameter_span {
  std::string name;
  std::span<Scalar> value;
  std::span<Scalar> gradient;
};

/// L2 norm over all gradients together, summed in double; infinite or NaN if an entry is.
template <std::floating_point Scalar>
[[nodiscard]] double gradient_norm(std::span<parameter_span<Scalar> const> parameters) {
  double squares = 0.0;
  for (auto const& parameter : parameters) {
    for (Scalar const g : parameter.gradient) squares += static_cast<double>(g) * static_cast<double>(g);
  }
  return std::sqrt(squares);
}

/// Scales all gradients by min(1, most / (norm + 1e-6)), as PyTorch does, and returns their norm before.
/// Throws usage_error unless most > 0, and lancet::error, with nothing changed, if the norm is not finite.
template <std::floating_point Scalar>
double clip_gradients(std::span<parameter_span<Scalar> const> parameters, double most) {
  if (!(most > 0.0)) fail_expected("clip_gradients", "norm " + std::to_string(most), "a norm above 0");
  double const norm = gradient_norm(parameters);
  if (!std::isfinite(norm)) {
    throw error("clip_gradients: the norm of the gradients is " + std::to_string(norm) +
                ", training has diverged");
  }
  double const scale = most / (norm + 1e-6);
  if (scale < 1.0) {
    for (auto const& parameter : parameters) {
      for (Scalar& g : parameter.gradient) g *= static_cast<Scalar>(scale);
    }
  }
  return norm;
}

}  // namespace lancet
