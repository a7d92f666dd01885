// SPDX-License-Identifier: Apache-2.0
// Factors of rotary frequencies that GGUF files keep as tensors: the same logits as the folder whose config.json has the
// formula's settings, with the factors that llama.cpp's converter makes of these.
#define BOOST_TEST_MODULE io_rope_factors
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numbers>

#include "lancet/io/load_model.hpp"
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

constexpr index longest = 24;

/// A model, saved and read as a folder and as a GGUF file.
struct both_files {
  explicit both_files(architecture const& arch) : model(tiny_model<B>(arch)) {}

  [[nodiscard]] transformer<B> of_folder(nlohmann::ordered_json const& more) const {
    save_folder(model, folder / "m", more);
    return load_model<B>(folder / "m");
  }
  [[nodiscard]] transformer<B> of_gguf(std::function<void(gguf_writer&)> const& more) const {
    save_gguf(model, folder / "m.gguf", tensor_type::f32, more);
    return load_model<B>(folder / "m.gguf");
  }

  transformer<B> model;
  temporary_folder folder;
};

/// Logits of a text of `length` tokens.
std::vector<double> logits_at(transformer<B> const& m, index length) {
  return logits_of(m, random_tokens(length, m.arch().vocabulary, 7));
}

lazy_tensor factors(std::string name, std::vector<float> const& values) {
  return as_stored({.name = std::move(name),
                    .type = tensor_type::f32,
                    .shape = {std::ssize(values)},
                    .bytes = std::as_bytes(std::span(values))});
}

/// Llama 3.1's bands: pairs whose waves are short turn as they did, long ones `factor` times slower, the rest between.
std::vector<float> llama3_factors(index dims, double base, double factor, double low, double high,
                                  double original) {
  std::vector<float> out;
  for (index i = 0; i < dims / 2; ++i) {
    double const wave =
        2 * std::numbers::pi * std::pow(base, 2 * static_cast<double>(i) / static_cast<double>(dims));
    double const smooth = (original / wave - low) / (high - low);
    out.push_back(static_cast<float>(wave < original / high  ? 1
                                     : wave > original / low ? factor
                                                             : 1 / ((1 - smooth) / factor + smooth)));
  }
  return out;
}

architecture phi3_of_files() {
  architecture a = llama_of_files();
  a.family = "phi3";
  return a;
}

}  // namespace

BOOST_AUTO_TEST_CASE(rope_freqs_are_llama3s_bands) {
  both_files const files(llama_of_files());
  std::vector<float> const values = llama3_factors(6, 10000, 8, 1, 4, 256);
  BOOST_TEST(values[0] == 1.0f);  // a pair of each kind
  BOOST_TEST((values[1] > 1 && values[1] < 8));
  BOOST_TEST(values[2] == 8.0f);
  transformer<B> const folder = files.of_folder({{"rope_scaling",
                                                  {{"rope_type", "llama3"},
                                                   {"factor", 8.0},
                                                   {"low_freq_factor", 1.0},
                                                   {"high_freq_factor", 4.0},
                                                   {"original_max_position_embeddings", 256}}}});
  transformer<B> const gguf =
      files.of_gguf([&](gguf_writer& out) { out.add(factors("rope_freqs.weight", values)); });
  BOOST_TEST(largest_gap(logits_at(folder, longest), logits_at(gguf, longest)) < 2e-5);
  BOOST_TEST(largest_gap(logits_at(folder, longest), logits_at(files.model, longest)) > 1e-2);
}

BOOST_AUTO_TEST_CASE(short_and_long_factors_are_longrope) {
  both_files const files(phi3_of_files());
  std::vector<float> const brief{1, 1.5f, 2}, extended{1.25f, 3, 9};
  double const stretched = static_cast<double>(files.model.arch().context) / 8;
  transformer<B> const folder = files.of_folder(
      {{"original_max_position_embeddings", 8},
       {"rope_scaling", {{"type", "longrope"}, {"short_factor", brief}, {"long_factor", extended}}}});
  auto const keys = [&](gguf_writer& out) {
    out.set("phi3.rope.scaling.original_context_length", std::uint32_t{8});
    out.set("phi3.rope.scaling.attn_factor",
            static_cast<float>(std::sqrt(1 + std::log(stretched) / std::log(8.0))));
  };
  transformer<B> const gguf = files.of_gguf([&](gguf_writer& out) {
    keys(out);
    out.add(factors("rope_factors_long.weight", extended));
    out.add(factors("rope_factors_short.weight", brief));
  });
  transformer<B> const swapped = files.of_gguf([&](gguf_writer& out) {
    keys(out);
    out.add(factors("rope_factors_long.weight", brief));
    out.add(factors("rope_factors_short.weight", extended));
  });
  for (index const length : {index{8}, index{9}, longest}) {  // short ones up to 8 tokens
    BOOST_TEST(largest_gap(logits_at(folder, length), logits_at(gguf, length)) < 2e-5, length);
    BOOST_TEST(largest_gap(logits_at(folder, length), logits_at(files.model, length)) > 1e-2, length);
    BOOST_TEST(largest_gap(logits_at(folder, length), logits_at(swapped, length)) > 1e-3, length);
  }
}

BOOST_AUTO_TEST_CASE(factors_that_do_not_fit_are_refused) {
  both_files const files(llama_of_files());
  auto const refused = [&](std::function<void(gguf_writer&)> const& more, std::string_view sentence) {
    check_throws<file_error>([&] { (void)files.of_gguf(more); }, sentence);
  };
  std::vector<float> const three{1, 2, 3}, two{1, 2}, wrong{1, 0, 3};
  refused([&](gguf_writer& out) { out.add(factors("rope_freqs.weight", two)); },
          "'rope_freqs.weight' has shape [2], expected [3]");
  refused([&](gguf_writer& out) { out.add(factors("rope_freqs.weight", wrong)); },
          "rope_freqs.weight: got 0.000000, expected positive numbers");
  refused([&](gguf_writer& out) { out.add(factors("rope_factors_long.weight", three)); },
          "has one of rope_factors_short.weight and rope_factors_long.weight, expected both");
  refused(
      [&](gguf_writer& out) {
        out.set("llama.rope.scaling.factor", 4.0f);
        out.add(factors("rope_freqs.weight", three));
      },
      "llama.rope.scaling.type: got another scaling beside factors for each pair");
  refused([](gguf_writer& out) { out.set("llama.rope.scaling.type", "longrope"); },
          "llama.rope.scaling.type: got 'longrope' without tensor rope_factors_short.weight");
}

}  // namespace lancet_test
