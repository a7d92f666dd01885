// SPDX-License-Identifier: Apache-2.0
// hooks(a, b, …): policies composed at compile time, by reference; in order forward, in reverse order
// backward.
//
// The empty set compiles to the same instructions as a pass without hooks. A pass writes each firing as
//   if constexpr (H::template lists<site::z>) hooks.template fire<site::z>(…);
#pragma once

#include <algorithm>
#include <tuple>
#include <utility>

#include "lancet/hooks/keep.hpp"
#include "lancet/hooks/policy.hpp"

namespace lancet {

namespace detail {
template <class S, class B, class P>
void fire_policy(P& p, keep_store<B>& keeps, int number, view<B> value, place const& at) {
  if constexpr (keeps_site<P, S>)
    if (at.pass == pass_kind::record) keeps.store(number, S::id, at, value);
  if constexpr (edits_site<P, S>)
    p.on(S{}, value, at);
  else if constexpr (reads_site<P, S>)
    p.on(S{}, const_view<B>(value), at);
}
template <class S, class B, class P>
void fire_policy(P& p, const_view<B> x, view<B> y, place const& at) {
  if constexpr (edits_site<P, S>)
    p.on(S{}, x, y, at);
  else if constexpr (reads_site<P, S>)
    p.on(S{}, x, const_view<B>(y), at);
}
template <class S, class B, class P>
void fire_policy_adjoint(P& p, keep_store<B> const& keeps, int number, view<B> gradient, place const& at) {
  if constexpr (edits_site<P, S>) {
    if constexpr (has_adjoint<P, B, S>()) {
      if constexpr (keeps_site<P, S>)
        p.adjoint(S{}, keeps.find(number, S::id, at), gradient, at);
      else
        p.adjoint(S{}, gradient, at);
    } else {
      throw usage_error("hooks: a policy edits site " + std::string(name(S::id)) +
                        " but has no adjoint(site, gradient, place); a backward pass needs one");
    }
  } else if constexpr (reads_gradient_site<P, S>) {
    p.adjoint(S{}, const_view<B>(gradient), at);
  }
}
template <class S, class B, class P>
void fire_policy_adjoint(P& p, const_view<B> x, view<B> gx, const_view<B> gy, place const& at) {
  if constexpr (edits_site<P, S>) {
    if constexpr (has_adjoint<P, B, S>())
      p.adjoint(S{}, x, gx, gy, at);
    else
      throw usage_error("hooks: a policy edits site " + std::string(name(S::id)) +
                        " but has no adjoint(site, x, gx, gy, place); a backward pass needs one");
  } else if constexpr (reads_gradient_site<P, S>) {
    p.adjoint(S{}, x, const_view<B>(gx), gy, at);
  }
}
}  // namespace detail

template <class... P>
class hook_set {
 public:
  explicit hook_set(P&... policies) : policies_(policies...) {}

  /// True if some policy handles S in the forward (or backward) direction; known at compile time.
  template <class S>
  static constexpr bool lists = (detail::fires_forward<P, S> || ...);
  template <class S>
  static constexpr bool lists_backward = (detail::fires_backward<P, S> || ...);

  /// True if some policy acts at S in this layer, in either direction: costly sites are made only then.
  template <class S>
  [[nodiscard]] bool wants(index layer) const {
    bool found = false;
    each([&](auto& p, int) { found = found || detail::policy_wants<S>(p, layers_, layer); });
    return found;
  }
  /// The lowest layer that a gradient has to reach; layers + 1 if none.
  [[nodiscard]] index lowest_gradient() const {
    index lowest = layers_ + 1;
    each([&]<class Q>(Q& p, int) {
      if constexpr (detail::policy_lists<Q>::edits::size + detail::policy_lists<Q>::reads_gradient::size > 0)
        lowest = std::min(lowest, detail::layers_of(p, layers_).first);
    });
    return lowest;
  }

  template <class B>
  void begin(pass_shape const& shape) {
    layers_ = shape.layers;
    (detail::check_policy<P, B>(), ...);
    each([&](auto& p, int) { detail::bind_policy(p, shape); });
  }
  void end(pass_kind kind) {
    each([&](auto& p, int) { detail::finish_policy(p, kind); });
  }

  template <class S, class B>
  void fire(keep_store<B>& keeps, view<B> value, place const& at) {
    each([&]<class Q>(Q& p, int number) {
      if constexpr (detail::fires_forward<Q, S>)
        if (detail::layers_of(p, layers_).contains(at.layer))
          detail::fire_policy<S, B>(p, keeps, number, value, at);
    });
  }
  template <class S, class B>
  void fire_linear(const_view<B> x, view<B> y, place const& at) {
    each([&]<class Q>(Q& p, int) {
      if constexpr (detail::fires_forward<Q, S>)
        if (detail::layers_of(p, layers_).contains(at.layer)) detail::fire_policy<S, B>(p, x, y, at);
    });
  }
  template <class S, class B>
  void fire_adjoint(keep_store<B> const& keeps, view<B> gradient, place const& at) {
    each_reversed([&]<class Q>(Q& p, int number) {
      if constexpr (detail::fires_backward<Q, S>)
        if (detail::layers_of(p, layers_).contains(at.layer))
          detail::fire_policy_adjoint<S, B>(p, keeps, number, gradient, at);
    });
  }
  template <class S, class B>
  void fire_linear_adjoint(const_view<B> x, view<B> gx, const_view<B> gy, place const& at) {
    each_reversed([&]<class Q>(Q& p, int) {
      if constexpr (detail::fires_backward<Q, S>)
        if (detail::layers_of(p, layers_).contains(at.layer))
          detail::fire_policy_adjoint<S, B>(p, x, gx, gy, at);
    });
  }

 private:
  template <class F>
  void each(F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::get<I>(policies_), static_cast<int>(I)), ...);
    }
    (std::index_sequence_for<P...>{});
  }
  template <class F>
  void each_reversed(F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::get<sizeof...(P) - 1 - I>(policies_), static_cast<int>(sizeof...(P) - 1 - I)), ...);
    }
    (std::index_sequence_for<P...>{});
  }

  std::tuple<P&...> policies_;
  index layers_ = detail::any_layer;  // until a pass begins
};

/// Composes policies by reference. They keep their results; a temporary would lose them, and is refused.
template <class... P>
[[nodiscard]] auto hooks(P&&... policies) {
  static_assert(
      (std::is_lvalue_reference_v<P> && ...),
      "lancet::hooks: got a temporary policy; policies are held by reference and own their results, so give "
      "each a name that outlives the pass");
  return hook_set<std::remove_reference_t<P>...>(policies...);
}

}  // namespace lancet
