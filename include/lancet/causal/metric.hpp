// SPDX-License-Identifier: Apache-2.0
// Metrics: what is read at the end of a run to say how much the model holds an answer.
#pragma once

#include <cmath>
#include <string_view>

#include "lancet/causal/contrast_pair.hpp"
#include "lancet/model/readout.hpp"

namespace lancet {

/// log P(answer | prompt), nats, summed over the answer's tokens.
struct log_likelihood {};
/// log P(answer | prompt) − log P(contrast | prompt), nats.
struct log_odds {};
/// P(answer | prompt).
struct probability {};

/// KL(P_clean ‖ P) of the token after the prompt, nats: how far a run's prediction is from the clean run's.
struct kl_divergence {};

/// One of the above, chosen at run time. There is no default: a metric that changes a number is never
/// invisible.
class metric {
 public:
  enum class kind { log_likelihood, log_odds, probability, kl_divergence };
  constexpr metric(log_likelihood) : kind_(kind::log_likelihood) {}
  constexpr metric(log_odds) : kind_(kind::log_odds) {}
  constexpr metric(probability) : kind_(kind::probability) {}
  constexpr metric(kl_divergence) : kind_(kind::kl_divergence) {}

  [[nodiscard]] constexpr kind which() const { return kind_; }
  [[nodiscard]] constexpr std::string_view name() const {
    constexpr std::string_view names[] = {"log_likelihood", "log_odds", "probability", "kl_divergence"};
    return names[static_cast<int>(kind_)];
  }
  [[nodiscard]] constexpr bool needs_answer() const { return kind_ != kind::kl_divergence; }
  [[nodiscard]] constexpr bool needs_contrast() const { return kind_ == kind::log_odds; }
  /// True if runs are compared with what the clean run predicts.
  [[nodiscard]] constexpr bool needs_clean_prediction() const { return kind_ == kind::kl_divergence; }

  /// The metric's value from the linear value Σ coefficient·log P, and its derivative with respect to that.
  [[nodiscard]] double value(double linear) const {
    return kind_ == kind::probability ? std::exp(linear) : linear;
  }
  [[nodiscard]] double slope(double linear) const {
    return kind_ == kind::probability ? std::exp(linear) : 1.0;
  }

 private:
  kind kind_;
};

/// A sequence to run and what to read of it: `row` of a query is a position of the sequence.
struct prompt {
  std::vector<token> tokens;
  std::vector<token_query> queries;
  index length = 0;  ///< of the prompt itself, without the answer's tokens that follow it
};

/// Throws usage_error for answers of several tokens where every token sees every token: the model would read the
/// answer that it is asked for.
template <class Arch>
void require_unseen_answer(Arch const& arch, contrast_pair const& pair) {
  if (!arch.causal && (pair.answer.size() > 1 || pair.contrast.size() > 1))
    throw usage_error("metric: line " + std::to_string(pair.line) +
                      ": got an answer of several tokens, which " + std::string(arch.family) +
                      " would see; expected one token");
}

/// The runs that a metric needs of one prompt: one where answers are single tokens, one an answer otherwise.
/// `example` is written into the queries; `clean` is what the clean run predicts, where the metric needs it.
[[nodiscard]] inline std::vector<prompt> metric_prompts(metric m, contrast_pair const& pair,
                                                        std::vector<token> const& text, index example,
                                                        std::shared_ptr<prediction const> clean = nullptr) {
  if (text.empty())
    throw usage_error("metric: line " + std::to_string(pair.line) + ": the prompt has no tokens");
  if (m.needs_clean_prediction()) {
    if (!clean)
      throw usage_error("metric " + std::string(m.name()) +
                        " compares with a clean run: it serves effects and circuits, "
                        "not training or validation");
    return {{text, {{std::ssize(text) - 1, -1, 1.0, example, std::move(clean)}}, std::ssize(text)}};
  }
  if (pair.answer.empty())
    throw usage_error("metric: line " + std::to_string(pair.line) + ": the answer has no tokens");
  if (m.needs_contrast() && pair.contrast.empty())
    throw usage_error("metric log_odds: line " + std::to_string(pair.line) + " has no contrast");
  auto const one = [&](std::vector<token> const& answer, double coefficient) {
    prompt p{text, {}, std::ssize(text)};
    p.tokens.insert(p.tokens.end(), answer.begin(), answer.end() - 1);
    for (std::size_t i = 0; i < answer.size(); ++i)
      p.queries.push_back({p.length - 1 + static_cast<index>(i), answer[i], coefficient, example});
    return p;
  };
  std::vector<prompt> out{one(pair.answer, 1)};
  if (!m.needs_contrast()) return out;
  prompt other = one(pair.contrast, -1);
  if (pair.answer.size() == 1 && pair.contrast.size() == 1)
    out[0].queries.push_back(other.queries[0]);
  else
    out.push_back(std::move(other));
  return out;
}

/// What the model predicts after each pair's clean prompt, where the metric needs it; else nulls.
template <class B, class Arch>
[[nodiscard]] std::vector<std::shared_ptr<prediction const>> clean_predictions(
    transformer<B, Arch> const& model, metric m, std::span<contrast_pair const> pairs, workspace<B>& ws) {
  std::vector<std::shared_ptr<prediction const>> out(pairs.size());
  if (!m.needs_clean_prediction()) return out;
  hook_table<B> none;
  std::vector<typename B::scalar> host(static_cast<std::size_t>(sizes<Arch>(model.arch()).outputs));
  std::vector<double> lse(1);
  for (std::size_t e = 0; e < pairs.size(); ++e) {
    if (pairs[e].clean.empty())
      throw usage_error("metric: line " + std::to_string(pairs[e].line) + ": the prompt has no tokens");
    batch<B> input;
    input.add(pairs[e].clean);
    index const last = std::ssize(pairs[e].clean) - 1;
    forward(model, input, none, ws, std::span(&last, 1));
    logits(model, none, ws);
    ops::log_sum_exp<B>(ws.readout.logits, lse);
    B::download(ws.readout.logits, host.data());
    auto made = std::make_shared<prediction>();
    for (typename B::scalar const v : host) {
      double const log_p = static_cast<double>(v) - lse[0];
      made->p.push_back(std::exp(log_p));
      made->negative_entropy += made->p.back() * log_p;
    }
    out[e] = std::move(made);
  }
  return out;
}

}  // namespace lancet
