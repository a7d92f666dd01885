// SPDX-License-Identifier: Apache-2.0
// Ragged segments, some behind a prefix, of one small attention; q, k, v lie side by side as in a layer.
#pragma once

#include <cstdint>
#include <vector>

#include "lancet/ops/attention.hpp"
#include "support/random_tensor.hpp"

namespace lancet_test {

/// The same heads under every kind of mask and cap.
[[nodiscard]] inline std::vector<lancet::attention_shape> attention_shapes() {
  lancet::attention_shape const plain{4, 2, 5, 0.45};
  std::vector<lancet::attention_shape> out(5, plain);
  out[1].mask.window = 3;
  out[2].mask.causal = false;
  out[3].cap = 0.8;
  out[4].mask.window = 1;
  out[4].cap = 2;
  return out;
}

template <class B>
struct ragged_attention {
  lancet::attention_shape shape;
  std::vector<lancet::tensor<B>> qkv, cached, z, gz, g;
  std::vector<lancet::ops::attention_part<B>> parts;
  std::vector<lancet::ops::attention_gradient<B>> gradients;

  explicit ragged_attention(lancet::attention_shape s = {4, 2, 5, 0.45}) : shape(s) {
    struct lengths {
      index own, prefix;
    };
    std::uint64_t seed = 1;
    for (auto const [n, p] : {lengths{1, 0}, {4, 3}, {6, 0}, {1, 7}}) {
      qkv.push_back(random_tensor<B>(n, 8 * 5, seed++, 2));
      cached.push_back(random_tensor<B>(p, 4 * 5, seed++, 2));
      z.emplace_back(n, 4 * 5);
      gz.push_back(random_tensor<B>(n, 4 * 5, seed++));
      g.emplace_back(n, 8 * 5);
    }
    for (std::size_t i = 0; i < qkv.size(); ++i) {
      lancet::view<B> const x = qkv[i].all(), before = cached[i].all(), d = g[i].all();
      parts.push_back({x.col_range(0, 20),
                       {before.col_range(0, 10), x.col_range(20, 10)},
                       {before.col_range(10, 10), x.col_range(30, 10)},
                       z[i].all()});
      gradients.push_back({gz[i].all(), d.col_range(0, 20), d.col_range(20, 10), d.col_range(30, 10)});
    }
  }
};

}  // namespace lancet_test
