// SPDX-License-Identifier: Apache-2.0
// Control vectors: offsets that are directions go out and come back; those that are not are refused.
#define BOOST_TEST_MODULE io_control_vector
#include "lancet/backend/eigen.hpp"

#include "lancet/io/control_vector.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/interventions.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

void write(std::string const& path, intervention<B> const& what, transformer<B> const& m) {
  write_control_vector(path, host_parts(what), m);
}

}  // namespace

BOOST_AUTO_TEST_CASE(offsets_on_the_stream_go_out_and_come_back) {
  temporary_folder const folder;
  for (architecture const& a : {llama_like(), gpt2_like()}) {
    transformer<B> const m = tiny_model<B>(a);
    index const w = a.width;
    auto what = random_intervention(m, {{"offset", "resid_pre", 2, columns(0, w), 0, 1},
                                        {"offset", "mlp_out", 1, columns(2, 5), 0, 1},
                                        {"offset", "mlp_post", 2, columns(1, 4), 0, 1},
                                        {"offset", "mlp_out", 2, columns(0, w), 0, 1}});
    what.set_strength(-0.5);
    write(folder / "v.gguf", what, m);
    auto back = intervention_of("control vector", read_control_vector(folder / "v.gguf", a), m);
    BOOST_TEST(back.parts().size() == 2U);  // one a layer
    std::vector<double> const hooked = logits_of(m, prompt, &what);
    BOOST_TEST(largest_gap(logits_of(m, prompt), hooked) > 0.1);
    BOOST_TEST(largest_gap(hooked, logits_of(m, prompt, &back)) < 2e-5, a.family);  // float rounding
  }
}

BOOST_AUTO_TEST_CASE(the_file_is_as_others_write_it) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const what = random_intervention(m, {{"offset", "resid_pre", 2, columns(0, 12), 0, 1}});
  write(folder / "v.gguf", what, m);
  gguf_file const file = gguf_file::open(folder / "v.gguf");
  BOOST_TEST(file.get<std::string>("general.architecture") == "controlvector");
  BOOST_TEST(file.get<std::string>("controlvector.model_hint") == "llama");
  BOOST_TEST(file.get<int>("controlvector.layer_count") == 1);
  BOOST_TEST(file.tensors().size() == 1U);
  BOOST_TEST(read_values<float>(file.tensors().at("direction.1", std::vector<std::ptrdiff_t>{12}), "v") ==
             host_parts(what)[0].delta);
}

BOOST_AUTO_TEST_CASE(what_is_no_direction_is_refused) {
  temporary_folder const folder;
  transformer<B> const m = tiny_model<B>(llama_like());
  auto const refused = [&](part_description const& part, char const* sentence) {
    auto const what = random_intervention(m, {part});
    check_throws<usage_error>([&] { write(folder / "v.gguf", what, m); }, sentence);
    BOOST_TEST(folder.entries() == 0);
  };
  refused({"offset", "attn_out", 1, columns(0, 12), 0, 1},
          "cannot hold what is added to attention's output of layer 1: the MLP of the same block sees it");
  refused({"offset", "z", 2, columns(6, 6), 0, 1}, "attention's output of layer 2");
  refused({"offset", "mlp_out", 0, columns(0, 12), 0, 1},
          "an offset before layer 1: llama.cpp adds the first one");
  refused({"offset", "resid_pre", 1, columns(0, 12), 0, 1}, "before layer 1");
  refused({"offset", "resid_pre", 0, columns(0, 12), 0, 1}, "before layer 0");
  refused({"low_rank", "o", 0, columns(0, 12), 1, 1},
          "has no place for a low-rank change (of o in layer 0): it adds constants");
}

BOOST_AUTO_TEST_CASE(behind_norms_and_in_parallel_blocks) {
  temporary_folder const folder;
  auto const same = [&](architecture a, char const* family, std::vector<part_description> const& parts) {
    a.family = family;
    transformer<B> const m = tiny_model<B>(a);
    auto what = random_intervention(m, parts);
    write(folder / "v.gguf", what, m);
    auto back = intervention_of("control vector", read_control_vector(folder / "v.gguf", a), m);
    BOOST_TEST(largest_gap(logits_of(m, prompt, &what), logits_of(m, prompt, &back)) < 2e-5, family);
    BOOST_TEST(largest_gap(logits_of(m, prompt, &what), logits_of(m, prompt)) > 0.01, family);
  };
  architecture const gemma = gemma_like(), neox = neox_like();
  index const last = gemma.layers - 1;
  // mlp_out is what is added, behind the norm: the last thing that a block does in any family.
  same(gemma, "gemma2",
       {{"offset", "mlp_out", last, columns(0, gemma.width), 0, 1},
        {"offset", "resid_pre", 2, columns(0, gemma.width), 0, 1}});
  same(neox, "gpt_neox",
       {{"offset", "attn_out", 1, columns(0, neox.width), 0, 1},
        {"offset", "z", 1, columns(0, neox.head_dim), 0, 1},
        {"offset", "mlp_out", 1, columns(0, neox.width), 0, 1}});
  architecture a = gemma;
  a.family = "gemma2";
  transformer<B> const g = tiny_model<B>(a);
  auto const refused = [&](part_description const& part, char const* sentence) {
    auto const what = random_intervention(g, {part});
    check_throws<usage_error>([&] { write(folder / "x.gguf", what, g); }, sentence);
  };
  refused({"offset", "mlp_post", 1, columns(0, 4), 0, 1},
          "what is added within a block before a norm of layer 1");
  refused({"offset", "attn_out", 1, columns(0, a.width), 0, 1},
          "stands behind a norm, so that no file has a place");
}

