// SPDX-License-Identifier: Apache-2.0
// A transformer: architecture, weights, and the identity that every result carries.
#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "lancet/model/weights.hpp"

namespace lancet {

class tokenizer;  // io/tokenizer.hpp

/// What model a value came from; results of different models never mix.
struct model_identity {
  std::string name;
  std::string sha256;  ///< of the weights' file, hexadecimal
};

/// An identity whose digest may still be computed by another thread: hashing a file takes as long as loading it.
class pending_identity {
 public:
  explicit pending_identity(model_identity known) : state_(std::make_shared<state>()) {
    state_->identity = std::move(known);
  }
  pending_identity(std::string name, std::future<std::string> sha256) : state_(std::make_shared<state>()) {
    state_->identity.name = std::move(name);
    state_->sha256 = std::move(sha256);
  }

  /// Waits for the digest; throws what computing it threw. Any number of threads may ask.
  [[nodiscard]] model_identity const& get() const {
    std::call_once(state_->once, [this] {
      if (state_->sha256.valid()) state_->identity.sha256 = state_->sha256.get();
    });
    return state_->identity;
  }

 private:
  struct state {
    std::once_flag once;
    std::future<std::string> sha256;
    model_identity identity;
  };
  std::shared_ptr<state> state_;
};

/// Immutable during analysis: passes take it by const reference, merging an intervention makes a new one.
/// `Arch` is `architecture`, or a type with the same members as `static constexpr`.
template <class B, class Arch = architecture>
class transformer {
  static_assert(
      tensor_backend<B>,
      "lancet::transformer<B>: B lacks something that every tensor backend must provide; see the list at "
      "lancet::tensor_backend and docs/adding-a-backend.md");

 public:
  using backend = B;
  using scalar = typename B::scalar;

  transformer(Arch arch, model_weights<B> weights, model_identity identity)
      : transformer(std::move(arch), std::move(weights), pending_identity(std::move(identity))) {}
  transformer(Arch arch, model_weights<B> weights, pending_identity identity)
      : arch_(std::move(arch)), weights_(std::move(weights)), identity_(std::move(identity)) {
    validate_architecture(arch_);
  }

  [[nodiscard]] Arch const& arch() const { return arch_; }
  [[nodiscard]] model_weights<B> const& weights() const { return weights_; }
  [[nodiscard]] model_identity const& identity() const { return identity_.get(); }

  /// For merging an intervention; a model that changed is another model and must get another identity.
  [[nodiscard]] model_weights<B>& mutable_weights() { return weights_; }
  void set_identity(model_identity identity) { identity_ = pending_identity(std::move(identity)); }

  /// Throws usage_error where the model came without one.
  [[nodiscard]] lancet::tokenizer const& tokenizer() const {
    if (!tokenizer_)
      throw usage_error("model '" + identity().name + "' has no tokenizer: give token ids instead of texts");
    return *tokenizer_;
  }
  [[nodiscard]] bool has_tokenizer() const { return tokenizer_ != nullptr; }
  void set_tokenizer(std::shared_ptr<lancet::tokenizer const> t) { tokenizer_ = std::move(t); }

 private:
  Arch arch_;
  model_weights<B> weights_;
  pending_identity identity_;
  std::shared_ptr<lancet::tokenizer const> tokenizer_;
};

}  // namespace lancet
