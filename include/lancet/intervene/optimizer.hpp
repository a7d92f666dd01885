// SPDX-License-Identifier: Apache-2.0
// SGD (momentum, Nesterov), Adam (Kingma and Ba 2015; AMSGrad) and AdamW (Loshchilov and Hutter 2019), as in
// PyTorch.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/intervene/parameter.hpp"
#include "lancet/ops/adam.hpp"

namespace lancet {

enum class optimizer_rule { sgd, adam, adamw };

struct optimizer_options {
  optimizer_rule rule = optimizer_rule::adamw;
  double learning_rate = 1e-3;
  /// adamw: x <- x (1 - learning_rate * weight_decay) before the step; adam and sgd: weight_decay * x is
  /// added to the gradient.
  double weight_decay = 0.0;
  // Of adam and adamw.
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;  ///< added to the root of the corrected second moment
  bool amsgrad = false;   ///< divide by the largest second moment so far
  // Of sgd.
  double momentum = 0.0;
  double dampening = 0.0;  ///< share of a gradient that does not enter the momentum (from the second step on)
  bool nesterov = false;

  /// Throws usage_error for a value out of range, and for one that the rule would not heed.
  void check() const {
    auto const require = [](bool holds, char const* name, auto got, char const* expected) {
      if (!holds) fail_expected("optimizer_options." + std::string(name), std::to_string(got), expected);
    };
    auto const fraction = [](double value) { return value >= 0.0 && value < 1.0; };
    auto const not_negative = [](double value) { return value >= 0.0 && std::isfinite(value); };
    require(not_negative(learning_rate), "learning_rate", learning_rate, "0 or more");
    require(not_negative(weight_decay), "weight_decay", weight_decay, "0 or more");
    require(fraction(beta1), "beta1", beta1, "[0, 1)");
    require(fraction(beta2), "beta2", beta2, "[0, 1)");
    require(not_negative(epsilon), "epsilon", epsilon, "0 or more");
    require(not_negative(momentum), "momentum", momentum, "0 or more");
    require(std::isfinite(dampening), "dampening", dampening, "a finite number");
    if (rule == optimizer_rule::sgd) {
      require(!amsgrad, "amsgrad", 1, "0 with sgd");
      bool const plain = momentum > 0.0 && dampening == 0.0;
      require(!nesterov || plain, "nesterov", 1, "0 without momentum or with dampening");
      require(momentum > 0.0 || dampening == 0.0, "dampening", dampening, "0 without momentum");
    } else {
      require(momentum == 0.0, "momentum", momentum, "0 with adam and adamw");
      require(dampening == 0.0, "dampening", dampening, "0 with adam and adamw");
      require(!nesterov, "nesterov", 1, "0 with adam and adamw");
    }
  }
};

/// What an optimiser remembers, to be saved and restored: views of its arrays, each named
/// "<kind>.<parameter>".
template <std::floating_point Scalar>
struct optimizer_state {
  struct array {
    std::string name;
    std::span<Scalar const> values;
  };
  std::int64_t steps = 0;
  std::vector<array> arrays;
};

/// Moves parameters against their gradients. The arithmetic is done in `Scalar`, elementwise and in order, so
/// a run that is resumed from a saved state continues bit for bit.
template <std::floating_point Scalar>
class optimizer {
 public:
  /// Prepares for parameters of these names and sizes. Throws usage_error for options that do not fit
  /// together and for a name that occurs twice.
  optimizer(optimizer_options const& options, std::span<parameter_span<Scalar> const> parameters)
      : options_(options) {
    options_.check();
    for (auto const& parameter : parameters) {
      if (std::find(names_.begin(), names_.end(), parameter.name) != names_.end()) {
        fail_expected("optimizer", "two parameters named " + parameter.name, "a name for each");
      }
      names_.push_back(parameter.name);
      sizes_.push_back(parameter.value.size());
    }
    for (std::string_view const kind : kinds()) {
      auto& memory = memories_.emplace_back(std::string(kind));
      for (std::size_t const size : sizes_) memory.arrays.emplace_back(size);
    }
  }

  [[nodiscard]] optimizer_options const& options() const { return options_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }

  /// One step with the learning rate of the options.
  void step(std::span<parameter_span<Scalar> const> parameters) { step(parameters, options_.learning_rate); }

  /// One step. `parameters` are those of the constructor: same order, names and sizes. Throws usage_error
  /// where they are not, and lancet::error for a gradient that is not finite; then nothing has changed.
  void step(std::span<parameter_span<Scalar> const> parameters, double learning_rate) {
    if (!(learning_rate >= 0.0 && std::isfinite(learning_rate))) {
      fail_expected("optimizer::step", "learning rate " + std::to_string(learning_rate), "0 or more");
    }
    check_parameters(parameters);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto const& [name, value, gradient] = parameters[i];
      if (options_.rule == optimizer_rule::sgd) {
        step_sgd(i, value, gradient, learning_rate);
      } else {
        step_adam(i, value, gradient, learning_rate);
      }
    }
    ++steps_;
  }

