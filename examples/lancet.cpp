// SPDX-License-Identifier: Apache-2.0
// The program `lancet`: every stage of the library from the command line. docs/command-line.md describes it.
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lancet/backends.hpp"
#include "lancet/verbs.hpp"
#include "lancet/version.hpp"

namespace {

/// The command as a shell would take it again.
std::string quoted(int argc, char** argv) {
  std::string out;
  for (int i = 0; i < argc; ++i) {
    std::string_view const word = argv[i];
    out += i == 0 ? "" : " ";
    if (!word.empty() &&
        word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_") ==
            word.npos) {
      out += word;
      continue;
    }
    out += '\'';
    for (char const c : word) c == '\'' ? out += "'\\''" : out += c;
    out += '\'';
  }
  return out;
}

template <class Number>
void read_number(char const* name, Number least, Number& into) {
  char const* const text = std::getenv(name);
  if (text == nullptr || *text == '\0') return;
  std::string_view const all = text;
  auto const [end, code] = std::from_chars(all.data(), all.data() + all.size(), into);
  if (code != std::errc() || end != all.data() + all.size() || into < least)
    lancet::fail_expected(name, "'" + std::string(all.substr(0, 80)) + "'",
                          "an integer from " + std::to_string(least));
}

/// What the environment says; options on the command line come later and win.
void read_environment(program::common_options& common) {
  auto const text = [](char const* name, std::string& into) {
    if (char const* const value = std::getenv(name); value != nullptr && *value != '\0') into = value;
  };
  text("LANCET_MODEL", common.model);
  text("LANCET_BACKEND", common.backend);
  read_number("LANCET_THREADS", 1, common.threads);
  read_number("LANCET_SEED", std::uint64_t{0}, common.seed);
  std::string quiet;
  text("LANCET_QUIET", quiet);
  common.quiet = !quiet.empty() && quiet != "0";
}

/// --backend, which may stand anywhere. It says which verbs are meant, so it is read before they are.
void read_backend(int argc, char** argv, program::common_options& common) {
  CLI::App only;
  only.set_help_flag();
  only.allow_extras();
  only.add_option("--backend", common.backend);
  only.parse(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  program::common_options common;
  common.command = quoted(argc, argv);
  CLI::App app("Surgical circuit interventions in transformer language models.", "lancet");
  app.set_version_flag("--version", std::string("lancet ") + lancet::version);
  app.require_subcommand(1);
  app.footer(
      "lancet VERB --help tells more of a verb. Exit status: 0 done, 1 failed, 2 wrong usage, 3 bad input "
      "file, 4 out of memory or "
      "disk, 130 interrupted.");
  return program::run_guarded(app, common, [&] {
    read_environment(common);
    read_backend(argc, argv, common);
    program::add_backend(app, common);
    program::choose_backend(common.backend).add_verbs(app, common);
    program::add_tokens(app, common);
    program::add_atlas(app, common);
    program::add_report(app, common);
    program::handle_interruption(common.command);
    app.parse(argc, argv);
  });
}
