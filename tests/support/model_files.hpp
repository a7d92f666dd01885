// SPDX-License-Identifier: Apache-2.0
// Models in memory as the files that others would have made of them: a Hugging Face folder, a GGUF file.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/detail/hugging_face_config.hpp"
#include "lancet/io/encode.hpp"
#include "lancet/io/gguf_writer.hpp"
#include "lancet/io/safetensors_writer.hpp"
#include "lancet/model/split_inputs.hpp"
#include "lancet/model/transformer.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

/// A named matrix or, with one row and `vector`, a vector.
struct file_tensor {
  std::string name;
  lancet::index rows = 0, cols = 0;
  std::vector<float> values;
  bool vector = false;
};

/// Collects what a file of a Llama, a Phi-3 (a Llama with fused projections) or a GPT-2 holds.
template <class B>
class model_tensors {
 public:
  model_tensors(lancet::transformer<B> const& model, bool gguf) : a_(model.arch()), gguf_(gguf) {
    using namespace lancet;
    using lancet::index;
    auto const& w = model.weights();
    bool const llama = a_.family != "gpt2";
    auto const pick = [&](char const* in_gguf, char const* of_llama, char const* of_gpt2) {
      return std::string(gguf ? in_gguf : llama ? of_llama : of_gpt2);
    };
    sizes<architecture> const n(a_);
    matrix(pick("token_embd", "model.embed_tokens", "transformer.wte"), w.embedding, 0, a_.vocabulary, false);
    if (!w.positions.empty())
      out.push_back({pick("position_embd", "", "transformer.wpe") + ".weight", a_.context, a_.width,
                     floats(w.positions.all())});
    if (w.unembedding) matrix(pick("output", "lm_head", "lm_head"), *w.unembedding, 0, a_.vocabulary, false);
    norm(pick("output_norm", "model.norm", "transformer.ln_f"), w.final_norm);
    for (index l = 0; l < a_.layers; ++l) {
      auto const& layer = w.layers[static_cast<std::size_t>(l)];
      std::string const number = std::to_string(l) + ".";
      std::string const at = pick("blk.", "model.layers.", "transformer.h.") + number;
      norm(at + pick("attn_norm", "input_layernorm", "ln_1"), layer.attn_norm);
      norm(at + pick("ffn_norm", "post_attention_layernorm", "ln_2"), layer.mlp_norm);
      if (a_.family == "llama") {
        project(at + pick("attn_q", "self_attn.q_proj", ""), layer.qkv, 0, n.q, true);
        project(at + pick("attn_k", "self_attn.k_proj", ""), layer.qkv, n.q, n.kv, true);
        project(at + pick("attn_v", "self_attn.v_proj", ""), layer.qkv, n.q + n.kv, n.kv, false);
        project(at + pick("ffn_gate", "mlp.gate_proj", ""), layer.mlp_in, 0, a_.mlp_width, false);
        project(at + pick("ffn_up", "mlp.up_proj", ""), layer.mlp_in, a_.mlp_width, a_.mlp_width, false);
      } else {
        project(at + pick("attn_qkv", "self_attn.qkv_proj", "attn.c_attn"), layer.qkv, 0, n.qkv, false);
        project(at + pick("ffn_up", "mlp.gate_up_proj", "mlp.c_fc"), layer.mlp_in, 0, n.mlp_in, false);
      }
      project(at + pick("attn_output", "self_attn.o_proj", "attn.c_proj"), layer.o, 0, a_.width, false);
      project(at + pick("ffn_down", "mlp.down_proj", "mlp.c_proj"), layer.down, 0, a_.width, false);
    }
  }

  std::vector<file_tensor> out;

