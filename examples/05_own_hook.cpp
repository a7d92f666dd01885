// SPDX-License-Identifier: Apache-2.0
// Write a hook: a struct that lists its sites and has one `on` for each.
//
//   z ──► × factor ──► W_O        forward:  on(site::z, value)
//   ∂z ◄── × factor ◄──           backward: adjoint(site::z, gradient)
//
// A site that is listed but not handled, or handled but not listed, does not compile. docs/adding-a-hook.md
// says more.
#include <cstdio>

#include "lancet/lancet.hpp"
#include "lancet/planted.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;
namespace site = lancet::site;

/// Turns a head's output up or down.
struct volume {
  using edits = lancet::sites<site::z>;

  lancet::unit head;
  lancet::index head_dim;
  float factor = 1;

  [[nodiscard]] lancet::layer_span layers() const { return {head.layer, head.layer}; }
  void on(site::z, lancet::view<backend> value, lancet::place const&) const {
    lancet::ops::scale<backend>(factor, value.col_range(head.number * head_dim, head_dim));
  }
  void adjoint(site::z, lancet::view<backend> gradient, lancet::place const& at) const {
    on(site::z{}, gradient, at);  // linear: the adjoint is the map itself
  }
};

int main() {
  auto const [model, truth] = lancet::planted_model<backend>();
  auto const& tokens = model.tokenizer();
  volume first{truth.heads[0], model.arch().head_dim}, second{truth.heads[1], model.arch().head_dim};
  lancet::hook_table<backend>
      hooks;  // or hooks(first, second): composed at compile time, bit for bit the same
  hooks.add(first);
  hooks.add(second);

  std::vector<std::vector<lancet::token>> const prompts{tokens.encode("The nurse said that"),
                                                        tokens.encode("The queen said that")};
  for (float const factor : {1.0F, -1.0F}) {
    first.factor = second.factor = factor;
    std::printf("stereotype heads x %+.0f\n", static_cast<double>(factor));
    auto const made = lancet::generate(model, hooks, prompts, {.tokens = 2});
    for (std::size_t i = 0; i < prompts.size(); ++i)
      std::printf("  %s%s ...\n", tokens.decode(prompts[i]).c_str(), tokens.decode(made[i].ids).c_str());
  }
}
