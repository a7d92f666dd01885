// SPDX-License-Identifier: Apache-2.0
// Merged models: read again, their logits are those of the hooked model; what does not change stays as it was.
#define BOOST_TEST_MODULE io_merged_model
#include "lancet/backend/eigen.hpp"

#include "lancet/io/merged_model.hpp"

#include <boost/test/unit_test.hpp>

#include "support/errors.hpp"
#include "support/interventions.hpp"
#include "support/model_files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

architecture gpt2_of_files() { return gpt2_like(); }  // d = 4: 1/√d is 0.5

/// Both kinds of changes, with the interaction of the two on one projection.
intervention<B> everything(transformer<B> const& m) {
  architecture const& a = m.arch();
  index const d = a.head_dim, w = a.width;
  auto out = random_intervention(m, {{"offset", "z", 1, columns(d, d), 0, 1},
                                     {"low_rank", "o", 1, columns(0, 2 * d), 2, 1.5},
                                     {"low_rank", "q", 0, columns(0, w), 2, 0.5},
                                     {"low_rank", "k", 2, columns(0, w), 2, 1},
                                     {"low_rank", "v", 2, columns(0, 5), 1, 1},
                                     {"low_rank", "up", 1, columns(0, w), 2, 1},
                                     {"low_rank", "down", 2, {1, 2, 7}, 1, 2},
                                     {"offset", "mlp_post", 2, columns(2, 3), 0, 1},
                                     {"offset", "attn_out", 0, columns(0, w), 0, 1},
                                     {"offset", "resid_pre", 1, columns(0, w), 0, 1},
                                     {"offset", "mlp_out", 0, columns(0, w), 0, 1}});
  out.set_strength(0.5);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_from_a_folder) {
  temporary_folder const folder;
  for (architecture const& a : {llama_of_files(), gpt2_of_files()}) {
    std::string const source = folder / (a.family + ".source"), out = folder / (a.family + ".merged");
    save_folder(tiny_model<B>(a), source);
    write_file(source + "/tokenizer_config.json", "{}");
    transformer<B> const m = load_model<B>(source);
    intervention<B> what = everything(m);
    merged_model const done = write_merged_folder(out, source, what, m);
    std::vector<double> const hooked = logits_of(m, prompt, &what);
    BOOST_TEST(largest_gap(logits_of(m, prompt), hooked) > 0.1);
    // Weights rounded to float once more, another order of sums.
    BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(out), prompt)) < 5e-5, a.family);
    BOOST_TEST(slurp(out + "/tokenizer_config.json") == "{}");
    BOOST_TEST(done.weights == (a.family == "llama" ? 6 : 5));  // keys and values of layer 2 are one in GPT-2
    BOOST_TEST(done.biases == 4);
    BOOST_TEST(done.added_biases == (a.family == "llama"));
    nlohmann::json const config = read_json(out + "/config.json");
    if (a.family == "llama") BOOST_TEST((config["attention_bias"] == true && config["mlp_bias"] == true));
  }
}

BOOST_AUTO_TEST_CASE(a_folder_and_a_file_from_gguf) {
  temporary_folder const folder;
  for (architecture const& a : {llama_of_files(), gpt2_of_files()}) {
    std::string const source = folder / (a.family + ".gguf");
    save_gguf(tiny_model<B>(a), source);
    transformer<B> const m = load_model<B>(source);
    BOOST_TEST(largest_gap(logits_of(m, prompt), logits_of(tiny_model<B>(a), prompt)) == 0);
    // Llama's MLP has no bias in what lancet reads of GGUF; low-rank parts and attention's offsets are enough.
    index const d = a.head_dim, w = a.width;
    intervention<B> what = a.family == "gpt2"
                               ? everything(m)
                               : random_intervention(m, {{"offset", "z", 1, columns(d, d), 0, 1},
                                                         {"low_rank", "o", 1, columns(0, 2 * d), 2, 1.5},
                                                         {"low_rank", "q", 0, columns(0, w), 2, 0.5},
                                                         {"low_rank", "k", 2, columns(0, w), 2, 1},
                                                         {"low_rank", "gate", 2, columns(0, w), 1, 1},
                                                         {"offset", "attn_out", 0, columns(0, w), 0, 1}});
    std::vector<double> const hooked = logits_of(m, prompt, &what);
    write_merged_gguf(folder / "merged.gguf", source, what, m);
    BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(folder / "merged.gguf"), prompt)) < 5e-5,
               a.family);
    write_merged_folder(folder / "merged", source, what, m);
    BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(folder / "merged"), prompt)) < 5e-5, a.family);
    BOOST_TEST(gguf_file::open(folder / "merged.gguf").get<std::string>("general.name") == "made by a test");
  }
}

