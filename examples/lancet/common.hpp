// SPDX-License-Identifier: Apache-2.0
// What the verbs of the program share: options, loading, the summary at the end, errors as exit statuses.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/core/progress.hpp"

namespace program {

/// Options that verbs have in common; one object for the whole program.
struct common_options {
  std::string model;
  int threads = 0;  ///< 0: as many as the machine has
  std::uint64_t seed = 0;
  std::string backend = "eigen";
  std::string output;
  bool json = false;
  bool quiet = false;
  bool dry_run = false;

  std::string command;  ///< as it was typed, quoted for a shell: for provenance and for resuming
  double load_seconds = 0;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

/// Which of the common options a verb takes, besides --json and --quiet.
struct takes {
  bool model = true;  ///< --model (required), --threads, --seed, --backend
  bool output = false;
  bool dry_run = false;
};
void add_common(CLI::App& verb, common_options& common, takes what);
/// --backend; before a verb it means the same as after it.
void add_backend(CLI::App& verb, common_options& common);

/// --threads, from now on.
void use_threads(common_options const& common);

/// {"seconds": computing, "load_seconds": …, "peak_bytes": …, "threads": …, "backend": …, "version": …}
[[nodiscard]] nlohmann::ordered_json measures(common_options const& common);

/// The end of a verb: the summary (of a document, whose `version` becomes `format_version`) and `measures`;
/// with --json as one line of JSON on stdout, else its scalars as "key  value" lines (nothing with --quiet).
void print_summary(common_options const& common, nlohmann::ordered_json summary);

/// A sentence on stderr; nothing with --quiet.
void say(common_options const& common, std::string_view sentence);

/// Progress on stderr with this label; silent with --quiet.
[[nodiscard]] lancet::progress_options progress_of(common_options const& common, std::string label,
                                                   std::int64_t total, std::int64_t done = 0);

/// Thrown by work that stopped at a place from which it can go on, after a SIGINT; exit status 130.
class interrupted : public lancet::error {
 public:
  using error::error;
};

/// While it lives, SIGINT only sets `interruption_requested`; a second one ends the program at once. Without
/// one, SIGINT ends the program at once with status 130: output files are whole or absent at any time.
class orderly_interruption {
 public:
  orderly_interruption();
  ~orderly_interruption();
  orderly_interruption(orderly_interruption const&) = delete;
  orderly_interruption& operator=(orderly_interruption const&) = delete;
};
[[nodiscard]] bool interruption_requested();

/// Installs the handler of SIGINT; `command` is printed as what resumes.
void handle_interruption(std::string const& command);

/// Runs `work`; returns the program's exit status: 0 done, 1 failed, 2 wrong usage, 3 bad input file, 4 out
/// of memory or disk, 130 interrupted, with one sentence on stderr. `app` is asked for the names near an
/// unknown one.
[[nodiscard]] int run_guarded(CLI::App& app, common_options const& common, std::function<void()> const& work);

/// The known name nearest to `got`, or "" where none is near (more than a third of its letters differ).
[[nodiscard]] std::string nearest(std::string_view got, std::vector<std::string> const& known);
/// "a, b or c".
[[nodiscard]] std::string one_of(std::vector<std::string> const& words);
/// "FLAG: got GOT, expected one of …; did you mean …?"
[[noreturn]] void fail_choice(std::string_view flag, std::string_view got,
                              std::vector<std::string> const& known);

/// The value that an option's word stands for. Throws usage_error with the nearest match.
template <class T>
[[nodiscard]] T choose(std::string_view flag, std::string_view got,
                       std::initializer_list<std::pair<std::string_view, T>> of) {
  std::vector<std::string> known;
  for (auto const& [word, value] : of) {
    if (word == got) return value;
    known.emplace_back(word);
  }
  fail_choice(flag, got, known);
}

}  // namespace program
