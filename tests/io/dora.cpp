// SPDX-License-Identifier: Apache-2.0
// DoRA adapters: as hooks, merged in memory and merged into files they are the formula's weights, computed
// naively; what cannot hold them refuses.
#define BOOST_TEST_MODULE io_dora
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>

#include "lancet/io/merged_model.hpp"
#include "lancet/io/open_intervention.hpp"
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

constexpr index rank = 2;
constexpr double alpha = 3;

/// A module of the files and the rows of the weight in memory that it is.
struct module_rows {
  std::string name;
  index layer;
  projection<B>& (*of)(layer_weights<B>&);
  index first, out, in;
};

std::vector<module_rows> modules(architecture const& a) {
  sizes<architecture> const n(a);
  auto const qkv = [](layer_weights<B>& l) -> projection<B>& { return l.qkv; };
  auto const o = [](layer_weights<B>& l) -> projection<B>& { return l.o; };
  auto const mlp_in = [](layer_weights<B>& l) -> projection<B>& { return l.mlp_in; };
  auto const down = [](layer_weights<B>& l) -> projection<B>& { return l.down; };
  if (a.family == "gpt2")
    return {{"transformer.h.0.attn.c_attn", 0, qkv, 0, n.qkv, a.width},
            {"transformer.h.1.attn.c_proj", 1, o, 0, a.width, n.q},
            {"transformer.h.1.mlp.c_fc", 1, mlp_in, 0, a.mlp_width, a.width},
            {"transformer.h.2.mlp.c_proj", 2, down, 0, a.width, a.mlp_width}};
  return {{"model.layers.0.self_attn.q_proj", 0, qkv, 0, n.q, a.width},
          {"model.layers.1.self_attn.k_proj", 1, qkv, n.q, n.kv, a.width},
          {"model.layers.0.self_attn.v_proj", 0, qkv, n.q + n.kv, n.kv, a.width},
          {"model.layers.1.self_attn.o_proj", 1, o, 0, a.width, n.q},
          {"model.layers.1.mlp.gate_proj", 1, mlp_in, 0, a.mlp_width, a.width},
          {"model.layers.2.mlp.up_proj", 2, mlp_in, a.mlp_width, a.mlp_width, a.width},
          {"model.layers.2.mlp.down_proj", 2, down, 0, a.width, a.mlp_width}};
}

std::vector<float> drawn(std::size_t count, std::uint64_t seed, double spread, double middle = 0) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(middle + spread * uniform(seed, i));
  return out;
}

/// A model in a folder and a DoRA adapter of it, as PEFT writes one, and the weights that it means.
struct made {
  temporary_folder folder;
  std::string source = folder / "model", adapter = folder / "adapter";
  nlohmann::json config{{"peft_type", "LORA"}, {"r", rank}, {"lora_alpha", alpha}, {"use_dora", true}};
  std::vector<std::pair<std::string, std::pair<std::vector<std::ptrdiff_t>, std::vector<float>>>> tensors;
  architecture arch;
  transformer<B> meant;

  explicit made(architecture const& a) : arch(a), meant(tiny_model<B>(a)) {
    save_folder(meant, source);
    std::uint64_t seed = 1;
    for (module_rows const& m : modules(a)) {
      auto const size = [](index x, index y) { return static_cast<std::size_t>(x * y); };
      std::vector<float> const low = drawn(size(rank, m.in), seed, 0.4),
                               high = drawn(size(m.out, rank), seed + 1, 0.4),
                               norms = drawn(size(m.out, 1), seed + 2, 0.5, 1);
      seed += 3;
      change(m, low, high, norms);
      std::string const at = "base_model.model." + m.name;
      tensors.push_back({at + ".lora_A.weight", {{rank, m.in}, low}});
      tensors.push_back({at + ".lora_B.weight", {{m.out, rank}, high}});
      tensors.push_back({at + ".lora_magnitude_vector", {{m.out}, norms}});
    }
    write();
  }

