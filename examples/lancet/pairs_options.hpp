// SPDX-License-Identifier: Apache-2.0
// Words of the command line that several verbs understand alike: splits, metrics, do-operators, pairs.
#pragma once

#include <string>
#include <vector>

#include "lancet/causal/do_operator.hpp"
#include "lancet/common.hpp"
#include "lancet/io/pairs.hpp"

namespace program {

[[nodiscard]] inline lancet::metric choose_metric(std::string const& word) {
  return choose<lancet::metric>("--metric", word,
                                {{"log_odds", lancet::log_odds{}},
                                 {"log_likelihood", lancet::log_likelihood{}},
                                 {"probability", lancet::probability{}},
                                 {"kl_divergence", lancet::kl_divergence{}}});
}

template <class B>
[[nodiscard]] lancet::pair_file read_pair_file(lancet::transformer<B> const& model, std::string const& path) {
  return lancet::read_pairs(path, model.has_tokenizer() ? &model.tokenizer() : nullptr);
}

/// The pairs of one split, by its name; an empty one is an error that names the file.
[[nodiscard]] inline std::vector<lancet::contrast_pair> pairs_of(lancet::pair_file const& file,
                                                                 std::string const& split) {
  std::vector<lancet::contrast_pair> const& out =
      *choose<std::vector<lancet::contrast_pair> const*>("--split", split,
                                                         {{"train", &file.train().pairs},
                                                          {"validation", &file.validation().pairs},
                                                          {"test", &file.test().pairs}});
  if (out.empty()) throw lancet::file_error(file.path(), "has no pairs in split " + split);
  return out;
}

/// `count` of the pairs, spread evenly; 0: all.
[[nodiscard]] inline std::vector<lancet::contrast_pair> spread(std::vector<lancet::contrast_pair> pairs,
                                                               lancet::index count) {
  lancet::index const n = std::ssize(pairs);
  if (count == 0 || count >= n) return pairs;
  std::vector<lancet::contrast_pair> out;
  for (lancet::index i = 0; i < count; ++i)
    out.push_back(std::move(pairs[static_cast<std::size_t>(i * n / count)]));
  return out;
}

/// Throws file_error, with the line, for a pair that lacks what a computation needs.
inline void require_members(lancet::pair_file const& file, std::vector<lancet::contrast_pair> const& pairs,
                            bool contrast, bool corrupted, bool subject) {
  for (lancet::contrast_pair const& p : pairs) {
    std::string const where = file.path() + ":" + std::to_string(p.line);
    if (contrast && p.contrast.empty())
      throw lancet::file_error(where, "has no 'contrast', which the metric log_odds needs");
    if (corrupted && p.corrupted.empty())
      throw lancet::file_error(where, "has no 'corrupted', which --do resample needs");
    if (subject && !p.subject) throw lancet::file_error(where, "has no 'subject', which --do noise needs");
  }
}

/// Throws file_error, with the line, for tokens that the model has no row for or a prompt longer than its
/// context.
inline void require_fit(lancet::pair_file const& file, std::vector<lancet::contrast_pair> const& pairs,
                        lancet::architecture const& arch) {
  for (lancet::contrast_pair const& p : pairs) {
    std::string const where = file.path() + ":" + std::to_string(p.line);
    for (auto const* const ids : {&p.clean, &p.corrupted, &p.answer, &p.contrast})
      for (lancet::token const id : *ids)
        if (id < 0 || id >= arch.vocabulary)
          throw lancet::file_error(where, "got token id " + std::to_string(id) + ", expected 0 to " +
                                              std::to_string(arch.vocabulary - 1));
    auto const longest =
        static_cast<lancet::index>(p.clean.size() + std::max(p.answer.size(), p.contrast.size()));
    if (longest > arch.context + 1)
      throw lancet::file_error(where, "prompt and answer have " + std::to_string(longest) +
                                          " tokens, expected no more than the model's context of " +
                                          std::to_string(arch.context) + " has room for");
  }
}

}  // namespace program
