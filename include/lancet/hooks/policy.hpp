// SPDX-License-Identifier: Apache-2.0
// What a hook policy is, and the checks that make a wrong one a compile error instead of a hook silently
// ignored.
//
// A policy is a struct that lists its sites and handles each of them:
//   using reads = sites<…>;           void on(S, const_view<B>, place const&);
//   using edits = sites<…>;           void on(S, view<B>, place const&);
//                                     void adjoint(S, view<B> g, place const&);
//   using keeps = sites<…>;           of its edits:
//                                     void adjoint(S, const_view<B> before, view<B> g, place const&);
//   using reads_gradient = sites<…>;  void adjoint(S, const_view<B> g, place const&);
// At site::linear<P>, `on` takes (S, const_view<B> x, view<B> y, place const&) and `adjoint`
// (S, const_view<B> x, view<B> gx, const_view<B> gy, place const&): the former changes y, the latter adds to
// gx. `on` is a pure function of value and place. Optional members: `layer_span layers() const` (default:
// every layer), `bool acts_at(site_id, index layer) const` (default: true), for a policy that lists more
// sites than it acts at: costly values are not made for its sake, and sites that a model lacks not refused;
// `void bind(pass_shape const&)` before a pass (throws on a target that does not exist), `void
// finish(pass_kind)` after its layers (throws where a target never fired).
#pragma once

#include <limits>

#include "lancet/hooks/place.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {
namespace detail {

template <class P>
struct policy_lists {
  template <class Q>
  static auto reads_of(int) -> typename Q::reads;
  template <class Q>
  static auto reads_of(...) -> sites<>;
  template <class Q>
  static auto edits_of(int) -> typename Q::edits;
  template <class Q>
  static auto edits_of(...) -> sites<>;
  template <class Q>
  static auto keeps_of(int) -> typename Q::keeps;
  template <class Q>
  static auto keeps_of(...) -> sites<>;
  template <class Q>
  static auto reads_gradient_of(int) -> typename Q::reads_gradient;
  template <class Q>
  static auto reads_gradient_of(...) -> sites<>;

