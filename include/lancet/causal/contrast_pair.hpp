// SPDX-License-Identifier: Apache-2.0
// Contrast pairs and their splits: the data of causal effects, training and validation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lancet/hooks/place.hpp"

namespace lancet {

/// A prompt, its counterfactual of equal length, the answer whose probability matters, and the answer it is
/// weighed against.
struct contrast_pair {
  std::vector<token> clean;
  std::vector<token> corrupted;  ///< empty, or as long as clean
  std::vector<token> answer;
  std::vector<token> contrast;        ///< empty, or the other answer
  std::optional<layer_span> subject;  ///< token positions [first, last] of the subject in `clean`
  std::string clean_text, corrupted_text, answer_text, contrast_text, group;
  index line = 0;          ///< of the file it came from
  std::string other = {};  ///< a JSON object of the line's members that mean nothing here; empty: none
};

enum class split { train, validation, test };

[[nodiscard]] constexpr std::string_view name(split s) {
  return s == split::train ? "train" : s == split::validation ? "validation" : "test";
}

/// Pairs of one split. Splits are distinct types, so that `validate` cannot be given what was trained on.
template <split S>
struct pair_set {
  std::vector<contrast_pair> pairs;
  std::string source;  ///< the file, for messages and provenance

  [[nodiscard]] std::size_t size() const { return pairs.size(); }

  /// There is no such conversion; this says so in words.
  template <split Other>
  requires(Other != S) operator pair_set<Other>() const {
    static_assert(Other == S,
                  "lancet: pairs of one split were given where those of another are expected; what was "
                  "trained on is never validated on");
    return {};
  }
};
using training_pairs = pair_set<split::train>;
using validation_pairs = pair_set<split::validation>;
using test_pairs = pair_set<split::test>;

}  // namespace lancet
