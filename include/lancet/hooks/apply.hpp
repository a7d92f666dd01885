// SPDX-License-Identifier: Apache-2.0
// apply: every value of a site through a function of the user's, on a device in one kernel with it.
#pragma once

#include "lancet/core/device.hpp"
#include "lancet/hooks/policy.hpp"
#include "lancet/ops/transform.hpp"

namespace lancet {

namespace detail {

template <class T, class F>
struct value_of {
  F f;
  LANCET_HOST_DEVICE T operator()(T x, T) const { return f.value(x); }
};
template <class T, class F>
struct times_slope_of {
  F f;
  LANCET_HOST_DEVICE T operator()(T x, T g) const { return g * f.slope(x); }
};

}  // namespace detail

/// value' = f.value(value) at site S of some layers. `F` is a struct of numbers with
///   LANCET_HOST_DEVICE T value(T x) const    the new value;
///   LANCET_HOST_DEVICE T slope(T x) const    its derivative, if gradients will pass.
template <class B, class S, class F>
class apply {
  using T = typename B::scalar;

 public:
  using edits = sites<S>;
  using keeps = sites<S>;

  apply(layer_span where, F f) : where_(where), f_(f) {}

  [[nodiscard]] layer_span layers() const { return where_; }
  void on(S, view<B> x, place const&) { ops::transform<B>(x, x, detail::value_of<T, F>{f_}); }
  void adjoint(S, const_view<B> before, view<B> g, place const&) {
    ops::transform<B>(before, g, detail::times_slope_of<T, F>{f_});
  }

 private:
  layer_span where_;
  F f_;
};

}  // namespace lancet