  using reads = decltype(reads_of<P>(0));
  using edits = decltype(edits_of<P>(0));
  using keeps = decltype(keeps_of<P>(0));
  using reads_gradient = decltype(reads_gradient_of<P>(0));
};

template <class P, class S>
inline constexpr bool reads_site = policy_lists<P>::reads::template contains<S>;
template <class P, class S>
inline constexpr bool edits_site = policy_lists<P>::edits::template contains<S>;
template <class P, class S>
inline constexpr bool keeps_site = policy_lists<P>::keeps::template contains<S>;
template <class P, class S>
inline constexpr bool reads_gradient_site = policy_lists<P>::reads_gradient::template contains<S>;
template <class P, class S>
inline constexpr bool fires_forward = reads_site<P, S> || edits_site<P, S>;
template <class P, class S>
inline constexpr bool fires_backward = edits_site<P, S> || reads_gradient_site<P, S>;

template <class P, class B, class S>
concept reads_handler = requires(P& p, const_view<B> v, place const& at) {
  p.on(S{}, v, at);
};
template <class P, class B, class S>
concept edits_handler = requires(P& p, view<B> v, place const& at) {
  p.on(S{}, v, at);
};
template <class P, class B, class S>
concept linear_handler = requires(P& p, const_view<B> x, view<B> y, place const& at) {
  p.on(S{}, x, y, at);
};
template <class P, class B, class S>
concept linear_reads_handler = requires(P& p, const_view<B> x, place const& at) {
  p.on(S{}, x, x, at);
};

template <class P, class B, class S>
concept edits_adjoint = requires(P& p, view<B> g, place const& at) {
  p.adjoint(S{}, g, at);
};
template <class P, class B, class S>
concept keeps_adjoint = requires(P& p, const_view<B> before, view<B> g, place const& at) {
  p.adjoint(S{}, before, g, at);
};
template <class P, class B, class S>
concept linear_adjoint_handler = requires(P& p, const_view<B> x, view<B> gx, const_view<B> gy,
                                          place const& at) {
  p.adjoint(S{}, x, gx, gy, at);
};

template <class P, class B, class S>
constexpr bool has_adjoint() {
  if constexpr (is_linear_site<S>)
    return linear_adjoint_handler<P, B, S>;
  else if constexpr (keeps_site<P, S>)
    return keeps_adjoint<P, B, S>;
  else
    return edits_adjoint<P, B, S>;
}

template <class P, class B, class S>
concept gradient_reader = requires(P& p, const_view<B> g, place const& at) {
  p.adjoint(S{}, g, at);
};
template <class P, class B, class S>
concept linear_gradient_reader = requires(P& p, const_view<B> x, place const& at) {
  p.adjoint(S{}, x, x, x, at);
};
template <class P, class B, class S>
constexpr bool has_gradient_reader() {
  if constexpr (is_linear_site<S>)
    return linear_gradient_reader<P, B, S>;
  else
    return gradient_reader<P, B, S>;
}

/// One policy, one site: the sentence of a failure stands next to both names in the compiler's message.
template <class P, class B, class S>
constexpr void check_site() {
  static_assert(!keeps_site<P, S> || edits_site<P, S>,
                "lancet: a hook policy may keep only a site that it edits");
  static_assert(!(keeps_site<P, S> && is_linear_site<S>),
                "lancet: a hook policy lists site::linear in `keeps`: its adjoint gets the projection's "
                "input anyway, and "
                "needs no more");
  static_assert(!(reads_site<P, S> && edits_site<P, S>),
                "lancet: a hook policy lists a site in both reads and edits");
  static_assert(!(reads_gradient_site<P, S> && edits_site<P, S>),
                "lancet: a hook policy lists a site in both edits and reads_gradient: its adjoint sees the "
                "gradient anyway");
  if constexpr (edits_site<P, S>) {
    constexpr bool handled = is_linear_site<S> ? linear_handler<P, B, S> : edits_handler<P, B, S>;
    static_assert(
        handled,
        "lancet: a hook policy lists a site in `edits` without a handler on(site, view, place) of the right "
        "signature; the compiler names both next to this message; see docs/sites.md");
  } else if constexpr (reads_site<P, S>) {
    constexpr bool handled = is_linear_site<S> ? linear_reads_handler<P, B, S> : reads_handler<P, B, S>;
    static_assert(
        handled,
        "lancet: a hook policy lists a site in `reads` without a handler on(site, const_view, place) of the "
        "right signature; the compiler names both next to this message; see docs/sites.md");
  } else {
    static_assert(
        !edits_handler<P, B, S> && !reads_handler<P, B, S> && !linear_handler<P, B, S>,
        "lancet: a hook policy handles a site that it does not list in `reads` or `edits`: the handler would "
        "never run; the compiler names both next to this message");
  }
  if constexpr (reads_gradient_site<P, S>)
    static_assert(
        has_gradient_reader<P, B, S>(),
        "lancet: a hook policy lists a site in `reads_gradient` without a handler adjoint(site, const_view, "
        "place) of the right signature; the compiler names both next to this message; see docs/sites.md");
  else if constexpr (!edits_site<P, S>)
    static_assert(!edits_adjoint<P, B, S> && !keeps_adjoint<P, B, S> && !linear_adjoint_handler<P, B, S>,
                  "lancet: a hook policy has an adjoint for a site that it does not list in `edits` or "
                  "`reads_gradient`: "
                  "the adjoint would never run; the compiler names both next to this message");
}

template <class P, class B>
constexpr void check_policy() {
  []<class... S>(sites<S...>) { (check_site<P, B, S>(), ...); }(all_sites{});
}

/// The number of layers before a pass has said how many there are.
inline constexpr index any_layer = std::numeric_limits<index>::max() - 1;

template <class P>
[[nodiscard]] layer_span layers_of(P const& p, index layers) {
  if constexpr (requires { p.layers(); })
    return p.layers();
  else
    return {0, layers};
}
/// True if policy `p` asks for site S in this layer, in either direction.
template <class S, class P>
[[nodiscard]] bool policy_wants(P const& p, index layers, index layer) {
  if constexpr (fires_forward<P, S> || fires_backward<P, S>) {
    if (!layers_of(p, layers).contains(layer)) return false;
    if constexpr (requires { p.acts_at(S::id, layer); })
      return p.acts_at(S::id, layer);
    else
      return true;
  }
  return false;
}

/// The layers in which a site fires: `embed` counts to layer 0, the readout to the number of layers.
template <class S>
[[nodiscard]] constexpr layer_span layers_of_site(index layers) {
  if constexpr (S::id == site_id::embed) return {0, 0};
  if constexpr (S::id == site_id::final_scale || S::id == site_id::final || S::id == site_id::logits)
    return {layers, layers};
  return {0, layers - 1};
}

/// Throws usage_error where the policy's layers do not exist, or hold none of its sites.
template <class P>
void bind_policy(P& p, pass_shape const& shape) {
  if constexpr (requires { p.bind(shape); }) p.bind(shape);
  layer_span const span = layers_of(p, shape.layers);
  if (span.first < 0 || span.first > span.last || span.last > shape.layers)
    fail_expected("hook policy", "layers " + std::to_string(span.first) + " to " + std::to_string(span.last),
                  "layers between 0 and " + std::to_string(shape.layers));
  std::string never;
  bool ever = false;
  [&]<class... S>(sites<S...>) {
    (
        [&] {
          if constexpr (fires_forward<P, S> || fires_backward<P, S>) {
            layer_span const here = layers_of_site<S>(shape.layers);
            ever = ever || (span.first <= here.last && here.first <= span.last);
            never += (never.empty() ? "" : ", ") + std::string(name(S::id));
          }
        }(),
        ...);
  }(all_sites{});
  if (!ever)
    fail_expected("hook policy at " + never,
                  "layers " + std::to_string(span.first) + " to " + std::to_string(span.last),
                  "a layer in which it would fire (0 to " + std::to_string(shape.layers - 1) +
                      "; 0 for embed, " + std::to_string(shape.layers) +
                      " for final_scale, final and logits)");
}
template <class P>
void finish_policy(P& p, pass_kind kind) {
  if constexpr (requires { p.finish(kind); }) p.finish(kind);
}

}  // namespace detail
}  // namespace lancet
