// SPDX-License-Identifier: Apache-2.0
// load_model: a GGUF file, or a folder with config.json and safetensors, as a transformer on a backend.
#pragma once

#include <set>

#include "lancet/core/executor.hpp"
#include "lancet/io/family.hpp"
#include "lancet/io/finite.hpp"
#include "lancet/io/safetensors_index.hpp"
#include "lancet/io/sha256.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_gguf.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet {

namespace detail {

/// Fills weights from a table of tensors by a family's names; every tensor of the file must be used.
template <class B>
class weight_filler {
 public:
  weight_filler(tensor_table const& tensors, model_description const& model)
      : tensors_(tensors), model_(model) {}

  [[nodiscard]] model_weights<B> fill() {
    architecture const& a = model_.arch;
    tensor_names const& n = model_.names;
    sizes<architecture> const s(a);
    model_weights<B> w;
    w.embedding = matrix({n.embedding}, a.vocabulary, a.width, 0);
    if (!n.positions.empty()) w.positions = positions();
    if (a.token_types > 0) w.token_types = rows(n.token_types + ".weight", a.token_types, a.width);
    w.embedding_norm = norm(n.embedding_norm, 0, a.width);
    w.final_norm = norm(n.final_norm, 0, a.width);
    if (a.head == head_kind::dense) w.head = project({n.head}, a.width, a.width, 0, true);
    w.head_norm = norm(n.head_norm, 0, a.width);
    if (!a.tied_unembedding)
      w.unembedding = std::make_unique<typename B::weight>(matrix({n.unembedding}, s.outputs, a.width, 0));
    else
      used_.insert(n.unembedding + ".weight");  // some files store the tied matrix twice
    if (!n.unembedding_bias.empty()) w.unembedding_bias = vector(n.unembedding_bias, s.outputs);
    for (index l = 0; l < a.layers; ++l) {
      layer_weights<B> layer;
      layer.attn_norm = norm(n.attn_norm, l, a.width);
      layer.qkv = project(n.qkv, s.qkv, a.width, l, n.qkv_bias);
      layer.q_norm = norm(n.q_norm, l, a.qk_norm == qk_norm_kind::head ? a.head_dim : s.q);
      layer.k_norm = norm(n.k_norm, l, a.qk_norm == qk_norm_kind::head ? a.head_dim : s.kv);
      layer.o = project({n.o}, a.width, s.q, l, n.o_bias);
      layer.attn_post_norm = norm(n.attn_post_norm, l, a.width);
      layer.mlp_norm = norm(n.mlp_norm, l, a.width);
      layer.mlp_in = project(n.mlp_in, s.mlp_in, a.width, l, n.mlp_bias);
      layer.down = project({n.down}, a.width, a.mlp_width, l, n.mlp_bias);
      layer.mlp_post_norm = norm(n.mlp_post_norm, l, a.width);
      w.layers.push_back(std::move(layer));
    }
    refuse_unused();
    return w;
  }

 private:
  [[nodiscard]] static std::string at_layer(std::string name, index l) {
    if (auto const at = name.find("{}"); at != name.npos) name.replace(at, 2, std::to_string(l));
    return name;
  }

  tensor_entry const& take(std::string const& name, index rows, index cols) {
    used_.insert(name);
    std::vector<std::ptrdiff_t> const shape = cols > 0 ? std::vector{rows, cols} : std::vector{rows};
    return tensors_.at(name, shape);
  }

  /// Reads a whole tensor, in parallel, and checks that every number is finite.
  [[nodiscard]] std::vector<float> read(tensor_entry const& entry) {
    index const rows = entry.rows(), cols = entry.columns();
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    index const block = std::max<index>(1, 65536 / std::max<index>(1, cols));
    parallel_for((rows + block - 1) / block, [&](index tile) {
      index const first = tile * block, count = std::min(block, rows - first);
      auto const part = std::span(values).subspan(static_cast<std::size_t>(first * cols),
                                                  static_cast<std::size_t>(count * cols));
      read_rows(entry, first, count, part);
      check_finite(part, entry.name, tensors_.path(), static_cast<std::size_t>(first * cols));
    });
    return values;
  }

