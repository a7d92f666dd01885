// SPDX-License-Identifier: Apache-2.0
// host_parameters: copies of an intervention's parameters in host memory, where optimisers work, whatever
// memory the backend has.
#pragma once

#include <utility>
#include <vector>

#include "lancet/intervene/part.hpp"

namespace lancet {

/// Parameters are small next to a pass, so they are copied on every backend, the host's too: one way for all.
/// The tensors must outlive it.
template <class B>
class host_parameters {
  using T = typename B::scalar;

 public:
  explicit host_parameters(std::vector<named_tensor<B>> tensors) : tensors_(std::move(tensors)) {
    for (named_tensor<B> const& t : tensors_) {
      auto const n = static_cast<std::size_t>(t.value->all().size());
      auto& copy = copies_.emplace_back(std::vector<T>(n), std::vector<T>(n));
      spans_.push_back({t.name, copy.first, copy.second});
    }
  }
  host_parameters(host_parameters const&) = delete;  // the spans point into the copies

  /// What an optimiser takes: the copies, in the tensors' order.
  [[nodiscard]] std::span<parameter_span<T> const> spans() const { return spans_; }

  /// Copies values and gradients from the backend's memory.
  void fetch() {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      B::download(*tensors_[i].value, copies_[i].first.data());
      B::download(*tensors_[i].gradient, copies_[i].second.data());
    }
  }
  /// Copies values back.
  void store() const {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      B::upload(copies_[i].first.data(), tensors_[i].value->all());
  }

 private:
  std::vector<named_tensor<B>> tensors_;
  std::vector<std::pair<std::vector<T>, std::vector<T>>> copies_;  // value and gradient
  std::vector<parameter_span<T>> spans_;
};

}  // namespace lancet
