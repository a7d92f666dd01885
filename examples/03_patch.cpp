// SPDX-License-Identifier: Apache-2.0
// Patch a value of one run into another: the causal question, by hand.
//
//   The nurse    said that ──► head 2.1's output ──┐
//                                                  ▼  do(z = its value there)
//   The mechanic said that ──────────────────► head 2.1 ──► she or he?
//
// What moves the answer carries the cause. The sweep of example 04 asks this of every head.
#include <cstdio>

#include "lancet/lancet.hpp"
#include "lancet/planted.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;
namespace site = lancet::site;

int main() {
  auto const planted = lancet::planted_model<backend>();
  auto const& model = planted.model;
  auto const& tokens = model.tokenizer();
  lancet::token const she = tokens.encode(" she")[0], he = tokens.encode(" he")[0];
  lancet::workspace<backend> ws;

  // log P(she) − log P(he) at the end of a text, under some hooks.
  auto const log_odds = [&](char const* text, lancet::hook_table<backend>& hooks) {
    lancet::batch<backend> input;
    input.add(tokens.encode(text));
    lancet::index const last[] = {input.rows() - 1};
    lancet::forward(model, input, hooks, ws, last);
    lancet::logits(model, hooks, ws);
    auto const row = ws.readout.logits.all();
    return static_cast<double>(row(0, she) - row(0, he));
  };

  lancet::record<backend, site::z> nurse;  // z: what each head read, before W_O
  lancet::hook_table<backend> recording, none;
  recording.add(nurse);
  std::printf("nurse:                            %+.2f\n", log_odds("The nurse said that", recording));
  std::printf("mechanic:                         %+.2f\n", log_odds("The mechanic said that", none));

  for (lancet::unit const& head : planted.truth.heads) {
    auto const columns = lancet::head_columns(head.number, model.arch().head_dim);
    auto const value = nurse.get<site::z>(head.layer).col_range(columns.first, model.arch().head_dim);
    lancet::target where;
    where.layer = head.layer;
    where.columns = columns;
    lancet::patch<backend, site::z> from_nurse(where, value);
    lancet::hook_table<backend> hooks;
    hooks.add(from_nurse);
    std::printf("mechanic with %s of nurse:  %+.2f\n", lancet::text(head).c_str(),
                log_odds("The mechanic said that", hooks));
  }
}