BOOST_AUTO_TEST_CASE(offsets_of_llama_s_mlp_in_gguf_are_its_optional_biases) {
  temporary_folder const folder;
  save_gguf(tiny_model<B>(llama_of_files()), folder / "m.gguf");
  transformer<B> const m = load_model<B>(folder / "m.gguf");
  intervention<B> const what = random_intervention(m, {{"offset", "mlp_out", 1, columns(0, 12), 0, 1}});
  BOOST_TEST(write_merged_gguf(folder / "merged.gguf", folder / "m.gguf", what, m).added_biases);
  gguf_file const file = gguf_file::open(folder / "merged.gguf");
  for (index l = 0; l < 3; ++l) {
    std::string const at = "blk." + std::to_string(l) + ".";
    BOOST_TEST(read_floats(file.tensors().at(at + "ffn_down.bias")) ==
               (l == 1 ? host_parts(what)[0].delta : std::vector<float>(12)));
    for (char const* const name : {"ffn_gate.bias", "ffn_up.bias"})
      BOOST_TEST(read_floats(file.tensors().at(at + name)) == std::vector<float>(10));
    BOOST_TEST(file.tensors().find(at + "attn_output.bias") == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(biases_that_a_gguf_file_has_already_are_said_in_the_configuration) {
  temporary_folder const folder;
  architecture const a = llama_of_files();
  index const w = a.width;
  std::string const source = folder / "m.gguf", biased = folder / "biased.gguf";
  auto const check = [&](bool attention, bool mlp) {
    transformer<B> const m = load_model<B>(biased);
    intervention<B> what = random_intervention(m, {{"low_rank", "q", 1, columns(0, w), 2, 1}});
    merged_model const done = write_merged_folder(folder / "merged", biased, what, m);
    BOOST_TEST(!done.added_biases);
    BOOST_TEST(largest_gap(logits_of(m, prompt, &what), logits_of(load_model<B>(folder / "merged"), prompt)) <
               5e-5);
    nlohmann::json const config = read_json(folder / "merged/config.json");
    BOOST_TEST((config["attention_bias"] == attention && config["mlp_bias"] == mlp));
    auto const tensors = safetensors_model::open(folder / "merged");
    for (index l = 0; l < a.layers; ++l) {
      std::string const at = "model.layers." + std::to_string(l) + ".";
      for (char const* const name :
           {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
        BOOST_TEST((tensors.tensors().find(at + name + ".bias") != nullptr) == attention);
      for (char const* const name : {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
        BOOST_TEST((tensors.tensors().find(at + name + ".bias") != nullptr) == mlp);
    }
  };
  save_gguf(tiny_model<B>(a), source);
  transformer<B> const plain = load_model<B>(source);
  write_merged_gguf(biased, source,
                    random_intervention(plain, {{"offset", "z", 1, columns(0, a.head_dim), 0, 1}}), plain);
  check(true, false);
  write_merged_gguf(biased, source,
                    random_intervention(plain, {{"offset", "mlp_out", 1, columns(0, w), 0, 1}}), plain);
  check(false, true);
  transformer<B> queries = tiny_model<B>(a);  // biases of queries, keys and values alone, as Qwen's
  for (layer_weights<B>& l : queries.mutable_weights().layers)
    l.qkv.bias = random_tensor<B>(1, sizes<architecture>(a).qkv, 70, 0.4);
  save_gguf(queries, biased);
  check(true, false);
}

BOOST_AUTO_TEST_CASE(what_does_not_change_keeps_its_bytes) {
  temporary_folder const folder;
  architecture a = llama_of_files();
  a.width = 32;  // whole blocks
  a.head_dim = a.rope.dims = 8;
  a.mlp_width = 64;
  a.score_scale = 1 / std::sqrt(8.0);
  save_gguf(tiny_model<B>(a), folder / "m.gguf", tensor_type::q8_0);
  transformer<B> const m = load_model<B>(folder / "m.gguf");
  intervention<B> what = random_intervention(m, {{"low_rank", "q", 1, columns(0, 32), 2, 1}});
  write_merged_gguf(folder / "merged.gguf", folder / "m.gguf", what, m);
  gguf_file const before = gguf_file::open(folder / "m.gguf"),
                  after = gguf_file::open(folder / "merged.gguf");
  BOOST_TEST(before.tensors().size() == after.tensors().size());
  for (tensor_entry const& t : after.tensors()) {
    tensor_entry const& was = before.tensors().at(t.name);
    if (t.name == "blk.1.attn_q.weight") {
      BOOST_TEST((t.type == tensor_type::f32));
      continue;
    }
    BOOST_TEST((t.type == was.type));
    BOOST_TEST(std::equal(t.bytes.begin(), t.bytes.end(), was.bytes.begin(), was.bytes.end()), t.name);
  }
  std::vector<double> const hooked = logits_of(m, prompt, &what);
  BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(folder / "merged.gguf"), prompt)) < 5e-5);
  // Types for all: vectors stay F32 in GGUF, and change with the rest in a folder.
  for (tensor_type const type : {tensor_type::f16, tensor_type::bf16, tensor_type::q8_0}) {
    write_merged_gguf(folder / "typed.gguf", folder / "m.gguf", what, m, {type});
    gguf_file const typed = gguf_file::open(folder / "typed.gguf");
    for (tensor_entry const& t : typed.tensors())
      BOOST_TEST((t.type == (t.shape.size() > 1 ? type : tensor_type::f32)), t.name);
    BOOST_TEST(typed.get<int>("general.file_type") == (type == tensor_type::f16    ? 1
                                                       : type == tensor_type::q8_0 ? 7
                                                                                   : 32));
    // Weights below 2 are off by 2^-9 of their size at most (bfloat16, the coarsest), and logits are sums of a
    // few dozen products with them: about 0.01.
    BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(folder / "typed.gguf"), prompt)) < 0.03);
    if (type == tensor_type::q8_0) continue;
    write_merged_folder(folder / "typed", folder / "m.gguf", what, m, {type});
    auto const shards = safetensors_model::open(folder / "typed");
    for (tensor_entry const& t : shards.tensors()) BOOST_TEST((t.type == type), t.name);
    BOOST_TEST(read_json(folder / "typed/config.json")["torch_dtype"] ==
               (type == tensor_type::f16 ? "float16" : "bfloat16"));
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_no_blocks_become_f16) {
  temporary_folder const folder;
  save_gguf(tiny_model<B>(llama_of_files()), folder / "m.gguf");
  transformer<B> const m = load_model<B>(folder / "m.gguf");
  intervention<B> const what = random_intervention(m, {{"low_rank", "q", 1, columns(0, 12), 2, 1}});
  write_merged_gguf(folder / "q.gguf", folder / "m.gguf", what, m, {tensor_type::q8_0});
  gguf_file const file = gguf_file::open(folder / "q.gguf");
  for (tensor_entry const& t : file.tensors())
    BOOST_TEST((t.type == (t.shape.size() > 1 ? tensor_type::f16 : tensor_type::f32)), t.name);
}

BOOST_AUTO_TEST_CASE(what_has_no_place_is_refused) {
  temporary_folder const folder;
  save_folder(tiny_model<B>(llama_of_files()), folder / "m");
  save_gguf(tiny_model<B>(llama_of_files()), folder / "m.gguf");
  transformer<B> const m = load_model<B>(folder / "m");
  intervention<B> const part = random_intervention(m, {{"low_rank", "q", 1, columns(0, 12), 2, 1}});
  intervention<B> const first = random_intervention(m, {{"offset", "resid_pre", 0, columns(0, 12), 0, 1}});
  check_throws<usage_error>([&] { write_merged_gguf(folder / "x", folder / "m", part, m); },
                            "a GGUF file needs the metadata and the tokenizer of one");
  check_throws<usage_error>(
      [&] { write_merged_folder(folder / "x", folder / "m", part, m, {tensor_type::q8_0}); },
      "safetensors has no type Q8_0");
  check_throws<usage_error>([&] { write_merged_folder(folder / "x", folder / "m", first, m); },
                            "an offset on resid_pre of layer 0 has no bias to fold into");
  check_throws<usage_error>(
      [&] { write_merged_folder(folder / "x", folder / "m", part, load_model<B>(folder / "m.gguf")); },
      "export: got one of model 'm'");
  // The same tensors as another family, whose projections have no biases for their readers.
  nlohmann::json config = read_json(folder / "m/config.json");
  transformer<B> const qwen = [&] {
    transformer<B> out = load_model<B>(folder / "m");
    architecture a = out.arch();
    a.family = "qwen2";
    return transformer<B>(a, std::move(out.mutable_weights()), m.identity());
  }();
  intervention<B> const head = random_intervention(qwen, {{"offset", "z", 1, columns(6, 6), 0, 1}});
  check_throws<usage_error>(
      [&] { write_merged_folder(folder / "x", folder / "m", head, qwen); },
      "would need tensor 'model.layers.1.self_attn.o_proj.bias', which transformers' qwen2 "
      "does not have");
  intervention<B> const mlp = random_intervention(qwen, {{"offset", "mlp_out", 1, columns(0, 12), 0, 1}});
  check_throws<usage_error>([&] { write_merged_folder(folder / "x", folder / "m", mlp, qwen); },
                            "does not have; a control vector may hold it");
  BOOST_TEST(!detail::is_folder(folder / "x"));
  // Another file than the model's.
  architecture wide = llama_of_files();
  wide.mlp_width = 11;
  save_folder(tiny_model<B>(wide), folder / "wide");
  intervention<B> const up = random_intervention(m, {{"low_rank", "up", 1, columns(0, 12), 2, 1}});
  check_throws<usage_error>([&] { write_merged_folder(folder / "x", folder / "wide", up, m); },
                            "of the model's file: got shape [11, 12], expected [10, 12]");
}

}  // namespace lancet_test
