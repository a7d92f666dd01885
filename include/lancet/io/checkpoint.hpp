// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a training run: folders step-N with a manifest; a run that was killed goes on bit for bit.
#pragma once

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lancet/intervene/train.hpp"
#include "lancet/io/atomic_folder.hpp"
#include "lancet/io/intervention_folder.hpp"
#include "lancet/io/settings.hpp"

namespace lancet {

/// What restoring found. `damaged` has a sentence for every newer checkpoint that could not be used.
struct restored_checkpoint {
  std::string folder;
  index step = 0;
  std::vector<std::string> damaged;
};

namespace detail {

inline constexpr std::size_t kept_checkpoints = 2;
inline constexpr char checkpoint_prefix[] = "step-";

/// The checkpoints in a folder by step, whole or not; empty where there is no folder.
[[nodiscard]] inline std::map<index, std::string> checkpoints_in(std::string const& folder) {
  std::map<index, std::string> out;
  std::error_code none;
  for (auto const& entry : std::filesystem::directory_iterator(folder, none)) {
    std::string const name = entry.path().filename().string();
    if (!name.starts_with(checkpoint_prefix)) continue;
    index step = 0;
    char const *const first = name.data() + sizeof checkpoint_prefix - 1, *const last =
                                                                              name.data() + name.size();
    auto const [end, code] = std::from_chars(first, last, step);
    if (code == std::errc() && end == last && step >= 0) out[step] = entry.path().string();
  }
  return out;
}

/// The arrays of a state by name; they live as long as the state.
template <class T>
[[nodiscard]] std::vector<tensor_entry> tensors_of(training_state<T> const& s) {
  std::vector<tensor_entry> out;
  auto const add = [&](std::string name, std::span<T const> values) {
    out.push_back(as_tensor(std::move(name), {std::ssize(values)}, values));
  };
  for (std::size_t i = 0; i < s.values.size(); ++i) add("value." + std::to_string(i), s.values[i]);
  for (std::size_t i = 0; i < s.best.size(); ++i) add("best." + std::to_string(i), s.best[i]);
  for (auto const& a : s.optimizer.arrays) add("optimizer." + a.name, a.values);
  return out;
}

template <class T>
[[nodiscard]] nlohmann::ordered_json state_to_json(training_state<T> const& s,
                                                   nlohmann::json const& settings) {
  std::vector<std::string> arrays;
  for (auto const& a : s.optimizer.arrays) arrays.push_back(a.name);
  return {{"format", "lancet.checkpoint"},
          {"version", 1},
          {"settings", settings},
          {"step", s.step},
          {"values", s.values.size()},
          {"best", s.best.size()},
          {"best_score", finite_or_null(s.best_score)},
          {"best_step", s.best_step},
          {"since_best", s.since_best},
          {"optimizer_steps", s.optimizer.steps},
          {"optimizer_arrays", arrays},
          {"history", history_to_json(s.history)}};
}

/// A state read from a file, with the memory that its optimiser's arrays point into.
template <class T>
struct stored_state {
  training_state<T> state;
  std::vector<std::vector<T>> arrays;
};

template <class T>
[[nodiscard]] stored_state<T> read_state(std::string const& folder, nlohmann::json const& document) {
  std::string const path = folder + "/state.json", weights = folder + "/state.safetensors";
  json_field const f(document, path);
  f.allow_only({"format", "version", "settings", "step", "values", "best", "best_score", "best_step",
                "since_best", "optimizer_steps", "optimizer_arrays", "history"});
  stored_state<T> out;
  training_state<T>& s = out.state;
  std::int64_t const most = std::int64_t{1} << 53;
  s.step = json_index(f["step"], 0, most);
  s.best_score = f["best_score"].number().value_or(std::numeric_limits<double>::infinity());
  s.best_step = json_index(f["best_step"], -1, s.step);
  s.since_best = json_index(f["since_best"], 0, most);
  s.optimizer.steps = json_index(f["optimizer_steps"], 0, most);
  s.history = read_history(f["history"]);
  auto const file = safetensors_file::open(weights);
  auto const tensors = static_cast<std::int64_t>(file.tensors().size());
  auto const read = [&](std::string const& name) { return read_values<T>(file.tensors().at(name), weights); };
  index const values = json_index(f["values"], 0, tensors), best = json_index(f["best"], 0, tensors);
  for (index i = 0; i < values; ++i) s.values.push_back(read("value." + std::to_string(i)));
  for (index i = 0; i < best; ++i) s.best.push_back(read("best." + std::to_string(i)));
  if (s.best_step >= 0 && best != values) f["best"].fail(std::to_string(values) + ", as many as values");
  for (std::size_t i = 0; i < s.best.size(); ++i)
    if (s.best[i].size() != s.values[i].size())
      throw file_error(weights, "best." + std::to_string(i) + " has " + std::to_string(s.best[i].size()) +
                                    " numbers, expected " + std::to_string(s.values[i].size()));
  for (json_field const& name : f["optimizer_arrays"].items()) {
    out.arrays.push_back(read("optimizer." + name.need_text()));
    s.optimizer.arrays.push_back({*name.text(), {}});
  }
  for (std::size_t i = 0; i < out.arrays.size(); ++i) s.optimizer.arrays[i].values = out.arrays[i];
  return out;
}

}  // namespace detail

/// Writes `folder`/step-N, whole or not at all, and removes all but the newest two. `settings` is an object
/// of what the run was asked for, the model's hash among it: only a run with the same can go on from here.
template <class B, class Arch>
void save_checkpoint(std::string const& folder, trainer<B, Arch>& run, nlohmann::json const& settings) {
  auto const state = run.state();
  std::filesystem::create_directories(folder);
  write_folder_atomically(
      folder + "/" + detail::checkpoint_prefix + std::to_string(state.step), [&](std::string const& into) {
        write_safetensors(into + "/state.safetensors", detail::tensors_of(state));
        write_file(into + "/state.json", detail::file_text(detail::state_to_json(state, settings)));
      });
  auto const all = detail::checkpoints_in(folder);
  std::size_t surplus = all.size() > detail::kept_checkpoints ? all.size() - detail::kept_checkpoints : 0;
  for (auto const& [step, path] : all) {
    if (surplus == 0) break;
    --surplus;
    std::filesystem::remove_all(path);
  }
}

/// Restores the newest checkpoint of `folder` that its manifest finds whole; nothing where there is none.
/// Throws usage_error, with the difference, where it was made with other settings, and file_error where there
/// are checkpoints and all are damaged: they are left as they are.
template <class B, class Arch>
[[nodiscard]] std::optional<restored_checkpoint> restore_checkpoint(std::string const& folder,
                                                                    trainer<B, Arch>& run,
                                                                    nlohmann::json const& settings) {
  using scalar = typename B::scalar;
  auto const all = detail::checkpoints_in(folder);
  restored_checkpoint out;
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    std::optional<detail::stored_state<scalar>> stored;
    nlohmann::json document;
    std::string const path = at->second + "/state.json";
    try {
      static_cast<void>(verify_manifest(at->second));
      document = read_json(path);
      static_cast<void>(require_format(document, "lancet.checkpoint", 1, path));
      stored = detail::read_state<scalar>(at->second, document);
    } catch (file_error const& damage) {
      out.damaged.emplace_back(damage.what());
      continue;
    }
    require_same_settings(document["settings"], settings, at->second);
    run.restore(stored->state);
    out.folder = at->second;
    out.step = stored->state.step;
    return out;
  }
  if (all.empty()) return {};
  throw file_error(folder,
                   "has no checkpoint that is whole (" + out.damaged.front() + "); remove it to begin anew");
}

}  // namespace lancet