  void write() const {
    std::filesystem::create_directory(adapter);
    write_file(adapter + "/adapter_config.json", config.dump());
    std::vector<tensor_entry> entries;
    for (auto const& [name, t] : tensors)
      entries.push_back(as_tensor(name, t.first, std::span<float const>(t.second)));
    write_safetensors(adapter + "/adapter_model.safetensors", entries);
  }

 private:
  /// W' = m ∘ (W + α/r·B·A) / ‖W + α/r·B·A‖, row by row.
  void change(module_rows const& m, std::vector<float> const& low, std::vector<float> const& high,
              std::vector<float> const& norms) {
    projection<B>& p = m.of(meant.mutable_weights().layers[static_cast<std::size_t>(m.layer)]);
    tensor<B> w = weight_rows<B>(p.weight, 0, p.weight.out());
    for (index i = 0; i < m.out; ++i) {
      double squares = 0;
      std::vector<double> row;
      for (index j = 0; j < m.in; ++j) {
        double x = w.all()(m.first + i, j);
        for (index r = 0; r < rank; ++r)
          x += alpha / rank * high[static_cast<std::size_t>(i * rank + r)] *
               low[static_cast<std::size_t>(r * m.in + j)];
        row.push_back(x);
        squares += x * x;
      }
      for (index j = 0; j < m.in; ++j)
        w.all()(m.first + i, j) = static_cast<float>(norms[static_cast<std::size_t>(i)] *
                                                     row[static_cast<std::size_t>(j)] / std::sqrt(squares));
    }
    p.weight = B::weight(w.all());
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(all_ways_give_the_weights_that_are_meant) {
  for (architecture const& a : {llama_of_files(), gpt2_like()}) {
    made const x(a);
    transformer<B> const m = load_model<B>(x.source);
    intervention<B> what = open_intervention<B>(x.adapter, m);
    std::vector<double> const expected = logits_of(x.meant, prompt);
    BOOST_TEST(largest_gap(logits_of(m, prompt), expected) > 0.1);
    // Logits of about 1; float arithmetic in another order.
    BOOST_TEST(largest_gap(logits_of(m, prompt, &what), expected) < 5e-5, a.family << ", hooks");
    BOOST_TEST(largest_gap(logits_of(merge(load_model<B>(x.source), what), prompt), expected) < 5e-5,
               a.family << ", merged");
    write_merged_folder(x.folder / "merged", x.source, what, m);
    BOOST_TEST(largest_gap(logits_of(load_model<B>(x.folder / "merged"), prompt), expected) < 5e-5,
               a.family << ", folder");
    save_gguf(m, x.folder / "source.gguf");
    transformer<B> const from_gguf = load_model<B>(x.folder / "source.gguf");
    intervention<B> again = open_intervention<B>(x.adapter, from_gguf);
    write_merged_gguf(x.folder / "merged.gguf", x.folder / "source.gguf", again, from_gguf);
    BOOST_TEST(largest_gap(logits_of(load_model<B>(x.folder / "merged.gguf"), prompt), expected) < 5e-5,
               a.family << ", GGUF");
  }
}

BOOST_AUTO_TEST_CASE(strength_goes_from_nothing_to_all) {
  made const x(gpt2_like());
  transformer<B> const m = load_model<B>(x.source);
  intervention<B> what = open_intervention<B>(x.adapter, m);
  what.set_strength(0);
  BOOST_TEST(largest_gap(logits_of(m, prompt, &what), logits_of(m, prompt)) == 0);
  what.set_strength(0.5);
  std::vector<double> const hooked = logits_of(m, prompt, &what);
  BOOST_TEST(largest_gap(hooked, logits_of(m, prompt)) > 0.05);
  BOOST_TEST(largest_gap(hooked, logits_of(merge(load_model<B>(x.source), what), prompt)) < 5e-5);
  write_merged_folder(x.folder / "merged", x.source, what, m);
  BOOST_TEST(largest_gap(hooked, logits_of(load_model<B>(x.folder / "merged"), prompt)) < 5e-5);
}

BOOST_AUTO_TEST_CASE(a_folder_of_lancet_s_own_keeps_every_bit) {
  made const x(llama_of_files());
  transformer<B> const m = load_model<B>(x.source);
  intervention<B> what = open_intervention<B>(x.adapter, m);
  save_intervention(x.folder / "own", what);
  intervention<B> back = load_intervention<B>(x.folder / "own", m);
  BOOST_TEST(largest_gap(logits_of(m, prompt, &what), logits_of(m, prompt, &back)) == 0);
}

BOOST_AUTO_TEST_CASE(what_has_no_place_for_scaled_rows_says_so) {
  made const x(llama_of_files());
  transformer<B> const m = load_model<B>(x.source);
  auto const parts = host_parts(open_intervention<B>(x.adapter, m));
  check_throws<usage_error>([&] { write_peft_adapter(x.folder / "out", parts, m.arch()); },
                            "a PEFT adapter has no place for scaled rows (DoRA, on q of layer 0)");
  check_throws<usage_error>([&] { write_lora_gguf(x.folder / "out.gguf", parts, m.arch()); },
                            "a LoRA file has no place for scaled rows");
  std::vector<host_part> const scaled(parts.begin() + 1, parts.begin() + 2);
  check_throws<usage_error>([&] { write_control_vector(x.folder / "out.gguf", scaled, m); },
                            "a control vector has no place for scaled rows (of q in layer 0)");
}

BOOST_AUTO_TEST_CASE(files_that_do_not_say_what_they_mean) {
  auto const refused = [](auto&& spoil, char const* sentence) {
    made x(llama_of_files());
    spoil(x);
    x.write();
    transformer<B> const m = load_model<B>(x.source);
    check_throws<file_error>([&] { static_cast<void>(open_intervention<B>(x.adapter, m)); }, sentence);
  };
  refused([](made& x) { x.config["use_dora"] = false; },
          "with a magnitude vector, which use_dora does not ask for");
  refused([](made& x) { x.tensors.erase(x.tensors.begin() + 2); }, "without the magnitude vector");
  refused([](made& x) { x.tensors[2].second = {{3}, {1, 1, 1}}; }, "has shape [3], expected [");
  refused([](made& x) { x.tensors[2].second.second[0] = NAN; }, "element 0 is NaN, expected a number");
  refused(
      [](made& x) {
        auto twice = x.tensors[2];
        twice.first += ".weight";
        x.tensors.push_back(twice);
      },
      "q_proj.lora_magnitude_vector.weight', expected one of the two");
}

BOOST_AUTO_TEST_CASE(a_ratio_that_no_float_holds_is_refused) {
  made x(llama_of_files());
  // The first module is layer 0's queries; B = 0 leaves the norms to W, whose first row is made tiny.
  std::fill(x.tensors[1].second.second.begin(), x.tensors[1].second.second.end(), 0.0F);
  x.tensors[2].second.second[0] = 1e38F;
  x.write();
  transformer<B> m = load_model<B>(x.source);
  projection<B>& p = m.mutable_weights().layers[0].qkv;
  tensor<B> w = weight_rows<B>(p.weight, 0, p.weight.out());
  for (index j = 0; j < m.arch().width; ++j) w.all()(0, j) = j == 0 ? 1e-6F : 0;
  p.weight = B::weight(w.all());
  check_throws<file_error>([&] { static_cast<void>(open_intervention<B>(x.adapter, m)); },
                           "adapter: row 0 of projection q of layer 0: got a magnitude too large");
  x.tensors[2].second.second[0] = 1e30F;
  x.write();
  BOOST_CHECK_NO_THROW(static_cast<void>(open_intervention<B>(x.adapter, m)));
  p.bias = random_tensor<B>(1, p.weight.out(), 3, 0.1);
  p.bias.all()(0, 0) = 1e10F;
  check_throws<file_error>([&] { static_cast<void>(open_intervention<B>(x.adapter, m)); },
                           "row 0 of projection q of layer 0: got a magnitude too large");
}

}  // namespace lancet_test
