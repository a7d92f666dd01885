// SPDX-License-Identifier: Apache-2.0
// Record what passes by at a site: here where each head looks from the last word.
//
//             The  nurse  said  that
//   head 2.1    ·     █     ·     ·     softmax(q·k), the site `pattern`
//
// A recorder is a hook policy like any other; its sites are named in its type, and only they are stored.
#include <cstdio>

#include "lancet/lancet.hpp"
#include "lancet/planted.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;
namespace site = lancet::site;

int main() {
  auto const [model, truth] = lancet::planted_model<backend>();
  auto const words = model.tokenizer().encode("The nurse said that");

  lancet::record<backend, site::pattern> seen;
  lancet::hook_table<backend> hooks;
  hooks.add(seen);

  lancet::batch<backend> input;
  lancet::index const segment = input.add(words);
  lancet::workspace<backend> ws;
  lancet::forward(model, input, hooks, ws);

  std::printf("from the last word:");
  for (lancet::token const id : words) std::printf("%7s", std::string(model.tokenizer().bytes(id)).c_str());
  std::printf("\n");
  for (lancet::index layer = 0; layer < model.arch().layers; ++layer) {
    auto const pattern =
        seen.get<site::pattern>(layer, segment);  // [H·n, n], row h·n + i: head h from word i
    for (lancet::index head = 0; head < model.arch().heads; ++head) {
      auto const from_last = pattern.row_range((head + 1) * std::ssize(words) - 1, 1);
      std::printf("head %td.%td           ", layer, head);
      for (lancet::index to = 0; to < from_last.cols; ++to)
        std::printf("%7.2f", static_cast<double>(from_last(0, to)));
      std::printf("%s\n", std::find(truth.heads.begin(), truth.heads.end(),
                                    lancet::unit{lancet::unit_kind::head, layer, head}) != truth.heads.end()
                              ? "  <- moves the stereotype"
                              : "");
    }
  }
}
