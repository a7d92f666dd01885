// SPDX-License-Identifier: Apache-2.0
// Small random models against PyTorch: logits, residuals, attention patterns and gradients on any backend.
#pragma once

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lancet/hooks/record.hpp"
#include "lancet/io/json_parse.hpp"
#include "lancet/io/load_model.hpp"
#include "lancet/model/run.hpp"
#include "support/golden_tensors.hpp"

namespace lancet_test {

/// The families that there are reference values of.
inline constexpr char const* tiny_families[] = {"gpt2",   "llama",    "mistral", "qwen2", "qwen3",
                                                "gemma2", "gpt_neox", "phi3",    "bert"};

/// One sequence of a golden batch: the batch's row, and which of its columns are tokens.
struct golden_sequence {
  lancet::index row;
  std::vector<lancet::index> columns;
  std::vector<lancet::token> ids;
  std::vector<lancet::index> types;  // empty where the model has no segment embeddings
};

/// Rows of ids [B, T]; with a mask, the columns where it is 0 are left out: no padding is ever run.
[[nodiscard]] inline std::vector<golden_sequence> golden_sequences(std::vector<std::int32_t> const& ids,
                                                                   std::vector<std::int32_t> const& types,
                                                                   std::vector<std::int32_t> const& mask,
                                                                   lancet::index length) {
  std::vector<golden_sequence> out(ids.size() / static_cast<std::size_t>(length));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    golden_sequence& s = out[i / static_cast<std::size_t>(length)];
    s.row = static_cast<lancet::index>(i) / length;
    if (!mask.empty() && mask[i] == 0) continue;
    s.columns.push_back(static_cast<lancet::index>(i) % length);
    s.ids.push_back(ids[i]);
    if (!types.empty()) s.types.push_back(types[i]);
  }
  return out;
}

/// |x − ref| <= 1e-4·max(1, max|ref|), the tolerance stated with the reference values.
[[nodiscard]] inline double tolerance_of(golden_tensor const& reference) {
  return 1e-4 * std::max(1.0, reference.largest());
}

