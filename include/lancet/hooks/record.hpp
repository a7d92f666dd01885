// SPDX-License-Identifier: Apache-2.0
// record<B, Sites…>: keeps what passes by at the listed sites; gradients<B, Sites…> does so on the way back.
#pragma once

#include <map>
#include <tuple>

#include "lancet/hooks/policy.hpp"

namespace lancet {

namespace detail {
/// Copies of values by (site, layer, segment); memory is reused from pass to pass.
template <class B>
class value_shelf {
 public:
  void put(site_id site, place const& at, const_view<B> value) {
    tensor<B>& slot = values_[{site, at.layer, at.segment}];
    slot.resize(value.rows, value.cols);
    B::copy(value, slot.all());
  }
  [[nodiscard]] const_view<B> get(site_id site, index layer, index segment) const {
    auto const found = values_.find({site, layer, segment});
    if (found == values_.end())
      throw usage_error("record: site " + std::string(name(site)) + " of layer " + std::to_string(layer) +
                        (segment < 0 ? "" : ", segment " + std::to_string(segment)) + " was not recorded");
    return found->second;
  }

 private:
  std::map<std::tuple<site_id, index, index>, tensor<B>> values_;
};
}  // namespace detail

/// Values at sites S…, of every layer or of `layers`. A pass overwrites what the one before it left.
template <class B, class... S>
class record {
 public:
  using reads = sites<S...>;

  record() = default;
  explicit record(layer_span layers) : layers_(layers), all_(false) {}

  [[nodiscard]] layer_span layers() const { return layers_; }
  void bind(pass_shape const& shape) {
    if (all_) layers_ = {0, shape.layers};
  }

  template <class T>
  requires(reads::template contains<T> && !is_linear_site<T>) void on(T, const_view<B> value,
                                                                      place const& at) {
    shelf_.put(T::id, at, value);
  }

  /// The value at site T of a layer, all rows of the batch; scores and pattern are per segment.
  template <class T>
  requires(reads::template contains<T>)
      [[nodiscard]] const_view<B> get(index layer, index segment = -1) const {
    return shelf_.get(T::id, layer, segment);
  }

 private:
  layer_span layers_{0, 0};
  bool all_ = true;
  detail::value_shelf<B> shelf_;
};

/// Gradients of the objective with respect to the values at sites S…, of every layer or of `layers`.
template <class B, class... S>
class gradients {
 public:
  using reads_gradient = sites<S...>;

  gradients() = default;
  explicit gradients(layer_span layers) : layers_(layers), all_(false) {}

  [[nodiscard]] layer_span layers() const { return layers_; }
  void bind(pass_shape const& shape) {
    if (all_) layers_ = {0, shape.layers};
  }

  template <class T>
  requires(reads_gradient::template contains<T> && !is_linear_site<T>) void adjoint(T, const_view<B> gradient,
                                                                                    place const& at) {
    shelf_.put(T::id, at, gradient);
  }
  template <class T>
  requires(reads_gradient::template contains<T>)
      [[nodiscard]] const_view<B> get(index layer, index segment = -1) const {
    return shelf_.get(T::id, layer, segment);
  }

 private:
  layer_span layers_{0, 0};
  bool all_ = true;
  detail::value_shelf<B> shelf_;
};

}  // namespace lancet