 private:
  [[nodiscard]] static std::vector<float> floats(lancet::const_view<B> v) {
    std::vector<typename B::scalar> host(static_cast<std::size_t>(v.size()));
    B::download(v, host.data());
    return {host.begin(), host.end()};
  }
  void norm(std::string const& name, lancet::norm_weights<B> const& w) {
    out.push_back({name + ".weight", 1, a_.width, floats(w.weight.all()), true});
    if (!w.bias.empty()) out.push_back({name + ".bias", 1, a_.width, floats(w.bias.all()), true});
  }
  void matrix(std::string const& name, typename B::weight const& w, lancet::index first, lancet::index rows,
              bool rotated) {
    lancet::index const cols = w.in();
    std::vector<float> values = floats(lancet::weight_rows<B>(w, first, rows).all());
    if (rotated) values = pairs_side_by_side(values, cols);
    out.push_back({name + ".weight", rows, cols, std::move(values)});
  }
  void project(std::string const& name, lancet::projection<B> const& p, lancet::index first,
               lancet::index rows, bool rotated) {
    matrix(name, p.weight, first, rows, rotated && gguf_);
    if (a_.family == "gpt2" && !gguf_) {  // Conv1D keeps [in, out]
      file_tensor& t = out.back();
      std::vector<float> turned(t.values.size());
      for (lancet::index i = 0; i < t.rows; ++i)
        for (lancet::index j = 0; j < t.cols; ++j)
          turned[static_cast<std::size_t>(j * t.rows + i)] =
              t.values[static_cast<std::size_t>(i * t.cols + j)];
      t.values = turned;
      std::swap(t.rows, t.cols);
    }
    if (p.bias.empty()) return;
    std::vector<float> values = floats(p.bias.all().col_range(first, rows));
    if (rotated && gguf_) values = pairs_side_by_side(values, 1);
    out.push_back({name + ".bias", 1, rows, std::move(values), true});
  }
  /// Row i of the first half of a head and row i of the second one after the other.
  [[nodiscard]] std::vector<float> pairs_side_by_side(std::vector<float> const& x, lancet::index cols) const {
    std::vector<float> y;
    lancet::index const d = a_.head_dim;
    for (lancet::index h = 0; h < std::ssize(x) / (cols * d); ++h)
      for (lancet::index i = 0; i < d; ++i) {
        lancet::index const row = h * d + i / 2 + (i % 2) * (d / 2);
        y.insert(y.end(), x.begin() + row * cols, x.begin() + (row + 1) * cols);
      }
    return y;
  }

  lancet::architecture a_;
  bool gguf_;
};

/// `more` goes into config.json, over what is there.
template <class B>
void save_folder(lancet::transformer<B> const& model, std::string const& folder,
                 nlohmann::ordered_json const& more = nlohmann::ordered_json::object()) {
  std::filesystem::create_directory(folder);
  bool const biased = !model.weights().layers[0].o.bias.empty();
  lancet::architecture a = model.arch();
  if (a.family == "phi3") a.family = "llama";
  nlohmann::ordered_json config = lancet::detail::hugging_face_config(a, biased, biased);
  config["model_type"] = model.arch().family;
  config.update(more);
  lancet::write_file(folder + "/config.json", config.dump());
  model_tensors<B> const all(model, false);
  std::vector<lancet::tensor_entry> entries;
  for (file_tensor const& t : all.out)
    entries.push_back(lancet::as_tensor(t.name, t.vector ? std::vector{t.cols} : std::vector{t.rows, t.cols},
                                        std::span<float const>(t.values)));
  lancet::write_safetensors(folder + "/model.safetensors", entries);
}

/// Matrices as `type`, vectors as F32; no tokenizer. `more` adds keys and tensors.
template <class B>
void save_gguf(lancet::transformer<B> const& model, std::string const& path,
               lancet::tensor_type type = lancet::tensor_type::f32,
               std::function<void(lancet::gguf_writer&)> const& more = {}) {
  lancet::architecture const& a = model.arch();
  lancet::gguf_writer out;
  std::string const at = a.family + ".";
  auto const number = [&](std::string const& key, lancet::index n) {
    out.set(at + key, static_cast<std::uint32_t>(n));
  };
  out.set("general.architecture", a.family);
  out.set("general.name", "made by a test");
  number("block_count", a.layers);
  number("embedding_length", a.width);
  number("attention.head_count", a.heads);
  number("attention.head_count_kv", a.kv_heads);
  number("attention.key_length", a.head_dim);
  number("feed_forward_length", a.mlp_width);
  number("context_length", a.context);
  bool const llama = a.family != "gpt2";
  out.set(at + (llama ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
          static_cast<float>(a.norm_epsilon));
  if (llama) {
    number("rope.dimension_count", a.rope.dims);
    out.set(at + "rope.freq_base", static_cast<float>(a.rope.base));
  }
  model_tensors<B> const all(model, true);
  std::vector<std::vector<std::byte>> bytes;
  bytes.reserve(all.out.size());
  for (file_tensor const& t : all.out) {
    lancet::tensor_type const own = t.vector ? lancet::tensor_type::f32 : type;
    bytes.push_back(lancet::encode(own, t.values, t.name));
    out.add(lancet::as_stored({.name = t.name,
                               .type = own,
                               .shape = t.vector ? std::vector{t.cols} : std::vector{t.rows, t.cols},
                               .bytes = bytes.back()}));
  }
  if (more) more(out);
  out.write(path);
}

}  // namespace lancet_test
