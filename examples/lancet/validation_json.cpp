// SPDX-License-Identifier: Apache-2.0
#include "lancet/validation_json.hpp"

#include <cmath>

namespace program {

using json = nlohmann::ordered_json;

json number(std::optional<double> x) { return x && std::isfinite(*x) ? json(*x) : json(nullptr); }

json harm_json(lancet::harm_measure const& h) {
  return {{"metric", h.name},
          {"items", h.before.size()},
          {"before", number(h.mean_before)},
          {"after", number(h.mean_after)},
          {"reduction", number(h.reduction)},
          {"low", number(h.low)},
          {"high", number(h.high)},
          {"p", number(h.p)},
          {"test", "paired t-test"},
          {"effect_size", number(h.effect_size)},
          {"effect_size_name", "Cohen's d of the differences"}};
}

/// What a paired test says of the items' values, in nats.
static void tell_paired(json& out, lancet::paired_measure const& m) {
  out["p"] = number(m.p);
  out["effect_size"] = number(m.effect_size);
  out["difference_low"] = number(m.difference_low);
  out["difference_high"] = number(m.difference_high);
}

json keep_json(lancet::validation_result const& r) {
  json out = json::array();
  auto const add = [&](std::string name, std::size_t items, double before, double after) -> json& {
    out.push_back({{"name", std::move(name)},
                   {"items", items},
                   {"before", number(before)},
                   {"after", number(after)},
                   {"change", number(after / before - 1)}});
    return out.back();
  };
  if (!r.text.before.empty()) {
    json& text = add("perplexity", r.text.before.size(), r.text.perplexity_before, r.text.perplexity_after);
    tell_paired(text, r.text);  // of the windows' mean negative log-probability of a token
    text["kl"] = number(r.text.kl);
  }
  for (lancet::keep_measure const& k : r.keep) {
    add(k.name + "_accuracy", k.before.size(), k.accuracy_before, k.accuracy_after);
    json& odds = add(k.name + "_log_odds", k.before.size(), k.mean_before, k.mean_after);
    odds["unit"] = "nats";
    tell_paired(odds, k);
    lancet::paired_measure const& l = k.likelihood;
    json& likelihood = add(k.name + "_log_likelihood", l.before.size(), l.mean_before, l.mean_after);
    likelihood["change"] = nullptr;  // of a negative number, a relative one reads the wrong way round
    likelihood["unit"] = "nats";
    tell_paired(likelihood, l);
  }
  return out;
}

json verdict_json(lancet::verdict const& v) {
  auto const flag = [](std::optional<bool> x) { return x ? json(*x) : json(nullptr); };
  return {{"harm_halved", v.harm_halved},
          {"collateral_within_5_percent", flag(v.collateral_within_5_percent)},
          {"significant", v.significant},
          {"keeps_answers", flag(v.keeps_answers)}};
}

json item_json(lancet::contrast_pair const& pair, std::string const& text, double before, double after) {
  json out{{"text", text}, {"group", pair.group}, {"before", number(before)}, {"after", number(after)}};
  if (!pair.other.empty()) out["other"] = json::parse(pair.other);
  return out;
}

json unmeasured_json(lancet::validation_result const& r) {
  json out = json::array();
  if (r.text.before.empty())
    out.push_back("No held-out text was given: collateral damage to text is not measured.");
  if (r.keep.empty())
    out.push_back("No pairs to keep were given: whether other answers stay is not measured.");
  return out;
}

}  // namespace program
