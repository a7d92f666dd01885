// SPDX-License-Identifier: Apache-2.0
// hook_table: the same as hooks(…), type-erased: one instantiation of the pass for any number of
// interventions.
#pragma once

#include <array>
#include <vector>

#include "lancet/hooks/hooks.hpp"

namespace lancet {

/// True if hook source `H` handles S in either direction; known at compile time.
template <class H, class S>
inline constexpr bool listened = H::template lists<S> || H::template lists_backward<S>;

/// Policies added at run time, by reference; in order forward, in reverse order backward. Bit-equal to
/// `hooks(…)`.
template <class B>
class hook_table {
 public:
  template <class P>
  void add(P& policy) {
    detail::check_policy<P, B>();
    int const number = static_cast<int>(policies_.size());
    policies_.push_back(
        {&policy, [](void* p, index layers) { return detail::layers_of(*static_cast<P*>(p), layers); },
         [](void* p, pass_shape const& shape) { detail::bind_policy(*static_cast<P*>(p), shape); },
         [](void* p, pass_kind kind) { detail::finish_policy(*static_cast<P*>(p), kind); },
         detail::policy_lists<P>::edits::size + detail::policy_lists<P>::reads_gradient::size > 0,
         detail::layers_of(policy, detail::any_layer)});
    [&]<class... S>(sites<S...>) { (add_site<P, S>(policy, number), ...); }(all_sites{});
  }
  template <class P>
  void add(P&& temporary) = delete;

  void clear() {
    policies_.clear();
    for (auto& s : sites_) s.clear();
  }

  template <class S>
  static constexpr bool lists = true;
  template <class S>
  static constexpr bool lists_backward = true;

  template <class S>
  [[nodiscard]] bool wants(index layer) const {
    for (entry const& e : entries<S>())
      if (e.wants(e.object, layers_, layer)) return true;
    return false;
  }
  [[nodiscard]] index lowest_gradient() const {
    index lowest = layers_ + 1;
    for (registered const& p : policies_)
      if (p.gradient) lowest = std::min(lowest, p.span.first);
    return lowest;
  }

  template <class>
  void begin(pass_shape const& shape) {
    layers_ = shape.layers;
    for (registered& p : policies_) {
      p.bind(p.object, shape);
      p.span = p.layers(p.object, layers_);
    }
  }
  void end(pass_kind kind) {
    for (registered& p : policies_) p.finish(p.object, kind);
  }

  template <class S, class>
  void fire(keep_store<B>& keeps, view<B> value, place const& at) {
    for (entry const& e : entries<S>())
      if (e.on && span(e).contains(at.layer)) e.on(e.object, keeps, e.number, value, at);
  }
  template <class S, class>
  void fire_linear(const_view<B> x, view<B> y, place const& at) {
    for (entry const& e : entries<S>())
      if (e.on_linear && span(e).contains(at.layer)) e.on_linear(e.object, x, y, at);
  }
  template <class S, class>
  void fire_adjoint(keep_store<B> const& keeps, view<B> gradient, place const& at) {
    auto const& list = entries<S>();
    for (auto e = list.rbegin(); e != list.rend(); ++e)
      if (e->adjoint && span(*e).contains(at.layer)) e->adjoint(e->object, keeps, e->number, gradient, at);
  }
  template <class S, class>
  void fire_linear_adjoint(const_view<B> x, view<B> gx, const_view<B> gy, place const& at) {
    auto const& list = entries<S>();
    for (auto e = list.rbegin(); e != list.rend(); ++e)
      if (e->adjoint_linear && span(*e).contains(at.layer)) e->adjoint_linear(e->object, x, gx, gy, at);
  }

 private:
  struct registered {
    void* object;
    layer_span (*layers)(void*, index);
    void (*bind)(void*, pass_shape const&);
    void (*finish)(void*, pass_kind);
    bool gradient;
    layer_span span;
  };
  struct entry {
    void* object;
    int number;
    bool (*wants)(void const*, index layers, index layer);
    void (*on)(void*, keep_store<B>&, int, view<B>, place const&) = nullptr;
    void (*on_linear)(void*, const_view<B>, view<B>, place const&) = nullptr;
    void (*adjoint)(void*, keep_store<B> const&, int, view<B>, place const&) = nullptr;
    void (*adjoint_linear)(void*, const_view<B>, view<B>, const_view<B>, place const&) = nullptr;
  };

  template <class P, class S>
  void add_site(P& policy, int number) {
    entry e{&policy, number, [](void const* p, index layers, index layer) {
              return detail::policy_wants<S>(*static_cast<P const*>(p), layers, layer);
            }};
    if constexpr (is_linear_site<S>) {
      if constexpr (detail::fires_forward<P, S>)
        e.on_linear = [](void* p, const_view<B> x, view<B> y, place const& at) {
          detail::fire_policy<S, B>(*static_cast<P*>(p), x, y, at);
        };
      if constexpr (detail::fires_backward<P, S>)
        e.adjoint_linear = [](void* p, const_view<B> x, view<B> gx, const_view<B> gy, place const& at) {
          detail::fire_policy_adjoint<S, B>(*static_cast<P*>(p), x, gx, gy, at);
        };
    } else {
      if constexpr (detail::fires_forward<P, S>)
        e.on = [](void* p, keep_store<B>& keeps, int n, view<B> value, place const& at) {
          detail::fire_policy<S, B>(*static_cast<P*>(p), keeps, n, value, at);
        };
      if constexpr (detail::fires_backward<P, S>)
        e.adjoint = [](void* p, keep_store<B> const& keeps, int n, view<B> g, place const& at) {
          detail::fire_policy_adjoint<S, B>(*static_cast<P*>(p), keeps, n, g, at);
        };
    }
    if (e.on || e.on_linear || e.adjoint || e.adjoint_linear)
      sites_[static_cast<std::size_t>(S::id)].push_back(e);
  }

  template <class S>
  [[nodiscard]] std::vector<entry> const& entries() const {
    return sites_[static_cast<std::size_t>(S::id)];
  }
  [[nodiscard]] layer_span span(entry const& e) const {
    return policies_[static_cast<std::size_t>(e.number)].span;
  }

  std::vector<registered> policies_;
  std::array<std::vector<entry>, site_count> sites_;
  index layers_ = detail::any_layer;  // until a pass begins
};

}  // namespace lancet
