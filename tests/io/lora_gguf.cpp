// SPDX-License-Identifier: Apache-2.0
// LoRA adapters as GGUF: the same effect after a round trip, rows in the order of the model's file, bad files.
#define BOOST_TEST_MODULE io_lora_gguf
#include "lancet/backend/eigen.hpp"

#include "lancet/io/lora_gguf.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "support/errors.hpp"
#include "support/interventions.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

std::vector<float> const ones(600, 1.0F);
lazy_tensor tensor_of(std::string name, std::vector<std::ptrdiff_t> shape) {
  std::size_t count = 1;
  for (auto const n : shape) count *= static_cast<std::size_t>(n);
  return detail::encoded(std::move(name), tensor_type::f32, std::move(shape), std::span(ones).first(count));
}

/// A right file that a case may change.
gguf_writer header() {
  gguf_writer out;
  out.set("general.type", "adapter");
  out.set("general.architecture", "llama");
  out.set("adapter.type", "lora");
  out.set("adapter.lora.alpha", 2.0F);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_goes_out_comes_back) {
  temporary_folder const folder;
  for (architecture const& a : {llama_like(), gpt2_like()}) {
    transformer<B> const m = tiny_model<B>(a);
    index const d = a.head_dim, w = a.width;
    auto what = random_intervention(m, {{"low_rank", "o", 1, columns(2 * d, d), 2, 1.5},
                                        {"low_rank", "o", 1, columns(0, d), 3, 1},
                                        {"low_rank", "q", 0, columns(0, w), 2, 0.5},
                                        {"low_rank", "k", 2, columns(0, w), 1, 2},
                                        {"low_rank", "v", 0, columns(3, 4), 2, 1},
                                        {"low_rank", "up", 1, columns(0, w), 2, 1}});
    what.set_strength(-1.25);
    write_lora_gguf(folder / "a.gguf", host_parts(what), a);
    auto back = intervention_of("lora", read_lora_gguf(folder / "a.gguf", a), m);
    std::vector<double> const hooked = logits_of(m, prompt, &what);
    BOOST_TEST(largest_gap(logits_of(m, prompt), hooked) > 0.1);
    BOOST_TEST(largest_gap(hooked, logits_of(m, prompt, &back)) < 2e-5, a.family);  // float rounding
    write_lora_gguf(folder / "half.gguf", host_parts(what), a, tensor_type::f16);
    auto half = intervention_of("lora", read_lora_gguf(folder / "half.gguf", a), m);
    BOOST_TEST(largest_gap(hooked, logits_of(m, prompt, &half)) < 2e-2);  // 2^-11 of every number
  }
}

BOOST_AUTO_TEST_CASE(the_file_is_as_llama_cpp_wants_it) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const what = random_intervention(
      m, {{"low_rank", "q", 0, columns(0, 12), 2, 3}, {"low_rank", "down", 1, {2, 4}, 4, 1}});
  write_lora_gguf(folder / "a.gguf", host_parts(what), m.arch());
  gguf_file const file = gguf_file::open(folder / "a.gguf");
  BOOST_TEST(file.get<std::string>("general.type") == "adapter");
  BOOST_TEST(file.get<std::string>("general.architecture") == "llama");
  BOOST_TEST(file.get<std::string>("adapter.type") == "lora");
  BOOST_TEST((file.find("adapter.lora.alpha")->type == gguf_type::f32));
  BOOST_TEST(file.get<float>("adapter.lora.alpha") == 4.0F);  // the largest rank
  BOOST_TEST((file.tensors().at("blk.1.ffn_down.weight.lora_a").shape == std::vector<std::ptrdiff_t>{4, 10}));
  BOOST_TEST((file.tensors().at("blk.1.ffn_down.weight.lora_b").shape == std::vector<std::ptrdiff_t>{12, 4}));
  std::vector<float> const b = read_floats(file.tensors().at("blk.0.attn_q.weight.lora_b")),
                           own = host_parts(what)[0].b;
  // Heads of 6 rows, 4 of them rotated: pairs (0, 2) and (1, 3) side by side, then 4 and 5 as they were.
  index const order[] = {0, 2, 1, 3, 4, 5};
  for (index row = 0; row < 24; ++row)
    for (index r = 0; r < 2; ++r)
      BOOST_TEST(b[static_cast<std::size_t>(2 * row + r)] ==
                 1.5F * own[static_cast<std::size_t>(2 * (row / 6 * 6 + order[row % 6]) + r)]);  // 3 · 2 / 4
}

