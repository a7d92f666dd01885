// SPDX-License-Identifier: Apache-2.0
// The planted model: the bias is there, its cause is exactly what was planted, and the rest does not need it.
#define BOOST_TEST_MODULE planted_planted
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>
#include <list>
#include <set>

#include "lancet/backend/reference.hpp"
#include "lancet/causal/activation_patching.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/circuit/select.hpp"
#include "lancet/hooks/patch.hpp"
#include "lancet/model/generate.hpp"
#include "lancet/model/score.hpp"
#include "lancet/planted.hpp"
#include "support/errors.hpp"
#include "support/near.hpp"

namespace lancet_test {

using lancet::index;
using lancet::planted_line;
using lancet::split;
using lancet::token;
using lancet::unit;
using lancet::usage_error;
using fast = lancet::backend::eigen<float>;

/// log P(answer) − log P(contrast) after each line's clean text.
template <class B>
std::vector<double> log_odds_of(lancet::transformer<B> const& model, lancet::hook_table<B>& hooks,
                                std::vector<planted_line> const& lines) {
  lancet::workspace<B> ws;
  lancet::batch<B> input;
  lancet::readout_plan plan;
  auto const& tokens = model.tokenizer();
  for (planted_line const& line : lines) {
    input.add(tokens.encode(line.clean));
    plan.rows.push_back(input.rows() - 1);
    index const row = std::ssize(plan.rows) - 1;
    plan.queries.push_back({row, tokens.encode(line.answer).at(0), 1.0, plan.examples});
    plan.queries.push_back({row, tokens.encode(line.contrast).at(0), -1.0, plan.examples++});
  }
  lancet::forward(model, input, hooks, ws, std::span<index const>(plan.rows));
  return lancet::readout<B, lancet::architecture, lancet::hook_table<B>>(model, hooks, ws).values(plan);
}

/// Some units set to zero everywhere.
template <class B>
class zeroed {
 public:
  zeroed(lancet::transformer<B> const& model, std::vector<unit> const& units) {
    for (unit const& u : units) {
      index const width = lancet::columns_of(model.arch(), u.kind).width;
      lancet::target const where{u.layer, {}, {}, lancet::head_columns(u.number, width)};
      if (u.kind == lancet::unit_kind::head)
        table.add(heads_.emplace_back(where));
      else
        table.add(neurons_.emplace_back(where));
    }
  }
  lancet::hook_table<B> table;