  [[nodiscard]] tensor<B> to_tensor(std::vector<float> const& values, index rows, index cols) {
    tensor<B> out(rows, cols);
    if constexpr (std::is_same_v<typename B::scalar, float>) {
      B::upload(values.data(), out.all());
    } else {
      std::vector<typename B::scalar> const wide(values.begin(), values.end());
      B::upload(wide.data(), out.all());
    }
    return out;
  }
  [[nodiscard]] tensor<B> rows(std::string const& name, index count, index cols) {
    return to_tensor(read(take(name, count, cols)), count, cols);
  }
  [[nodiscard]] tensor<B> vector(std::string const& name, index count) {
    return to_tensor(read(take(name, count, 0)), 1, count);
  }
  /// Of a name without suffix; nothing where the family has no such norm. Old BERT files say gamma and beta.
  [[nodiscard]] norm_weights<B> norm(std::string const& name, index l, index width) {
    if (name.empty()) return {};
    std::string const n = at_layer(name, l);
    bool const old = !tensors_.find(n + ".weight") && tensors_.find(n + ".gamma");
    std::vector<float> weight = read(take(n + (old ? ".gamma" : ".weight"), width, 0));
    for (float& v : weight) v += static_cast<float>(model_.names.norm_offset);
    return {to_tensor(weight, 1, width),
            model_.names.norm_bias ? vector(n + (old ? ".beta" : ".bias"), width) : tensor<B>{}};
  }

  /// Rows of the position table from the one that belongs to position 0.
  [[nodiscard]] tensor<B> positions() {
    index const skip = model_.names.first_position, width = model_.arch.width;
    std::vector<float> table =
        read(take(model_.names.positions + ".weight", model_.arch.context + skip, width));
    table.erase(table.begin(), table.begin() + skip * width);
    return to_tensor(table, model_.arch.context, width);
  }

  /// [out, in] from parts stacked in order.
  [[nodiscard]] typename B::weight matrix(std::vector<std::string> const& names, index out, index in,
                                          index l) {
    return typename B::weight(to_tensor(stacked(names, out, in, l, ".weight"), out, in));
  }

  [[nodiscard]] projection<B> project(std::vector<std::string> const& names, index out, index in, index l,
                                      bool bias) {
    projection<B> p{matrix(names, out, in, l), {}};
    if (bias) p.bias = to_tensor(stacked(names, out, 1, l, ".bias"), 1, out);
    return p;
  }

