// SPDX-License-Identifier: Apache-2.0
// What `lancet surgery` is told and what it finds out, stage by stage; the report is made from it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lancet/circuit/evaluate.hpp"
#include "lancet/circuit/select.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/pairs.hpp"
#include "lancet/model_verbs/model.hpp"
#include "lancet/validate/validate.hpp"

namespace program::PROGRAM_BACKEND::surgery_verb {

using lancet::index;

struct surgery_options {
  std::string pairs, neutral, held_out, prompts;
  std::vector<std::string> keep_pairs;
  std::string harm_name = "harm";
  index exact_examples = 24;  ///< training pairs on which effects are exact
  std::vector<index> sizes{1, 2, 3, 5};
  bool every_size = false;  ///< train all sizes, not only up to the first that reaches the target
  index draws = 3;          ///< random circuits of each size
  double target = 0.8;      ///< reduction on validation pairs that a size must reach
  index rank = 4;
  index steps = 100;
  double learning_rate = 1e-2;
  double keep_weight = 1;
  double norm_weight = 0;
  index batch = 16;       ///< pairs of the harm a step
  index keep_batch = 16;  ///< pairs to keep a step
  std::string objective = "counterfactual_gap";
  index window = 128;  ///< tokens of a window of text
};

/// Windows of text on which each control and strength is judged; the same for all.
inline constexpr index validated_windows = 16;

/// The breaker and the training that the options ask for.
[[nodiscard]] lancet::circuit_breaker breaker_of(surgery_options const& o);
[[nodiscard]] lancet::training_options training_of(surgery_options const& o, std::uint64_t seed);
/// All hyper-parameters of the two, by name.
[[nodiscard]] nlohmann::json training_settings(surgery_options const& o);

/// A prompt to be continued; with an answer and its contrast, the harm is measured at its end.
struct generation_prompt {
  std::string text;
  std::optional<lancet::contrast_pair> harm;
};

/// Data as read, with the hashes of its files.
struct surgery_data {
  lancet::pair_file pairs;
  std::vector<std::pair<std::string, lancet::pair_file>> keep;
  std::vector<std::vector<lancet::token>> neutral, held_out;
  std::vector<generation_prompt> prompts;
  std::map<std::string, std::string> hashes;
};

/// One trained circuit: found or random, on the validation split.
struct trial {
  lancet::circuit circuit;
  double reduction = 0;               ///< of the mean gap on validation pairs
  std::optional<double> keep_change;  ///< of the keep pairs' accuracy; none without keep pairs
  std::optional<double> keep_loss;    ///< of the keep pairs' mean log-odds: the share that is gone
};

struct surgery_size {
  index units;
  trial found;
  std::vector<trial> random;
};

struct dose_point {
  double alpha, harm, reduction, perplexity_change;
  std::optional<double> keep_accuracy;
};

/// Where one head looks on the example of the positions.
struct attention_pattern {
  index layer, head;
  std::vector<float> weights;  ///< [n, n], row i: from token i
};

struct generation_pair {
  std::string prompt, before, after;
  std::optional<double> harm_before, harm_after;  ///< log-odds at the prompt's end
};

struct surgery_results {
  lancet::effect_table heads, mlps, positions, attribution, neurons;
  std::vector<std::string> position_tokens;
  std::vector<attention_pattern> attention;  ///< by |effect|, so the circuit's heads first
  lancet::circuit circuit;
  std::vector<std::pair<index, lancet::measured_share>> faithfulness;  ///< by circuit size
  std::vector<surgery_size> sizes;
  bool target_reached = false;  ///< on validation, by the size that was taken
  lancet::validation_result validation;
  std::vector<std::pair<std::string, lancet::validation_result>> controls;
  lancet::text_measure control_text;  ///< of the surgery, on the windows that controls and doses see
  std::vector<dose_point> dose;
  std::vector<generation_pair> generations;
  double effects_seconds = 0, circuit_seconds = 0, training_seconds = 0, validation_seconds = 0;
  index trainable = 0;
};

/// report.json, from everything that was found out.
[[nodiscard]] nlohmann::ordered_json make_report(model_type const& model, common_options const& common,
                                                 surgery_options const& options, surgery_data const& data,
                                                 surgery_results const& results,
                                                 lancet::intervention<backend> const& made);

}  // namespace program::PROGRAM_BACKEND::surgery_verb
