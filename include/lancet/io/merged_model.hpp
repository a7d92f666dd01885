// SPDX-License-Identifier: Apache-2.0
// Models with an intervention folded into their weights, as files that others load: a Hugging Face folder or a
// GGUF file.
//
// From a file of the same kind everything that is not changed is taken over, metadata, tokenizer and stored
// types included; a folder is also made from a GGUF file of a Llama or a GPT-2.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/atomic_folder.hpp"
#include "lancet/io/detail/added_biases.hpp"
#include "lancet/io/detail/hugging_face_config.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/gguf_writer.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/io/merged_tensors.hpp"
#include "lancet/io/safetensors_index.hpp"
#include "lancet/io/safetensors_writer.hpp"

namespace lancet {

struct merged_model_options {
  /// Nothing: tensors that do not change keep their type, those that do become F32 (in a folder, block
  /// formats too). A type: all matrices get it; in a GGUF file vectors stay F32.
  std::optional<tensor_type> type = {};
};

/// What was written.
struct merged_model {
  index weights = 0;          ///< changed matrices
  index biases = 0;           ///< changed biases
  bool added_biases = false;  ///< the source had none where the intervention needs them
  index tensors = 0;
};

namespace detail {

[[nodiscard]] inline std::vector<moved_tensor> as_they_are(tensor_table const& tensors) {
  std::vector<moved_tensor> out;
  for (tensor_entry const& t : tensors) out.push_back({t.name, &t, rearranged::no, t.shape});
  return out;
}

/// The tensors of a GGUF file under the names and in the order of rows and axes of a Hugging Face folder.
[[nodiscard]] inline std::vector<moved_tensor> to_hugging_face(tensor_table const& tensors,
                                                               tensor_names const& from,
                                                               tensor_names const& to, index layers) {
  std::vector<moved_tensor> out;
  auto const move = [&](std::string const& name, std::string const& as, rearranged how, bool turned) {
    if (name.empty()) return;
    for (char const* const suffix : {".weight", ".bias"}) {
      tensor_entry const* const entry = tensors.find(name + suffix);
      if (entry == nullptr) continue;
      moved_tensor m{as + suffix, entry, how, entry->shape};
      if (turned && m.shape.size() == 2) {
        m.how = rearranged::transposed;
        std::swap(m.shape[0], m.shape[1]);
      }
      out.push_back(std::move(m));
    }
  };
  auto const plain = [&](std::string const& name, std::string const& as) {
    move(name, as, rearranged::no, false);
  };
  plain(from.embedding, to.embedding);
  plain(from.positions, to.positions);
  plain(from.unembedding, to.unembedding);
  plain(from.final_norm, to.final_norm);
  for (index l = 0; l < layers; ++l) {
    auto const at = [&](std::string const& name) { return name_in_layer(name, l); };
    plain(at(from.attn_norm), at(to.attn_norm));
    plain(at(from.mlp_norm), at(to.mlp_norm));
    for (std::size_t i = 0; i < from.qkv.size(); ++i)
      move(at(from.qkv[i]), at(to.qkv[i]),
           from.interleaved_query && i < 2 ? rearranged::rows_half_split : rearranged::no, to.transposed);
    move(at(from.o), at(to.o), rearranged::no, to.transposed);
    for (std::size_t i = 0; i < from.mlp_in.size(); ++i)
      move(at(from.mlp_in[i]), at(to.mlp_in[i]), rearranged::no, to.transposed);
    move(at(from.down), at(to.down), rearranged::no, to.transposed);
  }
  if (std::ssize(out) != static_cast<index>(tensors.size()))
    throw file_error(tensors.path(),
                     "has " + std::to_string(tensors.size()) + " tensors, of which " +
                         std::to_string(out.size()) +
                         " have a place in a Hugging Face folder; export a GGUF file instead");
  return out;
}

/// The projections' names in a folder: GPT-2's may lack the "transformer." before them.
[[nodiscard]] inline peer_names folder_names(architecture const& a, tensor_table const& tensors) {
  peer_names peer = peer_names_of(a, naming::hugging_face);
  constexpr std::string_view prefix = "transformer.";
  if (!peer.names.o.starts_with(prefix) || tensors.find("transformer.wte.weight") != nullptr) return peer;
  for (std::string* const name : {&peer.names.o, &peer.names.down, &peer.names.qkv[0], &peer.names.mlp_in[0]})
    name->erase(0, prefix.size());
  return peer;
}

[[nodiscard]] inline char const* torch_name(tensor_type type) {
  return type == tensor_type::f16 ? "float16" : type == tensor_type::bf16 ? "bfloat16" : "float32";
}

/// A table that says of a GPT-2 that its names begin with "transformer.".
[[nodiscard]] inline tensor_table prefixed(tensor_table const& tensors) {
  std::vector<tensor_entry> entries(tensors.begin(), tensors.end());
  entries.push_back({.name = "transformer.wte.weight"});
  return {tensors.path(), std::move(entries)};
}

inline void copy_file(std::string const& from, std::string const& to) {
  mapped_file const file(from);
  atomic_file out(to);
  out.write(file.bytes());
  out.commit();
}

/// Everything that is needed to write a model.
template <class B>
class model_merger {
 public:
  model_merger(intervention<B> const& what, transformer<B> const& model)
      : arch_(model.arch()), parts_(host_parts(what)), shifts_(constant_shifts(parts_, model)) {
    require_same_model(what.model(), model.identity(), "export");
    if (parts_.empty()) throw usage_error("export: got no part, expected at least one");
  }

