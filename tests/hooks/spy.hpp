// SPDX-License-Identifier: Apache-2.0
// A policy that notes every firing, and lists of sites to give it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "lancet/hooks/policy.hpp"
#include "lancet/model/architecture.hpp"

namespace lancet_test {

/// One call of a handler: the view's shape (the output's at linear sites), and what `place` said.
struct firing {
  lancet::site_id site;
  lancet::index layer, segment, rows, cols;

  friend bool operator==(firing const&, firing const&) = default;
  friend std::ostream& operator<<(std::ostream& out, firing const& f) {
    return out << lancet::name(f.site) << " of layer " << f.layer << ", segment " << f.segment << ", ["
               << f.rows << ", " << f.cols << "]";
  }
};

template <class B, class List>
struct spy;

template <class B, class... S>
struct spy<B, lancet::sites<S...>> {
  using reads = lancet::sites<S...>;
  using reads_gradient = lancet::sites<S...>;

  template <class T>
  requires(reads::template contains<T> && !lancet::is_linear_site<T>) void on(T, lancet::const_view<B> v,
                                                                              lancet::place const& at) {
    note(forward, T::id, v, at);
  }
  template <class T>
  requires(reads::template contains<T>&& lancet::is_linear_site<T>) void on(T, lancet::const_view<B> x,
                                                                            lancet::const_view<B> y,
                                                                            lancet::place const& at) {
    inputs.push_back({T::id, at.layer, at.segment, x.rows, x.cols});
    note(forward, T::id, y, at);
  }
  template <class T>
  requires(reads::template contains<T> && !lancet::is_linear_site<T>) void adjoint(T, lancet::const_view<B> g,
                                                                                   lancet::place const& at) {
    note(backward, T::id, g, at);
  }
  template <class T>
  requires(reads::template contains<T>&& lancet::is_linear_site<T>) void adjoint(T, lancet::const_view<B>,
                                                                                 lancet::const_view<B> gx,
                                                                                 lancet::const_view<B> gy,
                                                                                 lancet::place const& at) {
    gradient_inputs.push_back({T::id, at.layer, at.segment, gx.rows, gx.cols});
    note(backward, T::id, gy, at);
  }

  std::vector<firing> forward, backward, inputs, gradient_inputs;
  std::vector<lancet::place> places;  // of every call; their spans belong to the pass

 private:
  void note(std::vector<firing>& list, lancet::site_id site, lancet::const_view<B> v,
            lancet::place const& at) {
    list.push_back({site, at.layer, at.segment, v.rows, v.cols});
    places.push_back(at);
  }
};

template <class... Lists>
struct joined_sites;
template <class... S>
struct joined_sites<lancet::sites<S...>> {
  using type = lancet::sites<S...>;
};
template <class... S, class... T, class... More>
struct joined_sites<lancet::sites<S...>, lancet::sites<T...>, More...>
    : joined_sites<lancet::sites<S..., T...>, More...> {};

template <class List, class Removed>
struct sites_without;
template <class... S, class Removed>
struct sites_without<lancet::sites<S...>, Removed>
    : joined_sites<lancet::sites<>,
                   std::conditional_t<Removed::template contains<S>, lancet::sites<>, lancet::sites<S>>...> {
};

/// The sites of `List` that are not in `Removed`, in order.
template <class List, class Removed>
using without = typename sites_without<List, Removed>::type;

/// Columns of a site's view (of the output at linear sites), as documented.
[[nodiscard]] inline lancet::index site_columns(lancet::architecture const& a, lancet::site_id site) {
  using enum lancet::site_id;
  using lancet::index;
  index const q_width = a.heads * a.head_dim, kv_width = a.kv_heads * a.head_dim;
  switch (site) {
    case q_in:
      return a.heads * a.width;
    case k_in:
    case v_in:
      return a.kv_heads * a.width;
    case attn_scale:
    case mlp_scale:
    case final_scale:
      return 1;
    case linear_q:
    case q:
    case rot_q:
    case z:
      return q_width;
    case linear_k:
    case linear_v:
    case k:
    case v:
    case rot_k:
      return kv_width;
    case head_out:
      return a.heads * a.width;
    case linear_gate:
    case linear_up:
    case mlp_pre:
    case mlp_up:
    case mlp_post:
      return a.mlp_width;
    case logits:
      return a.vocabulary;
    default:
      return a.width;
  }
}

/// Each head's own inputs, and what they replace.
using split_sites = lancet::sites<lancet::site::q_in, lancet::site::k_in, lancet::site::v_in>;
using common_input_sites =
    lancet::sites<lancet::site::attn_in, lancet::site::attn_scale, lancet::site::attn_norm,
                  lancet::site::linear<lancet::proj::q>, lancet::site::linear<lancet::proj::k>,
                  lancet::site::linear<lancet::proj::v>>;
/// What a plain MLP lacks.
using gated_sites = lancet::sites<lancet::site::linear<lancet::proj::gate>, lancet::site::mlp_up>;

}  // namespace lancet_test
