// SPDX-License-Identifier: Apache-2.0
// load_model: a GGUF file, or a folder with config.json and safetensors, as a transformer on a backend.
#pragma once

#include <functional>
#include <future>
#include <set>

#include "lancet/core/executor.hpp"
#include "lancet/io/family.hpp"
#include "lancet/io/finite.hpp"
#include "lancet/io/json_parse.hpp"
#include "lancet/io/load_tokenizer.hpp"
#include "lancet/io/safetensors_index.hpp"
#include "lancet/io/sha256.hpp"
#include "lancet/model/transformer.hpp"

namespace lancet {

namespace detail {

/// Fills weights from a table of tensors by a family's names; every tensor of the file must be used.
template <class B>
class weight_filler {
 public:
  /// `done` hears which bytes have been read for good.
  weight_filler(tensor_table const& tensors, model_description const& model,
                std::function<void(std::span<std::byte const>)> done)
      : tensors_(tensors), model_(model), done_(std::move(done)) {}

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
    tensor_entry const& entry = tensors_.at(name, shape);
    require_numbers(entry, tensors_.path());
    return entry;
  }

  /// Reads a whole tensor, in parallel, and checks that every number is finite.
  [[nodiscard]] std::vector<float> read(tensor_entry const& entry) const {
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
    done_(entry.bytes);
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

  /// [out, in] from parts stacked in order, read row by row where it lies.
  [[nodiscard]] typename B::weight matrix(std::vector<std::string> const& names, index out, index in,
                                          index l) {
    std::vector<weight_part> const parts = parts_of(names, out, in, l, ".weight");
    typename B::weight result =
        make_weight<B>(out, in, [&](index first, index count, typename B::scalar* to) {
          if constexpr (std::is_same_v<typename B::scalar, float>) {
            read_stacked(parts, in, first, count, to);
          } else {
            std::vector<float> narrow(static_cast<std::size_t>(count * in));
            read_stacked(parts, in, first, count, narrow.data());
            std::copy(narrow.begin(), narrow.end(), to);
          }
        });
    for (weight_part const& part : parts)
      if (part.turned.empty()) done_(part.entry->bytes);
    return result;
  }

  [[nodiscard]] projection<B> project(std::vector<std::string> const& names, index out, index in, index l,
                                      bool bias) {
    projection<B> p{matrix(names, out, in, l), {}};
    if (!bias) return p;
    std::vector<float> values(static_cast<std::size_t>(out));
    read_stacked(parts_of(names, out, 1, l, ".bias"), 1, 0, out, values.data());
    p.bias = to_tensor(values, 1, out);
    return p;
  }

  /// A tensor of a stacked weight; its rows [first, first + count) of the whole.
  struct weight_part {
    tensor_entry const* entry;
    index first, count;
    index kind;                 // of three: queries, keys, values
    std::vector<float> turned;  // the whole tensor, where it is stored [in, out] or is a vector
  };

  [[nodiscard]] std::vector<weight_part> parts_of(std::vector<std::string> const& names, index out, index in,
                                                  index l, std::string const& suffix) {
    bool const weight = suffix == ".weight";
    bool const turned = model_.names.transposed && weight && names[0].find("{}") != std::string::npos;
    std::vector<weight_part> parts;
    index first = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      index const count = part_rows(i, names.size(), out);
      std::string const name = at_layer(names[i], l) + suffix;
      tensor_entry const& entry = !weight  ? take(name, count, 0)
                                  : turned ? take(name, in, count)
                                           : take(name, count, in);
      parts.push_back({&entry, first, count, names.size() == 3 ? static_cast<index>(i) : -1,
                       turned || !weight ? read(entry) : std::vector<float>{}});
      first += count;
    }
    return parts;
  }

  /// Rows [first, first + count) of the stacked parts: [count, in].
  void read_stacked(std::vector<weight_part> const& parts, index in, index first, index count,
                    float* to) const {
    for (weight_part const& part : parts) {
      index const begin = std::max(first, part.first), end = std::min(first + count, part.first + part.count);
      for (index row = begin; row < end;) {
        index const stored = stored_row(part, row - part.first);
        index run = 1;
        while (row + run < end && stored_row(part, row + run - part.first) == stored + run) ++run;
        std::span<float> const out(to + (row - first) * in, static_cast<std::size_t>(run * in));
        if (part.turned.empty()) {
          read_rows(*part.entry, stored, run, out);
          check_finite(out, part.entry->name, tensors_.path(), static_cast<std::size_t>(stored * in));
        } else {
          for (index i = 0; i < run; ++i)
            for (index j = 0; j < in; ++j)
              out[static_cast<std::size_t>(i * in + j)] =
                  part.turned[static_cast<std::size_t>(j * part.count + stored + i)];
        }
        row += run;
      }
    }
  }