  [[nodiscard]] merged_tensors merge(std::vector<moved_tensor> moved, peer_names const& peer, naming format) {
    added = add_biases(moved, peer, format, shifts_, arch_);
    return merged_tensors(std::move(moved), peer, arch_, parts_, shifts_);
  }

  added_biases added;

 private:
  architecture arch_;
  std::vector<host_part> parts_;
  std::vector<constant_shift> shifts_;
};

[[nodiscard]] inline merged_model summary(merged_tensors const& merged, added_biases const& added,
                                          std::size_t tensors) {
  return {merged.changed_weights(), merged.changed_biases(), added.attention || added.mlp,
          static_cast<index>(tensors)};
}

}  // namespace detail

/// Writes a GGUF file from the one that the model was loaded from. Throws usage_error where the format has no
/// place for the intervention or for the model, with what has one.
template <class B>
merged_model write_merged_gguf(std::string const& path, std::string const& source,
                               intervention<B> const& what, transformer<B> const& model,
                               merged_model_options const& options = {}) {
  if (detail::is_folder(source))
    throw usage_error("export: a GGUF file needs the metadata and the tokenizer of one, and " + source +
                      " is a folder; export a folder (safetensors) and convert that");
  gguf_model const file = gguf_model::open(source);
  detail::model_merger<B> merger(what, model);
  merged_tensors const merged = merger.merge(detail::as_they_are(file.tensors()),
                                             peer_names_of(model.arch(), naming::gguf), naming::gguf);
  gguf_writer out;
  for (gguf_value const& value : file.head().metadata())
    if (!value.key.starts_with("split.")) out.copy(value);  // shards become one file
  if (options.type) {
    std::uint32_t const kind = *options.type == tensor_type::f32    ? 0
                               : *options.type == tensor_type::f16  ? 1
                               : *options.type == tensor_type::q8_0 ? 7
                                                                    : 32;  // llama.cpp's file types
    out.set("general.file_type", kind);
    if (kind == 7) out.set("general.quantization_version", std::uint32_t{2});
  }
  std::vector<lazy_tensor> tensors = merged.tensors({.type = options.type});
  merged_model const done = detail::summary(merged, merger.added, tensors.size());
  for (lazy_tensor& t : tensors) out.add(std::move(t));
  out.write(path);
  return done;
}

/// Writes a folder with config.json and model.safetensors, beside which the source's tokenizer files are put
/// if that is a folder too; from a GGUF file no tokenizer is made. Throws usage_error as above.
template <class B>
merged_model write_merged_folder(std::string const& folder, std::string const& source,
                                 intervention<B> const& what, transformer<B> const& model,
                                 merged_model_options const& options = {}) {
  if (options.type == tensor_type::q8_0)
    throw usage_error("export: safetensors has no type Q8_0, expected f32, f16 or bf16, or a GGUF file");
  detail::model_merger<B> merger(what, model);
  architecture const& a = model.arch();
  bool const from_folder = detail::is_folder(source);
  std::optional<gguf_model> file;
  std::optional<safetensors_model> shards;
  std::vector<moved_tensor> moved;
  nlohmann::ordered_json config;
  peer_names peer;
  if (from_folder) {
    shards = safetensors_model::open(source);
    peer = detail::folder_names(a, shards->tensors());
    moved = detail::as_they_are(shards->tensors());
    config = nlohmann::ordered_json(read_json(source + "/config.json"));
  } else {
    file = gguf_model::open(source);
    config = detail::hugging_face_config(a, false, false);
    tensor_names const to =
        describe_config(nlohmann::json(config), "config.json", detail::prefixed(file->tensors())).names;
    peer = peer_names_of(a, naming::hugging_face);
    moved = detail::to_hugging_face(file->tensors(), describe_gguf(*file).names, to, a.layers);
    if (peer.architecture == "llama") {
      detail::added_biases const has = detail::complete_biases(moved, peer, a);
      config["attention_bias"] = has.attention;
      config["mlp_bias"] = has.mlp;
    }
  }
  merged_tensors const merged = merger.merge(std::move(moved), peer, naming::hugging_face);
  if (merger.added.attention) config["attention_bias"] = true;
  if (merger.added.mlp) config["mlp_bias"] = true;
  if (options.type || !from_folder)
    config[config.contains("dtype") ? "dtype" : "torch_dtype"] =
        detail::torch_name(options.type.value_or(tensor_type::f32));
  std::vector<lazy_tensor> const tensors =
      merged.tensors({.type = options.type, .vectors = true, .blocks = false});
  write_folder_atomically(folder, [&](std::string const& into) {
    write_file(into + "/config.json", config.dump(2) + "\n");
    if (from_folder)
      for (char const* const name :
           {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
            "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json"})
        if (detail::is_file(source + "/" + name)) detail::copy_file(source + "/" + name, into + "/" + name);
    stream_safetensors(into + "/model.safetensors", tensors, {{"format", "pt"}});
  });
  return detail::summary(merged, merger.added, tensors.size());
}

}  // namespace lancet
