// SPDX-License-Identifier: Apache-2.0
// Trained cuts of several sizes, found and random: the costly part of `lancet surgery`, kept on disk cut by
// cut.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lancet/model_verbs/surgery_plan.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

/// The n strongest units of a ranking, as a circuit.
[[nodiscard]] lancet::circuit first_units(lancet::circuit const& ranked, lancet::index n);

/// "size-3", or "size-3-random-0" for its controls.
[[nodiscard]] std::string trial_name(lancet::circuit const& found, lancet::index draw = -1);

/// Trains circuits on the same data, and says how they do on the validation split.
class workshop {
 public:
  workshop(model_type const& model, common_options const& common, surgery_options const& o,
           surgery_data const& data);

  /// Reads the frozen model once for all trainings that will start at these layers.
  void prepare(std::vector<lancet::index> layers);
  /// Trained, or taken from the folder trials/NAME, where an interrupted surgery left it.
  [[nodiscard]] lancet::intervention<backend> make(lancet::circuit const& c, std::string const& name);
  /// The seconds of a step of training, and the intervention after it; nothing is written.
  [[nodiscard]] std::pair<double, lancet::intervention<backend>> one_step(lancet::circuit const& c);
  /// How a trained circuit does on the validation split.
  [[nodiscard]] trial judge(lancet::intervention<backend>& made);

 private:
  model_type const& model_;
  common_options const& common_;
  surgery_options const& options_;
  surgery_data const& data_;
  lancet::training_options training_;
  lancet::training_data sees_;
  std::shared_ptr<lancet::training_cache<backend> const> cache_;
  std::optional<lancet::validator<backend>> judge_;
};

/// Sizes, found and random, up to the smallest found circuit that reaches the target; without one, the best
/// one.
[[nodiscard]] lancet::intervention<backend> find_cut(model_type const& model, common_options const& common,
                                                     surgery_options const& o, workshop& shop,
                                                     lancet::circuit const& ranked, surgery_results& r);

}  // namespace program::PROGRAM_BACKEND::surgery_verb