  /// Where row i of a part is stored.
  [[nodiscard]] index stored_row(weight_part const& part, index i) const {
    index const d = model_.arch.head_dim, h = i / d, r = i % d;
    if (model_.names.interleaved_query && (part.kind == 0 || part.kind == 1)) {
      // GGUF keeps pair (2j, 2j + 1) of a head's rows where lancet has (j, j + half).
      index const half = model_.arch.rope.dims / 2;
      return r >= 2 * half ? i : h * d + (r < half ? 2 * r : 2 * (r - half) + 1);
    }
    if (model_.names.qkv_rows == row_order::per_head && part.count == sizes<architecture>(model_.arch).qkv) {
      // Queries, keys and values of each head lie together: all queries, all keys, all values are wanted.
      index const heads = model_.arch.heads;
      return (h % heads * 3 + h / heads) * d + r;
    }
    return i;
  }

  [[nodiscard]] index part_rows(std::size_t i, std::size_t parts, index out) const {
    sizes<architecture> const s(model_.arch);
    if (parts == 3) return i == 0 ? s.q : s.kv;
    return out / static_cast<index>(parts);
  }

  void refuse_unused() const {
    for (tensor_entry const& t : tensors_) {
      bool known = used_.contains(t.name);
      for (std::string const& suffix : model_.names.ignored) known = known || t.name.ends_with(suffix);
      if (!known)
        throw file_error(tensors_.path(),
                         "has tensor " + in_quotes(t.name) + ", which " + model_.arch.family +
                             " does not use; ignoring it could change what the model computes");
    }
  }

  tensor_table const& tensors_;
  model_description const& model_;
  std::function<void(std::span<std::byte const>)> done_;
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

/// Adds up the bytes that it is told of, and reports them.
[[nodiscard]] inline auto counted(tensor_table const& tensors,
                                  std::function<void(std::int64_t, std::int64_t)> report) {
  std::int64_t total = 0;
  for (tensor_entry const& t : tensors) total += static_cast<std::int64_t>(t.bytes.size());
  return [report = std::move(report), total, read = std::int64_t{0}](std::size_t bytes) mutable {
    read += static_cast<std::int64_t>(bytes);
    if (report) report(read, total);
  };
}

/// SHA-256 of a file, or of its shards' digests one after the other, computed by another thread.
[[nodiscard]] inline std::future<std::string> digest_of(std::vector<std::string> files) {
  return std::async(std::launch::async, [files = std::move(files)] {
    std::string digest;
    for (std::string const& file : files) digest += sha256_of_file(file);
    return files.size() == 1 ? digest : sha256(std::as_bytes(std::span<char const>(digest)));
  });
}

}  // namespace detail

/// Called while weights are read, by the calling thread: for progress bars.
using load_report = std::function<void(std::int64_t bytes, std::int64_t of)>;

/// Loads a model onto backend `B`. `path` is a GGUF file or a folder with config.json, *.safetensors and, if
/// texts are to be read, tokenizer.json. The file is hashed meanwhile: `identity()` waits for that. Throws file_error (a missing or damaged file, an unknown family,
/// type or tensor, a value that is not finite), with the file and what was expected.
/// `report` hears how many bytes of weights have been read, of how many.
template <tensor_backend B>
[[nodiscard]] transformer<B> load_model(std::string const& path, load_report const& report = {}) {
  if (detail::is_folder(path)) {
    std::string const config_path = path + "/config.json";
    nlohmann::json const config = read_json(config_path);
    safetensors_model const files = safetensors_model::open(path);
    model_description const model = describe_config(config, config_path, files.tensors());
    std::vector<std::string> shards;
    for (safetensors_file const& shard : files.shards()) shards.push_back(shard.path());
    pending_identity identity(detail::stem_of(path), detail::digest_of(std::move(shards)));
    auto const done =
        [&, counted = detail::counted(files.tensors(), report)](std::span<std::byte const> bytes) mutable {
          for (safetensors_file const& shard : files.shards()) shard.done_with(bytes);
          counted(bytes.size());
        };
    transformer<B> result(model.arch, detail::weight_filler<B>(files.tensors(), model, done).fill(),
                          identity);
    std::string const tokenizer_path = path + "/tokenizer.json";
    if (detail::is_file(tokenizer_path))
      result.set_tokenizer(std::make_shared<tokenizer const>(load_tokenizer_json(tokenizer_path)));
    return result;
  }
  gguf_model const file = gguf_model::open(path);
  model_description const model = describe_gguf(file);
  std::vector<std::string> shards;
  for (gguf_file const& shard : file.shards()) shards.push_back(shard.path());
  pending_identity identity(detail::stem_of(path), detail::digest_of(std::move(shards)));
  auto const done =
      [&, counted = detail::counted(file.tensors(), report)](std::span<std::byte const> bytes) mutable {
        file.done_with(bytes);
        counted(bytes.size());
      };
  transformer<B> result(model.arch, detail::weight_filler<B>(file.tensors(), model, done).fill(), identity);
  if (file.head().find("tokenizer.ggml.model"))
    result.set_tokenizer(std::make_shared<tokenizer const>(load_gguf_tokenizer(file.head())));
  return result;
}

}  // namespace lancet