  /// Rows of the parts one after the other: [out, in] of weights, [out, 1] of biases.
  [[nodiscard]] std::vector<float> stacked(std::vector<std::string> const& names, index out, index in,
                                           index l, char const* suffix) {
    bool const weight = suffix == std::string_view(".weight");
    bool const turned = model_.names.transposed && weight && names[0].find("{}") != std::string::npos;
    std::vector<float> all;
    all.reserve(static_cast<std::size_t>(out * in));
    for (std::size_t i = 0; i < names.size(); ++i) {
      index const count = part_rows(i, names.size(), out);
      std::string const name = at_layer(names[i], l) + suffix;
      std::vector<float> part = read(!weight  ? take(name, count, 0)
                                     : turned ? take(name, in, count)
                                              : take(name, count, in));
      if (turned) part = turn(part, in, count);
      if (model_.names.interleaved_query && names.size() == 3 && i < 2) part = half_split(part, in);
      if (model_.names.qkv_rows == row_order::per_head && &names == &model_.names.qkv)
        part = by_kind(part, in);
      if (names.size() == 1) return part;
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  [[nodiscard]] index part_rows(std::size_t i, std::size_t parts, index out) const {
    sizes<architecture> const s(model_.arch);
    if (parts == 3) return i == 0 ? s.q : s.kv;
    return out / static_cast<index>(parts);
  }

  [[nodiscard]] static std::vector<float> turn(std::vector<float> const& x, index rows, index cols) {
    std::vector<float> out(x.size());
    for (index i = 0; i < rows; ++i)
      for (index j = 0; j < cols; ++j)
        out[static_cast<std::size_t>(j * rows + i)] = x[static_cast<std::size_t>(i * cols + j)];
    return out;
  }

  /// GGUF keeps pair (2i, 2i + 1) of a head's rows where lancet has (i, i + d/2).
  [[nodiscard]] std::vector<float> half_split(std::vector<float> const& x, index cols) const {
    index const d = model_.arch.head_dim, half = model_.arch.rope.dims / 2;
    std::vector<float> out = x;
    index const heads = std::ssize(x) / (d * cols);
    for (index h = 0; h < heads; ++h)
      for (index i = 0; i < half; ++i)
        for (index side = 0; side < 2; ++side)
          std::copy_n(x.begin() + (h * d + 2 * i + side) * cols, cols,
                      out.begin() + (h * d + side * half + i) * cols);
    return out;
  }

  /// From queries, keys and values of each head together to all queries, all keys, all values.
  [[nodiscard]] std::vector<float> by_kind(std::vector<float> const& x, index cols) const {
    index const d = model_.arch.head_dim, heads = model_.arch.heads;
    std::vector<float> out(x.size());
    for (index kind = 0; kind < 3; ++kind)
      for (index h = 0; h < heads; ++h)
        std::copy_n(x.begin() + (h * 3 + kind) * d * cols, d * cols,
                    out.begin() + (kind * heads + h) * d * cols);
    return out;
  }

  void refuse_unused() const {
    for (tensor_entry const& t : tensors_) {
      bool known = used_.contains(t.name);
      for (std::string const& suffix : model_.names.ignored) known = known || t.name.ends_with(suffix);
      if (!known)
        throw file_error(tensors_.path(),
                         "has tensor '" + t.name + "', which " + model_.arch.family +
                             " does not use; ignoring it could change what the model computes");
    }
  }

  tensor_table const& tensors_;
  model_description const& model_;
  std::set<std::string> used_;
};

[[nodiscard]] inline std::string stem_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (auto const slash = path.rfind('/'); slash != path.npos) path = path.substr(slash + 1);
  if (path.ends_with(".gguf")) path.resize(path.size() - 5);
  return path;
}

[[nodiscard]] inline bool is_folder(std::string const& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}
[[nodiscard]] inline bool is_file(std::string const& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace detail

/// Loads a model onto backend `B`. `path` is a GGUF file or a folder with config.json, *.safetensors and, if
/// texts are to be read, tokenizer.json. Throws file_error (a missing or damaged file, an unknown family,
/// type or tensor, a value that is not finite), with the file and what was expected.
template <tensor_backend B>
[[nodiscard]] transformer<B> load_model(std::string const& path) {
  if (detail::is_folder(path)) {
    std::string const config_path = path + "/config.json";
    nlohmann::json const config = read_json(config_path);
    safetensors_model const files = safetensors_model::open(path);
    model_description const model = describe_config(config, config_path, files.tensors());
    std::string digest;
    for (safetensors_file const& shard : files.shards()) digest += sha256_of_file(shard.path());
    if (files.shards().size() > 1)
      digest = sha256(std::as_bytes(std::span<char const>(digest.data(), digest.size())));
    transformer<B> result(model.arch, detail::weight_filler<B>(files.tensors(), model).fill(),
                          {detail::stem_of(path), digest});
    std::string const tokenizer_path = path + "/tokenizer.json";
    if (detail::is_file(tokenizer_path))
      result.set_tokenizer(std::make_shared<tokenizer const>(read_tokenizer_json(tokenizer_path)));
    return result;
  }
  gguf_file const file = gguf_file::open(path);
  model_description const model = describe_gguf(file);
  transformer<B> result(model.arch, detail::weight_filler<B>(file.tensors(), model).fill(),
                        {detail::stem_of(path), sha256_of_file(path)});
  if (file.find("tokenizer.ggml.model"))
    result.set_tokenizer(std::make_shared<tokenizer const>(read_gguf_tokenizer(file)));
  return result;
}

}  // namespace lancet
