// SPDX-License-Identifier: Apache-2.0
// Values as they were before a policy changed them, kept for its adjoint.
#pragma once

#include <map>
#include <tuple>

#include "lancet/core/tensor.hpp"
#include "lancet/hooks/place.hpp"
#include "lancet/model/sites.hpp"

namespace lancet {

/// Tensors by (policy, site, layer, segment). Memory is reused from pass to pass.
template <class B>
class keep_store {
 public:
  void store(int policy, site_id site, place const& at, const_view<B> value) {
    tensor<B>& slot = values_[{policy, site, at.layer, at.segment}];
    slot.resize(value.rows, value.cols);
    B::copy(value, slot.all());
  }
  [[nodiscard]] const_view<B> find(int policy, site_id site, place const& at) const {
    return values_.at({policy, site, at.layer, at.segment});
  }

 private:
  std::map<std::tuple<int, site_id, index, index>, tensor<B>> values_;
};

}  // namespace lancet