BOOST_AUTO_TEST_CASE(an_alpha_of_zero_is_a_scale_of_one) {
  temporary_folder const folder;
  gguf_writer out = header();
  out.set("adapter.lora.alpha", 0.0F);
  out.add(tensor_of("blk.0.attn_output.weight.lora_a", {2, 24}));
  out.add(tensor_of("blk.0.attn_output.weight.lora_b", {12, 2}));
  out.write(folder / "a.gguf");
  BOOST_TEST(read_lora_gguf(folder / "a.gguf", llama_like()).at(0).what.scale == 1);
}

BOOST_AUTO_TEST_CASE(bad_files) {
  temporary_folder const folder;
  auto const refused = [&](std::function<void(gguf_writer&)> const& change, char const* sentence,
                           bool tensors = true) {
    gguf_writer out = header();
    if (tensors) out.add(tensor_of("blk.0.attn_output.weight.lora_a", {2, 24}));
    if (tensors) out.add(tensor_of("blk.0.attn_output.weight.lora_b", {12, 2}));
    change(out);
    out.write(folder / "bad.gguf");
    check_throws<file_error>([&] { static_cast<void>(read_lora_gguf(folder / "bad.gguf", llama_like())); },
                             sentence);
  };
  refused([](auto& g) { g.set("general.type", "model"); }, "general.type: got 'model', expected 'adapter'");
  refused([](auto& g) { g.set("adapter.type", "control_vector"); },
          "adapter.type: got 'control_vector', expected 'lora'");
  refused([](auto& g) { g.set("general.architecture", "gpt2"); },
          "general.architecture: got 'gpt2', expected 'llama'");
  refused([](auto& g) { g.set("adapter.lora.alpha", std::uint32_t{2}); },
          "got uint32, expected float32 or float64");
  for (double const alpha : {double{NAN}, double{INFINITY}, 1e39, -1e39})
    refused([&](auto& g) { g.set("adapter.lora.alpha", alpha); },
            "adapter.lora.alpha: got NaN or a larger number, expected a number that a float holds");
  refused([](auto& g) { g.set("adapter.alora.invocation_tokens", std::uint32_t{2}); },
          "active after certain tokens only");
  refused([](auto& g) { g.add(tensor_of("blk.0.attn_norm.weight", {12})); }, "expected WEIGHT.weight.lora_a");
  refused(
      [](auto& g) {
        g.add(tensor_of("token_embd.weight.lora_a", {2, 23}));
      },
      "'token_embd', which is no projection");
  refused(
      [](auto& g) {
        g.add(tensor_of("blk.7.attn_q.weight.lora_a", {2, 12}));
      },
      "'blk.7.attn_q', which is no projection");
  refused(
      [](auto& g) {
        g.add(tensor_of("blk.1.attn_q.weight.lora_a", {2, 12}));
      },
      "has only one matrix of the adapter of 'blk.1.attn_q'");
  refused(
      [](auto& g) {
        g.add(tensor_of("blk.1.attn_q.weight.lora_a", {2, 12}));
        g.add(tensor_of("blk.1.attn_q.weight.lora_b", {2, 24}));
      },
      "has shape [2, 24], expected [24, 2]");
  refused(
      [](auto& g) {
        g.add(tensor_of("blk.1.attn_q.weight.lora_a", {2, 10}));
        g.add(tensor_of("blk.1.attn_q.weight.lora_b", {24, 2}));
      },
      "has shape [2, 10], expected [2, 12]");
  refused([](auto&) {}, "has no tensors, expected an adapter", false);
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const offset = random_intervention(m, {{"offset", "mlp_out", 1, columns(0, 12), 0, 1}});
  check_throws<usage_error>([&] { write_lora_gguf(folder / "o.gguf", host_parts(offset), m.arch()); },
                            "a LoRA file has no place for an offset (at mlp_out of layer 1)");
  auto const part = random_intervention(m, {{"low_rank", "o", 1, columns(0, 6), 1, 1}});
  check_throws<usage_error>(
      [&] { write_lora_gguf(folder / "o.gguf", host_parts(part), m.arch(), tensor_type::q8_0); },
      "type of a LoRA file: got Q8_0, expected F32 or F16");
}

}  // namespace lancet_test
