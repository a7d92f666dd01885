// SPDX-License-Identifier: Apache-2.0
// A decoder-only transformer: architecture, weights, and the identity that every result carries.
#pragma once

#include <string>
#include <utility>

#include "lancet/model/weights.hpp"

namespace lancet {

/// What model a value came from; results of different models never mix.
struct model_identity {
  std::string name;
  std::string sha256;  ///< of the weights' file, hexadecimal
};

/// Immutable during analysis: passes take it by const reference, merging an intervention makes a new one.
/// `Arch` is `architecture`, or a type with the same members as `static constexpr`.
template <class B, class Arch = architecture>
class transformer {
  static_assert(tensor_backend<B>,
                "lancet::transformer<B>: B lacks something that every tensor backend must provide; see the list at "
                "lancet::tensor_backend and docs/adding-a-backend.md");

 public:
  using backend = B;
  using scalar = typename B::scalar;

  transformer(Arch arch, model_weights<B> weights, model_identity identity)
      : arch_(std::move(arch)), weights_(std::move(weights)), identity_(std::move(identity)) {
    validate_architecture(arch_);
  }

  [[nodiscard]] Arch const& arch() const { return arch_; }
  [[nodiscard]] model_weights<B> const& weights() const { return weights_; }
  [[nodiscard]] model_identity const& identity() const { return identity_; }

 private:
  Arch arch_;
  model_weights<B> weights_;
  model_identity identity_;
};

}  // namespace lancet