/// Forward and backward of `family` on backend B, all sequences in one batch, through a hook_table: with
/// patterns recorded (attention in steps), then without (fused attention).
template <class B>
void check_tiny_model(std::string const& family) {
  using namespace lancet;
  using lancet::index;
  std::string const folder = "goldens/tiny/" + family;
  golden_tensors const golden(folder + "/golden.safetensors");
  transformer<B> const model = load_model<B>(shared(folder));
  architecture const& a = model.arch();
  index const length = golden.floats("attn").shape[4], layers = a.layers;
  auto const k = static_cast<index>(read_json(shared(folder + "/golden.json")).at("k").template get<int>());

  for (auto const& [prefix, fused] :
       {std::pair(std::string(), false), std::pair(std::string(), true),
        std::pair(std::string("pad."), false), std::pair(std::string("pad."), true)}) {
    BOOST_TEST_CONTEXT(family << " on " << B::name << ", " << sizeof(typename B::scalar) << " bytes, "
                              << prefix << (fused ? " fused" : " in steps")) {
      std::vector<std::int32_t> const mask =
          prefix.empty() ? std::vector<std::int32_t>{} : golden.ints("pad.mask");
      std::vector<std::int32_t> const types =
          a.token_types > 0 ? golden.ints("token_type_ids") : std::vector<std::int32_t>{};
      auto const sequences = golden_sequences(golden.ints(prefix + "ids"), types, mask, length);
      batch<B> input;
      for (golden_sequence const& s : sequences)
        s.types.empty() ? input.add(s.ids) : input.add(s.ids, s.types);
      std::vector<index> read;  // a classifier's row of each sequence; every row of a language model
      for (segment const& s : input.segments)
        for (index i = 0; i < (a.labels > 0 ? 1 : s.rows); ++i) read.push_back(s.row + i);

      record<B, site::resid_pre, site::resid_post> values;
      record<B, site::pattern> patterns;
      gradients<B, site::resid_pre> slopes;
      hook_table<B> hooks;
      hooks.add(values);
      hooks.add(slopes);
      if (!fused) hooks.add(patterns);
      workspace<B> ws;
      lancet::forward(model, input, hooks, ws, std::span<index const>(read), pass_kind::record);
      lancet::logits(model, hooks, ws);

      golden_tensor const hidden = golden.floats(prefix + "hidden"), attn = golden.floats(prefix + "attn"),
                          logits = golden.floats(prefix + "logits");
      // The view's rows of one sequence against its columns of [.., T, ·].
      auto const compare = [&](std::string const& what, const_view<B> view, std::size_t s, auto&& expected,
                               double tol) {
        for (std::size_t i = 0; i < sequences[s].columns.size(); ++i)
          check_close<B>(what, view.row_range(input.segments[s].row + static_cast<index>(i), 1),
                         expected(sequences[s].row, sequences[s].columns[i]), tol);
      };
      for (std::size_t s = 0; s < sequences.size(); ++s) {
        if (a.labels > 0) {
          auto const one = [&](tensor<B>& t) { return t.all().row_range(static_cast<index>(s), 1); };
          check_close<B>("class logits", one(ws.readout.logits), logits.at(sequences[s].row),
                         tolerance_of(logits));
          golden_tensor const pooler = golden.floats(prefix + "pooler");
          check_close<B>("pooler", one(ws.readout.features()), pooler.at(sequences[s].row),
                         tolerance_of(pooler));
        } else {
          compare(
              "logits", ws.readout.logits, s, [&](index b, index t) { return logits.at(b, t); },
              tolerance_of(logits));
        }
        const_view<B> const last =
            a.final_norm ? ws.readout.norm.out : values.template get<site::resid_post>(layers - 1);
        compare(
            "after the final norm", last, s, [&](index b, index t) { return hidden.at(layers, b, t); },
            tolerance_of(hidden));
        for (index l = 0; l < layers; ++l) {
          compare(
              "resid_pre", values.template get<site::resid_pre>(l), s,
              [&](index b, index t) { return hidden.at(l, b, t); }, tolerance_of(hidden));
          if (fused) continue;
          const_view<B> const pattern = patterns.template get<site::pattern>(l, static_cast<index>(s));
          auto const& columns = sequences[s].columns;
          index const n = std::ssize(columns);
          for (index h = 0; h < a.heads; ++h)
            for (index i = 0; i < n; ++i) {
              auto const row = attn.at(l, sequences[s].row, h, columns[static_cast<std::size_t>(i)]);
              std::vector<float> real;
              for (index const c : columns) real.push_back(row[static_cast<std::size_t>(c)]);
              check_close<B>("pattern", pattern.row_range(h * n + i, 1), real, tolerance_of(attn));
            }
        }
      }
      if (!prefix.empty()) continue;

      golden_tensor const last = golden.floats("resid_final"), grad = golden.floats("grad_resid");
      for (std::size_t s = 0; s < sequences.size(); ++s)
        compare(
            "resid_post", values.template get<site::resid_post>(layers - 1), s,
            [&](index b, index t) { return last.at(b, t); }, tolerance_of(last));

      // objective = Σ_b logits[b, −1, k]; of a classifier Σ_b logits[b, k].
      double objective = 0;
      index const m = std::ssize(read);
      tensor<B> g_logits(m, ws.readout.logits.cols()), g_final(m, a.width);
      for (std::size_t i = 0; i < input.segments.size(); ++i) {
        index const row =
            a.labels > 0 ? static_cast<index>(i) : input.segments[i].row + input.segments[i].rows - 1;
        objective += static_cast<double>(ws.readout.logits.all()(row, k));
        g_logits.all()(row, k) = 1;
      }
      golden_tensor const expected = golden.floats("objective");
      BOOST_TEST(std::abs(objective - static_cast<double>(expected.values[0])) <= 2e-4);
      backward_pass<B, architecture, hook_table<B>>(model, hooks, ws).logits(g_logits, g_final);
      lancet::backward(model, hooks, ws, g_final);
      for (index l = 0; l < layers; ++l)
        for (std::size_t s = 0; s < sequences.size(); ++s)
          compare(
              "gradient at resid_pre", slopes.template get<site::resid_pre>(l), s,
              [&](index b, index t) { return grad.at(l, b, t); }, tolerance_of(grad));
    }
  }
}

}  // namespace lancet_test
