// SPDX-License-Identifier: Apache-2.0
#include "lancet/common.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <numeric>

#include "lancet/backends.hpp"
#include "lancet/core/executor.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "lancet/version.hpp"

namespace program {

namespace {

std::atomic<int> orderly{0};
std::atomic<bool> requested{false};
char farewell[4096];
std::size_t farewell_length = 0;

extern "C" void on_interrupt(int) {
  if (orderly.load() > 0 && !requested.exchange(true)) return;
  static_cast<void>(!::write(STDERR_FILENO, farewell, farewell_length));
  ::_exit(130);
}

/// Edits (insertions, deletions, replacements, swapped neighbours) between two words.
[[nodiscard]] std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
        next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row.back();
}

[[nodiscard]] std::string suggestion(std::string_view got, std::vector<std::string> const& known) {
  std::string const near = nearest(got, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

/// The words of the command line that nobody knows, as a sentence; "" where there is none.
[[nodiscard]] std::string unknown_words(CLI::App& app) {
  std::vector<std::string> const left = app.remaining(true);
  if (left.empty()) return "";
  std::string word = left.front();
  word = word.substr(0, word.find('='));
  auto const verbs = app.get_subcommands();
  std::vector<std::string> known;
  if (word.starts_with("-")) {
    for (CLI::App* at = &app; at != nullptr;
         at = at->get_subcommands().empty() ? nullptr : at->get_subcommands().front())
      for (CLI::Option const* const option : std::as_const(*at).get_options())
        for (std::string const& name : option->get_lnames()) known.push_back("--" + name);
    return "unknown option " + lancet::detail::in_quotes(word) + suggestion(word, known);
  }
  if (!verbs.empty())
    return "unexpected argument " + lancet::detail::in_quotes(word) + "; see lancet " +
           verbs.front()->get_name() + " --help";
  for (CLI::App const* const verb : app.get_subcommands([](CLI::App*) { return true; }))
    known.push_back(verb->get_name());
  return "unknown verb " + lancet::detail::in_quotes(word) + suggestion(word, known) + "; see lancet --help";
}

[[nodiscard]] std::string shown(nlohmann::ordered_json const& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_float()) return value.dump();
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value.get<double>());
  return text;
}

void print_scalars(nlohmann::ordered_json const& object, std::string const& prefix) {
  for (auto const& [key, value] : object.items()) {
    if (value.is_object())
      print_scalars(value, prefix + key + ".");
    else if (!value.is_array())
      std::printf("%-24s %s\n", (prefix + key).c_str(), shown(value).c_str());
  }
}

}  // namespace

void add_backend(CLI::App& verb, common_options& common) {
  verb.add_option("--backend", common.backend,
                  "what to compute with: " + one_of(backend_names()) + " [$LANCET_BACKEND, else eigen]");
}

void add_common(CLI::App& verb, common_options& common, takes what) {
  verb.add_flag("--json", common.json, "print JSON on standard output, and nothing else there");
  verb.add_flag("--quiet,-q", common.quiet, "no progress and no remarks on standard error");
  if (what.model) {
    verb.add_option("--model,-m", common.model,
                    "a GGUF file, or a folder with config.json and *.safetensors [$LANCET_MODEL]");
    verb.add_option("--threads,-t", common.threads,
                    "threads to compute with [$LANCET_THREADS, else all cores]")
        ->check(CLI::Range(1, 4096));
    verb.add_option("--seed", common.seed, "of everything random [$LANCET_SEED, else 0]");
    add_backend(verb, common);
  }
  if (what.output)
    verb.add_option("--output,-o", common.output, "where to write; appears whole or not at all");
  if (what.dry_run)
    verb.add_flag("--dry-run", common.dry_run, "print the plan, its passes, memory and time, and stop");
}

void use_threads(common_options const& common) {
  if (common.threads > 0) lancet::set_threads(common.threads);
}

nlohmann::ordered_json measures(common_options const& common) {
  double const all = std::chrono::duration<double>(std::chrono::steady_clock::now() - common.started).count();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {{"seconds", all - common.load_seconds},
          {"load_seconds", common.load_seconds},
          {"peak_bytes", static_cast<std::int64_t>(usage.ru_maxrss) * 1024},
          {"threads", lancet::current_executor().threads()},
          {"backend", common.backend},
          {"version", lancet::version}};
}

void print_summary(common_options const& common, nlohmann::ordered_json summary) {
  if (summary.contains("format")) {  // a file's own version makes room for the program's
    summary["format_version"] = summary["version"];
    summary.erase("version");
  }
  summary.update(measures(common));
  if (common.json)
    std::printf("%s\n", summary.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else if (!common.quiet)
    print_scalars(summary, "");
}

void say(common_options const& common, std::string_view sentence) {
  if (!common.quiet)
    std::fprintf(stderr, "lancet: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
}

lancet::progress_options progress_of(common_options const& common, std::string label, std::int64_t total,
                                     std::int64_t done) {
  lancet::progress_options out{.label = std::move(label), .total = total, .done = done};
  out.quiet = common.quiet;
  return out;
}

orderly_interruption::orderly_interruption() { ++orderly; }
orderly_interruption::~orderly_interruption() { --orderly; }
bool interruption_requested() { return requested.load(); }

void handle_interruption(std::string const& command) {
  std::string const text =
      "\nlancet: interrupted; resume with: " + command.substr(0, sizeof farewell - 64) + "\n";
  farewell_length = text.copy(farewell, sizeof farewell);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

int run_guarded(CLI::App& app, common_options const& common, std::function<void()> const& work) {
  auto const fail = [](int status, std::string const& what) {
    std::fprintf(stderr, "lancet: %s\n", what.c_str());
    return status;
  };
  try {
    work();
  } catch (CLI::ParseError const& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);  // --help and --version
    std::string const unknown = unknown_words(app);
    return fail(2, unknown.empty() ? problem.what() : unknown);
  } catch (interrupted const& stopped) {
    return fail(130, std::string(stopped.what()) + "; resume with: " + common.command);
  } catch (lancet::usage_error const& problem) {
    return fail(2, problem.what());
  } catch (lancet::file_error const& problem) {
    return fail(3, problem.what());
  } catch (lancet::resource_error const& problem) {
    return fail(4, problem.what());
  } catch (std::bad_alloc const&) {
    return fail(4, "out of memory");
  } catch (std::exception const& problem) {
    return fail(1, problem.what());
  }
  if (std::fflush(stdout) != 0) return fail(4, "cannot write to standard output");
  return 0;
}

std::string nearest(std::string_view got, std::vector<std::string> const& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(1, got.size() / 3) + 1;
  for (std::string const& word : known)
    if (std::size_t const n = edits(got, word); n < least) {
      least = n;
      best = word;
    }
  return best;
}

std::string one_of(std::vector<std::string> const& words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i)
    list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return list;
}

void fail_choice(std::string_view flag, std::string_view got, std::vector<std::string> const& known) {
  throw lancet::usage_error(std::string(flag) + ": got " + lancet::detail::in_quotes(got) + ", expected " +
                            one_of(known) + suggestion(got, known));
}

}  // namespace program
