// SPDX-License-Identifier: Apache-2.0
// The backends that are measured side by side on the processor, and its limits.
#pragma once

#include "lancet/backend/cblas.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"
#include "lancet/backend/xtensor.hpp"
#include "peak.hpp"

namespace lancet_bench {

/// Calls f.operator()<B>() for each of them.
template <class F>
void for_each_backend(F&& f) {
  f.template operator()<lancet::backend::eigen<float>>();
  f.template operator()<lancet::backend::xtensor<float>>();
}

/// Plain loops, for single operations alone.
template <class F>
void with_specification(F&& f) {
  f.template operator()<lancet::backend::reference<float>>();
}

/// Calls f.operator()<B>(policy) for each way to multiply prepared weights.
template <class F>
void for_each_product(F&& f) {
  namespace product = lancet::backend::product;
  f.template operator()<lancet::backend::eigen<float>>("packed");
  f.template operator()<lancet::backend::xtensor<float>>("packed");
  f.template operator()<lancet::backend::eigen<float, product::plain>>("plain");
  f.template operator()<lancet::backend::eigen<float, product::cblas>>("cblas");
}

/// Operations of a host backend are done when they return.
template <class B>
void wait() {}

template <class B>
[[nodiscard]] double peak_of() {
  return measured_peak();
}
template <class B>
[[nodiscard]] double bandwidth_of(index bytes) {
  return measured_bandwidth(bytes);
}

}  // namespace lancet_bench
