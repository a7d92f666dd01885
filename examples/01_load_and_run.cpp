// SPDX-License-Identifier: Apache-2.0
// Load a model and run it.
//
//   file or folder ──load_model──► transformer ──forward, logits──► what comes next
//                                              └──generate──► text
//
// Usage: 01_load_and_run [model.gguf | folder [prompt]]. Without arguments it writes the planted model, a
// small one with a planted stereotype, to a folder and loads that.
#include <cstdio>
#include <filesystem>

#include "lancet/io/planted_files.hpp"
#include "lancet/lancet.hpp"

#include "lancet/compiled.hpp"

using backend = lancet::backend::eigen<float>;

int main(int argc, char** argv) {
  std::string const planted = (std::filesystem::temp_directory_path() / "lancet_example_01").string();
  if (argc < 2) lancet::save_planted(planted);
  auto const model = lancet::load_model<backend>(argc < 2 ? planted : argv[1]);
  std::string const prompt = argc < 3 ? "The nurse said that" : argv[2];
  auto const& tokens = model.tokenizer();
  std::printf("%s: %td layers of %td heads, %td tokens\n", model.arch().family.c_str(), model.arch().layers,
              model.arch().heads, model.arch().vocabulary);

  // One forward pass over one prompt, without hooks. A workspace is reused from pass to pass.
  lancet::batch<backend> input;
  input.add(tokens.encode(prompt));
  lancet::workspace<backend> ws;
  lancet::hook_table<backend> none;
  lancet::index const last[] = {input.rows() - 1};
  lancet::forward(model, input, none, ws, last);  // reads the last row only
  lancet::logits(model, none, ws);                // ws.readout.logits: [1, V]

  lancet::const_view<backend> const row = ws.readout.logits;
  lancet::token best = 0;
  double sum = 0;
  for (lancet::index id = 0; id < row.cols; ++id) {
    sum += std::exp(static_cast<double>(row(0, id)));
    if (row(0, id) > row(0, best)) best = static_cast<lancet::token>(id);
  }
  std::printf("\"%s\" goes on with \"%s\": P = %.2f\n", prompt.c_str(),
              std::string(tokens.bytes(best)).c_str(), std::exp(static_cast<double>(row(0, best))) / sum);

  std::vector<std::vector<lancet::token>> const prompts{tokens.encode(prompt)};
  auto const made = lancet::generate(model, none, prompts, {.tokens = 4});
  std::printf("greedily: \"%s%s\"\n", prompt.c_str(), tokens.decode(made[0].ids).c_str());
  if (argc < 2) std::filesystem::remove_all(planted);
}
