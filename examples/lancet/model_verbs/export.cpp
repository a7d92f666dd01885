// SPDX-License-Identifier: Apache-2.0
// `lancet export`: an intervention as a file that other programs load; docs/files.md says what fits where.
#include <cstdio>
#include <optional>

#include "lancet/io/control_vector.hpp"
#include "lancet/io/lora_gguf.hpp"
#include "lancet/io/merged_model.hpp"
#include "lancet/io/mib_circuit.hpp"
#include "lancet/io/peft_adapter.hpp"
#include "lancet/model_verbs/verbs.hpp"

namespace program::PROGRAM_BACKEND::export_verb {
namespace {

enum class file_format { peft, lora_gguf, control_vector, safetensors, gguf, mib };

struct options {
  intervention_options intervention;
  std::string format, type, base_model;
};

[[nodiscard]] std::optional<lancet::tensor_type> type_of(options const& o, file_format format) {
  if (o.type.empty()) return {};
  if (format == file_format::peft || format == file_format::control_vector || format == file_format::mib)
    throw lancet::usage_error("--type: has no use with --format " + o.format +
                              ", whose numbers have one type");
  return choose<lancet::tensor_type>("--type", o.type,
                                     {{"f32", lancet::tensor_type::f32},
                                      {"f16", lancet::tensor_type::f16},
                                      {"bf16", lancet::tensor_type::bf16},
                                      {"q8_0", lancet::tensor_type::q8_0}});
}

/// A merged model's part of the summary.
void report(nlohmann::ordered_json& summary, lancet::merged_model const& done) {
  summary["tensors"] = done.tensors;
  summary["changed_weights"] = done.weights;
  summary["changed_biases"] = done.biases;
  summary["added_biases"] = done.added_biases;
}

void run(common_options& common, options const& o) {
  if (common.output.empty())
    throw lancet::usage_error("--output: got nothing, expected the file or folder to write");
  if (o.intervention.folder.empty())
    throw lancet::usage_error(
        "--intervention: got nothing, expected a folder that train or surgery wrote, or an adapter");
  while (common.output.size() > 1 && common.output.ends_with('/')) common.output.pop_back();
  auto const format = choose<file_format>("--format", o.format,
                                          {{"peft", file_format::peft},
                                           {"lora-gguf", file_format::lora_gguf},
                                           {"control-vector", file_format::control_vector},
                                           {"safetensors", file_format::safetensors},
                                           {"gguf", file_format::gguf},
                                           {"mib", file_format::mib}});
  auto const type = type_of(o, format);
  if (!o.base_model.empty() && format != file_format::peft)
    throw lancet::usage_error("--base-model: has no use without --format peft");
  model_type const model = load(common);
  lancet::architecture const& a = model.arch();
  auto const what = load(model, o.intervention);
  auto const parts = lancet::host_parts(*what);
  nlohmann::ordered_json summary{{"format", o.format},
                                 {"output", common.output},
                                 {"kind", what->kind()},
                                 {"strength", what->strength()},
                                 {"parts", parts.size()}};
  say(common, "writing " + common.output);
  switch (format) {
    case file_format::peft:
      lancet::write_peft_adapter(common.output, parts, a, o.base_model);
      break;
    case file_format::lora_gguf:
      lancet::write_lora_gguf(common.output, parts, a, type.value_or(lancet::tensor_type::f32));
      break;
    case file_format::control_vector:
      lancet::write_control_vector(common.output, parts, model);
      break;
    case file_format::safetensors:
      report(summary, lancet::write_merged_folder(common.output, common.model, *what, model, {type}));
      break;
    case file_format::gguf:
      report(summary, lancet::write_merged_gguf(common.output, common.model, *what, model, {type}));
      break;
    case file_format::mib:
      lancet::write_mib_circuit(common.output, what->circuit(), a);
      summary["units"] = what->circuit().units.size();
  }
  print_summary(common, std::move(summary));
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  auto const o = std::make_shared<options>();
  CLI::App& verb = *app.add_subcommand("export", "An intervention as a file that other programs load");
  add_common(verb, common, {.output = true});
  add_intervention(verb, o->intervention);
  verb.add_option(
          "--format,-f", o->format,
          "peft: a LoRA adapter (folder); lora-gguf: the same for llama.cpp; control-vector: offsets of the "
          "residual stream (GGUF); safetensors: the merged model as a folder; gguf: as a file; mib: the "
          "circuit as a graph (JSON)")
      ->required();
  verb.add_option(
      "--type", o->type,
      "of the merged model's matrices: f32, f16, bf16 or, with gguf, q8_0; of a lora-gguf: f32 or f16 "
      "[as they are, those that change f32]");
  verb.add_option("--base-model", o->base_model, "what a PEFT adapter says it is for: a name or a path");
  verb.callback([&common, o] { run(common, *o); });
}

}  // namespace program::PROGRAM_BACKEND::export_verb