BOOST_AUTO_TEST_CASE(files_of_others) {
  temporary_folder const folder;
  std::vector<float> const ones(13, 1.0F);
  auto const direction = [&](std::string name, std::ptrdiff_t width = 12,
                             tensor_type type = tensor_type::f32) {
    lazy_tensor t = as_stored({.name = std::move(name),
                               .type = type,
                               .shape = {width},
                               .bytes = std::as_bytes(std::span(ones).first(
                                   static_cast<std::size_t>(type == tensor_type::f32 ? width : width / 2)))});
    return t;
  };
  auto const read = [&](std::function<void(gguf_writer&)> const& change, std::string family = "llama") {
    gguf_writer out;
    out.set("general.architecture", "controlvector");
    change(out);
    out.write(folder / "v.gguf");
    architecture a = llama_like();
    a.family = std::move(family);
    return read_control_vector(folder / "v.gguf", a);
  };
  // repeng's count is unsigned, llama.cpp's signed; either may be missing.
  for (int kind = 0; kind < 3; ++kind) {
    auto const parts = read([&](gguf_writer& g) {
      if (kind == 0) g.set("controlvector.layer_count", std::uint32_t{2});
      if (kind == 1) g.set("controlvector.layer_count", std::int32_t{2});
      g.set("controlvector.model_hint", "mistral");
      g.add(direction("direction.2"));
      g.add(direction("direction.1"));
    });
    BOOST_REQUIRE_EQUAL(parts.size(), 2U);
    BOOST_TEST(parts[0].what.where == "resid_pre");
    BOOST_TEST(parts[0].what.layer == 2);
    BOOST_TEST(parts[1].what.where == "mlp_out");  // nothing comes after the last layer
    BOOST_TEST(parts[1].what.layer == 2);
  }
  auto const refused = [&](std::function<void(gguf_writer&)> const& change, char const* sentence,
                           std::string family = "llama") {
    check_throws<file_error>([&] { static_cast<void>(read(change, family)); }, sentence);
  };
  refused([](auto& g) { g.set("general.architecture", "llama"); }, "got 'llama', expected 'controlvector'");
  refused([](auto&) {}, "has no direction, expected at least one");
  for (char const* const name : {"direction.0", "direction.3", "direction.-1", "direction.01", "direction.1 ",
                                 "direction.99999999999999999999", "direction.", "direction", "layer.1", "d"})
    refused([&](auto& g) { g.add(direction(name)); }, "expected direction.1 to direction.2 alone");
  // llama.cpp multiplied n by the width in 32 bits and wrote where the product pointed: n stays within the layers here.
  for (char const* const n : {"-2147483648", "65536", "357913942", "2147483647", "2147483648", "4294967297",
                              "9223372036854775807", "18446744073709551617", "+1", "1e0", "0x1", "1.1"})
    refused([&](auto& g) { g.add(direction("direction." + std::string(n))); },
            "expected direction.1 to direction.2 alone");
  refused([&](auto& g) { g.add(direction("direction.1", 13)); }, "has shape [13], expected [12]");
  refused([&](auto& g) { g.add(direction("direction.1", 12, tensor_type::f16)); },
          "has type F16, expected F32");
  refused(
      [&](auto& g) {
        g.set("controlvector.layer_count", -1);
        g.add(direction("direction.1"));
      },
      "controlvector.layer_count: got -1, expected 0 to 65536");
  refused(
      [&](auto& g) {
        g.set("controlvector.layer_count", "2");
        g.add(direction("direction.1"));
      },
      "got string, expected an integer");
  gguf_bytes twice;  // no writer of ours makes it
  twice.header(2, 1).string("general.architecture", "controlvector");
  twice.tensor("direction.1", {12}, 0, 0).tensor("direction.1", {12}, 0, 64).pad().zeros(128);
  spill(folder / "v.gguf", {reinterpret_cast<char const*>(twice.bytes.data()), twice.bytes.size()});
  check_throws<file_error>([&] { (void)read_control_vector(folder / "v.gguf", llama_like()); },
                           "two tensors have the name 'direction.1'");
  std::vector<float> nan(12, NAN);
  refused(
      [&](auto& g) {
        g.add(as_stored(
            {.name = "direction.1", .shape = {12}, .bytes = std::as_bytes(std::span<float const>(nan))}));
      },
      "element 0 is NaN");
}

}  // namespace lancet_test
