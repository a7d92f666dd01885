// SPDX-License-Identifier: Apache-2.0
// A small transformer with a planted bias and the units that cause it: for tests, examples, and trying things
// out.
#pragma once

#include "lancet/io/sha256.hpp"
#include "lancet/model/transformer.hpp"
#include "lancet/planted/data.hpp"
#include "lancet/planted/weights.hpp"

namespace lancet {

/// A model and what is known of it.
template <class B>
struct planted {
  transformer<B> model;  ///< with its tokenizer
  planted_truth truth;
};

namespace detail {

template <class B>
[[nodiscard]] tensor<B> upload_planted(planted_matrix const& m) {
  std::vector<typename B::scalar> const host(m.values.begin(), m.values.end());
  tensor<B> out(m.rows, m.cols);
  B::upload(host.data(), out.all());
  return out;
}

}  // namespace detail

/// Makes the model: "The nurse said that" goes on with " she" by stereotype, "The king said that" with " he"
/// because it is so. The same options give the same weights on every backend. Throws usage_error for options
/// that are not finite.
template <class B>
[[nodiscard]] planted<B> planted_model(planted_options const& options = {}) {
  architecture const arch = planted_architecture();
  detail::planted_parameters const p = detail::planted_builder(options).build();
  auto const weight = [](detail::planted_matrix const& m) {
    return typename B::weight(detail::upload_planted<B>(m).all());
  };
  auto const norm = [&] {
    norm_weights<B> n{tensor<B>(1, arch.width), {}};
    ops::fill<B>(n.weight.all(), 1);
    return n;
  };
  sha256_stream digest;
  auto const include = [&](detail::planted_matrix const& m) {
    digest.update(std::as_bytes(std::span(m.values)));
  };
  model_weights<B> w;
  w.embedding = weight(p.embedding);
  w.unembedding = std::make_unique<typename B::weight>(weight(p.unembedding));
  w.final_norm = norm();
  include(p.embedding);
  include(p.unembedding);
  for (detail::planted_layer const& l : p.layers) {
    layer_weights<B> layer;
    layer.attn_norm = norm();
    layer.qkv.weight = weight(l.qkv);
    layer.o.weight = weight(l.o);
    layer.mlp_norm = norm();
    layer.mlp_in.weight = weight(l.mlp_in);
    layer.down.weight = weight(l.down);
    w.layers.push_back(std::move(layer));
    for (auto const* m : {&l.qkv, &l.o, &l.mlp_in, &l.down}) include(*m);
  }
  transformer<B> model(arch, std::move(w), {"planted", digest.finish()});
  model.set_tokenizer(std::make_shared<tokenizer const>(planted_tokenizer()));
  return {std::move(model), planted_units()};
}

}  // namespace lancet