 private:
  std::list<lancet::ablate<B, lancet::site::z>> heads_;
  std::list<lancet::ablate<B, lancet::site::mlp_post>> neurons_;
};

double smallest(std::vector<double> const& x) { return *std::min_element(x.begin(), x.end()); }
double largest_size(std::vector<double> const& x) {
  double out = 0;
  for (double const v : x) out = std::max(out, std::abs(v));
  return out;
}

std::vector<std::vector<token>> windows(lancet::tokenizer const& tokens, split part) {
  std::string text = lancet::planted_text(part, 8);
  text.pop_back();  // the line feed at its end
  std::vector<std::vector<token>> out;
  for (std::size_t at = 0; at < text.size();) {
    auto const end = std::min(text.find("\n\n", at), text.size());
    out.push_back(tokens.encode(std::string_view(text).substr(at, end - at)));
    at = end + 2;
  }
  return out;
}

std::vector<unit> others(lancet::architecture const& a, lancet::unit_kind kind,
                         std::vector<unit> const& except) {
  std::vector<unit> out;
  for (unit const& u : lancet::detail::all_units(a, kind, lancet::positions::all, 0))
    if (std::find(except.begin(), except.end(), u) == except.end()) out.push_back(u);
  return out;
}

auto const occupations = lancet::planted_occupation_lines();
auto const stated = lancet::planted_stated_lines();

BOOST_AUTO_TEST_CASE(bias_is_there_and_stated_gender_is_right) {
  for (std::uint64_t const seed : {1U, 2U, 3U}) {
    auto const made = lancet::planted_model<fast>({.seed = seed});
    lancet::hook_table<fast> none;
    BOOST_TEST(smallest(log_odds_of(made.model, none, occupations)) > 1.0);
    BOOST_TEST(smallest(log_odds_of(made.model, none, stated)) > 2.0);
  }
}

BOOST_AUTO_TEST_CASE(cutting_the_planted_units_removes_the_bias_alone) {
  auto const made = lancet::planted_model<fast>();
  auto const& arch = made.model.arch();
  auto const text = windows(made.model.tokenizer(), split::test);
  lancet::workspace<fast> ws;
  lancet::hook_table<fast> none;
  auto const before = log_odds_of(made.model, none, stated);
  double const perplexity =
      lancet::perplexity(lancet::log_probabilities(made.model, none, std::span(text), ws));
  BOOST_TEST(perplexity < 8.0);  // of a vocabulary of 223

  for (auto const& cause : {made.truth.heads, made.truth.neurons}) {
    zeroed<fast> cut(made.model, cause);
    BOOST_TEST(largest_size(log_odds_of(made.model, cut.table, occupations)) < 0.3);
    auto const after = log_odds_of(made.model, cut.table, stated);
    for (std::size_t i = 0; i < after.size(); ++i) near(after[i], before[i], 0.25, stated[i].clean);
    near(lancet::perplexity(lancet::log_probabilities(made.model, cut.table, std::span(text), ws)) /
             perplexity,
         1, 0.005, "perplexity");
  }

  // Without every other head or neuron, the bias is still there.
  auto kept = made.truth.heads;
  kept.push_back(made.truth.stated_heads[0]);
  for (auto const& rest : {others(arch, lancet::unit_kind::head, kept),
                           others(arch, lancet::unit_kind::neuron, made.truth.neurons)}) {
    zeroed<fast> cut(made.model, rest);
    BOOST_TEST(smallest(log_odds_of(made.model, cut.table, occupations)) > 1.0);
    BOOST_TEST(smallest(log_odds_of(made.model, cut.table, stated)) > 2.0);
  }

  zeroed<fast> wrong(made.model, made.truth.stated_heads);
  BOOST_TEST(smallest(log_odds_of(made.model, wrong.table, occupations)) > 1.0);
  BOOST_TEST(largest_size(log_odds_of(made.model, wrong.table, stated)) < 0.3);
}

BOOST_AUTO_TEST_CASE(no_distractors_no_rest) {
  auto const made = lancet::planted_model<fast>({.distractors = 0});
  for (auto const& cause : {made.truth.heads, made.truth.neurons}) {
    zeroed<fast> cut(made.model, cause);
    BOOST_TEST(largest_size(log_odds_of(made.model, cut.table, occupations)) < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(exact_patching_finds_exactly_the_planted_units) {
  for (std::uint64_t const seed : {1U, 2U, 3U}) {
    auto const made = lancet::planted_model<fast>({.seed = seed});
    auto const pairs = lancet::planted_pairs<split::validation>(occupations, made.model.tokenizer());
    for (auto const direction : {lancet::denoise, lancet::noise})
      for (auto const kind : {lancet::unit_kind::head, lancet::unit_kind::neuron}) {
        auto const effects = lancet::activation_patching(made.model, pairs,
                                                         {.metric = lancet::log_odds{},
                                                          .change = lancet::resample{},
                                                          .direction = direction,
                                                          .unit = kind});
        auto const& planted = kind == lancet::unit_kind::head ? made.truth.heads : made.truth.neurons;
        double least = 1e300, most = 0;
        for (std::size_t u = 0; u < effects.units.size(); ++u) {
          double const size = std::abs(effects.mean(u));
          if (std::find(planted.begin(), planted.end(), effects.units[u]) != planted.end())
            least = std::min(least, size);
          else
            most = std::max(most, size);
        }
        BOOST_TEST(least > 0.4);
        BOOST_TEST(most > 0);  // distractors do something
        BOOST_TEST(least >= 10 * most, lancet::name(direction)
                                           << " " << lancet::name(kind) << ", seed " << seed << ": " << least
                                           << " against " << most);
      }
  }
}

// Gradients are the estimate, but here it is good enough: the units of largest estimate are those that were planted.
BOOST_AUTO_TEST_CASE(attribution_and_integrated_gradients_rank_the_planted_units_first) {
  auto const made = lancet::planted_model<fast>();
  auto const pairs = lancet::planted_pairs<split::validation>(occupations, made.model.tokenizer());
  for (index const steps : {0, 8})
    for (auto const kind : {lancet::unit_kind::head, lancet::unit_kind::neuron}) {
      auto const effects = lancet::attribution_patching(
          made.model, pairs,
          {.metric = lancet::log_odds{}, .direction = lancet::denoise, .unit = kind, .steps = steps});
      auto const& planted = kind == lancet::unit_kind::head ? made.truth.heads : made.truth.neurons;
      auto const top = lancet::select_circuit(effects, lancet::top{std::ssize(planted)});
      BOOST_TEST((std::set<unit>(top.units.begin(), top.units.end()) ==
                  std::set<unit>(planted.begin(), planted.end())),
                 lancet::name(kind) << ", " << steps << " steps");
    }
}

BOOST_AUTO_TEST_CASE(continuations_read_well) {
  auto const made = lancet::planted_model<fast>();
  auto const& tokens = made.model.tokenizer();
  std::vector<std::vector<token>> prompts;
  for (char const* text :
       {"The nurse felt that", "The surgeon felt that", "The wife felt that", "My husband replied that"})
    prompts.push_back(tokens.encode(text));
  lancet::hook_table<fast> none;
  auto const out = lancet::generate(made.model, none, prompts, {.tokens = 4, .stop = tokens.encode(".")});
  char const* const begin[] = {" she was", " he was", " she was", " he was"};
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::string const text = tokens.decode(out[i].ids);
    BOOST_TEST(text.starts_with(begin[i]), text);
    BOOST_TEST(out[i].stopped, text);
  }
}

BOOST_AUTO_TEST_CASE(data_is_disjoint_and_of_whole_words) {
  auto const tokens = lancet::planted_tokenizer();
  auto const whole = [&](std::string const& text) {
    auto const ids = tokens.encode(text);
    for (token const id : ids) BOOST_TEST((id >= 96 || tokens.bytes(id) == "."), text);
    return ids;
  };
  for (auto const* lines : {&occupations, &stated}) {
    std::map<std::string, split> subjects, patterns;
    for (planted_line const& l : *lines) {
      for (auto const& subject : {l.subject, l.partner})
        BOOST_TEST((subjects.emplace(subject, l.part).first->second == l.part));
      BOOST_TEST((patterns.emplace(l.pattern, l.part).first->second == l.part));
      BOOST_TEST(whole(l.clean).size() == whole(l.corrupted).size());
      BOOST_TEST(whole(l.answer).size() == 1U);
      BOOST_TEST(l.answer != l.contrast);
    }
  }
  BOOST_TEST(occupations.size() == 144U);
  BOOST_TEST(stated.size() == 88U);
  auto const pairs = lancet::planted_pairs<split::test>(occupations, tokens);
  BOOST_REQUIRE_EQUAL(pairs.size(), 48U);
  for (auto const& p : pairs.pairs) {
    BOOST_TEST(p.subject->first == p.subject->last);
    BOOST_TEST(tokens.bytes(p.clean[static_cast<std::size_t>(p.subject->first)]) ==
               " " + occupations[static_cast<std::size_t>(p.line - 1)].subject);
  }

  std::set<std::string> seen;
  auto const sentences = [&](split part, bool fresh) {
    std::string text = lancet::planted_text(part);
    std::replace(text.begin(), text.end(), '\n', ' ');
    for (std::size_t at = 0, end; (end = text.find('.', at)) != text.npos; at = end + 1) {
      std::string const sentence = text.substr(at, end - at);
      if (fresh)
        BOOST_TEST(!seen.contains(sentence), sentence);
      else
        seen.insert(sentence);
    }
  };
  sentences(split::train, false);
  sentences(split::test, true);
  for (split const part : {split::train, split::test})
    for (auto const& window : windows(tokens, part)) {
      BOOST_TEST(window.size() <= 128U);
      for (token const id : window) BOOST_TEST((id >= 96 || tokens.bytes(id) == "."));
    }
  BOOST_TEST(lancet::planted_text(split::train) == lancet::planted_text(split::train));
  BOOST_TEST(lancet::planted_text(split::train, 24, 1) != lancet::planted_text(split::train, 24, 2));
  check_throws<usage_error>([] { (void)lancet::planted_text(split::validation); }, "got split validation");
}

BOOST_AUTO_TEST_CASE(tokenizer_takes_any_text) {
  auto const tokens = lancet::planted_tokenizer();
  BOOST_TEST(tokens.encode("The nurse said that").size() == 4U);
  BOOST_TEST(tokens.encode(" she").size() == 1U);
  for (std::string const text : {"A zebra, 42 of them!\n", "Nurses (said) that"})
    BOOST_TEST(tokens.decode(tokens.encode(text)) == text);
}

BOOST_AUTO_TEST_CASE(same_options_same_model) {
  auto const one = lancet::planted_model<fast>(), again = lancet::planted_model<fast>(),
             other = lancet::planted_model<fast>({.seed = 2});
  BOOST_TEST(one.model.identity().sha256 == again.model.identity().sha256);
  BOOST_TEST(one.model.identity().sha256 != other.model.identity().sha256);
  using slow = lancet::backend::reference<double>;
  auto const reference = lancet::planted_model<slow>();
  BOOST_TEST(one.model.identity().sha256 == reference.model.identity().sha256);
  lancet::hook_table<fast> none;
  lancet::hook_table<slow> none_slow;
  auto const a = log_odds_of(one.model, none, stated);
  auto const b = log_odds_of(reference.model, none_slow, stated);
  for (std::size_t i = 0; i < a.size(); ++i) near(a[i], b[i], 1e-4);
  double const nan = std::numeric_limits<double>::quiet_NaN();
  check_throws<usage_error>([&] { (void)lancet::planted_model<fast>({.bias = nan}); },
                            "expected finite numbers");
  check_throws<usage_error>([] { (void)lancet::planted_model<fast>({.distractors = -1}); }, "distractors -1");
}

}  // namespace lancet_test