  /// Views that are valid until the optimiser is stepped, restored or destroyed.
  [[nodiscard]] optimizer_state<Scalar> state() const {
    optimizer_state<Scalar> result{steps_, {}};
    for (auto const& memory : memories_) {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        result.arrays.push_back({memory.kind + "." + names_[i], memory.arrays[i]});
      }
    }
    return result;
  }

  /// Takes over a saved state, its arrays in any order. Throws usage_error, with nothing changed, unless
  /// there is exactly one array of each name and size that state() gives.
  void restore(optimizer_state<Scalar> const& saved) {
    auto const own = state();
    if (saved.steps < 0)
      fail_expected("optimizer::restore", std::to_string(saved.steps) + " steps", "0 or more");
    if (saved.arrays.size() != own.arrays.size()) {
      fail_expected("optimizer::restore", std::to_string(saved.arrays.size()) + " arrays",
                    std::to_string(own.arrays.size()));
    }
    std::vector<std::vector<Scalar>> values;
    for (auto const& array : own.arrays) {
      auto const found = std::find_if(saved.arrays.begin(), saved.arrays.end(),
                                      [&](auto const& candidate) { return candidate.name == array.name; });
      if (found == saved.arrays.end()) fail_expected("optimizer::restore", "no array " + array.name, "one");
      if (found->values.size() != array.values.size()) {
        fail_expected("optimizer::restore: " + array.name, std::to_string(found->values.size()) + " values",
                      std::to_string(array.values.size()));
      }
      values.emplace_back(found->values.begin(), found->values.end());
    }
    auto next = values.begin();
    for (auto& memory : memories_) {
      for (auto& values_of : memory.arrays) values_of = std::move(*next++);
    }
    steps_ = saved.steps;
  }

 private:
  struct kind_of_memory {
    explicit kind_of_memory(std::string name) : kind(std::move(name)) {}
    std::string kind;
    std::vector<std::vector<Scalar>> arrays;  // one a parameter, zero at first
  };

  [[nodiscard]] std::vector<std::string_view> kinds() const {
    if (options_.rule == optimizer_rule::sgd) {
      return options_.momentum > 0.0 ? std::vector<std::string_view>{"momentum"}
                                     : std::vector<std::string_view>{};
    }
    std::vector<std::string_view> names{"first_moment", "second_moment"};
    if (options_.amsgrad) names.push_back("largest_second_moment");
    return names;
  }

  void check_parameters(std::span<parameter_span<Scalar> const> parameters) const {
    if (parameters.size() != names_.size()) {
      fail_expected("optimizer::step", std::to_string(parameters.size()) + " parameters",
                    std::to_string(names_.size()));
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto const& [name, value, gradient] = parameters[i];
      if (name != names_[i]) fail_expected("optimizer::step", "parameter " + name, names_[i]);
      if (value.size() != sizes_[i] || gradient.size() != sizes_[i]) {
        fail_expected(
            "optimizer::step: " + name,
            std::to_string(value.size()) + " values and " + std::to_string(gradient.size()) + " gradients",
            std::to_string(sizes_[i]) + " of each");
      }
      if (!std::all_of(gradient.begin(), gradient.end(), [](Scalar g) { return std::isfinite(g); })) {
        throw error("optimizer::step: the gradient of " + name + " is not finite at step " +
                    std::to_string(steps_));
      }
    }
  }

  /// The memory of one kind for one parameter; empty where the rule has no such kind.
  [[nodiscard]] std::span<Scalar> array(std::size_t kind, std::size_t number) {
    return kind < memories_.size() ? std::span<Scalar>(memories_[kind].arrays[number]) : std::span<Scalar>{};
  }

  void step_sgd(std::size_t number, std::span<Scalar> x, std::span<Scalar const> gradient,
                double learning_rate) {
    auto const rate = static_cast<Scalar>(learning_rate);
    auto const decay = static_cast<Scalar>(options_.weight_decay);
    auto const momentum = static_cast<Scalar>(options_.momentum);
    auto const share = static_cast<Scalar>(1.0 - options_.dampening);
    std::span<Scalar> const average = array(0, number);
    for (std::size_t i = 0; i < x.size(); ++i) {
      Scalar g = gradient[i] + decay * x[i];
      if (!average.empty()) {
        average[i] = steps_ == 0 ? g : momentum * average[i] + share * g;
        g = options_.nesterov ? g + momentum * average[i] : average[i];
      }
      x[i] -= rate * g;
    }
  }

  void step_adam(std::size_t number, std::span<Scalar> x, std::span<Scalar const> gradient,
                 double learning_rate) {
    auto const count = static_cast<double>(steps_ + 1);
    bool const decoupled = options_.rule == optimizer_rule::adamw;
    auto const scalar = [](double value) { return static_cast<Scalar>(value); };
    // Both moments start at 0; rate and root take out that bias.
    adam_factors<Scalar> const factors{
        .kept = scalar(decoupled ? 1.0 - learning_rate * options_.weight_decay : 1.0),
        .decay = scalar(decoupled ? 0.0 : options_.weight_decay),
        .new_first = scalar(1.0 - options_.beta1),
        .beta2 = scalar(options_.beta2),
        .new_second = scalar(1.0 - options_.beta2),
        .rate = scalar(learning_rate / (1.0 - std::pow(options_.beta1, count))),
        .root = scalar(std::sqrt(1.0 - std::pow(options_.beta2, count))),
        .epsilon = scalar(options_.epsilon)};
    std::span<Scalar> const first = array(0, number), second = array(1, number), largest = array(2, number);
    for (std::size_t i = 0; i < x.size(); ++i)
      factors.step(gradient[i], x[i], first[i], second[i], largest.empty() ? nullptr : &largest[i]);
  }

  optimizer_options options_;
  std::vector<std::string> names_;
  std::vector<std::size_t> sizes_;
  std::vector<kind_of_memory> memories_;
  std::int64_t steps_ = 0;
};

}  // namespace lancet
