// SPDX-License-Identifier: Apache-2.0
// Seeded matrices and token ids, and the context that every benchmark prints.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "lancet/backend/gemm/microkernel.hpp"
#include "lancet/core/executor.hpp"
#include "lancet/core/random.hpp"
#include "lancet/core/tensor.hpp"
#include "lancet/model/batch.hpp"

namespace lancet_bench {

using lancet::index;

/// Numbers of the stream `name`, uniform in offset ± spread: [rows, cols].
template <class B>
[[nodiscard]] lancet::tensor<B> random_tensor(index rows, index cols, std::string_view name,
                                              double spread = 1, double offset = 0) {
  lancet::philox_stream const stream(1, name);
  std::vector<typename B::scalar> host(static_cast<std::size_t>(rows * cols));
  lancet::parallel_for(rows, [&](index i) {
    for (index e = i * cols; e < (i + 1) * cols; ++e)
      host[static_cast<std::size_t>(e)] = static_cast<typename B::scalar>(
          spread * (2 * stream.uniform(static_cast<std::uint64_t>(e)) - 1) + offset);
  });
  lancet::tensor<B> out(rows, cols);
  B::upload(host.data(), out.all());
  return out;
}

/// `count` ids below `vocabulary`.
[[nodiscard]] inline std::vector<lancet::token> random_tokens(index count, index vocabulary,
                                                              std::string_view name) {
  lancet::philox_stream const stream(1, name);
  std::vector<lancet::token> out;
  for (index i = 0; i < count; ++i)
    out.push_back(static_cast<lancet::token>(stream.uniform(static_cast<std::uint64_t>(i)) *
                                             static_cast<double>(vocabulary)));
  return out;
}

namespace detail {
inline bool const context_added = [] {
  benchmark::AddCustomContext("lancet_threads", std::to_string(lancet::current_executor().threads()));
  benchmark::AddCustomContext("lancet_isa", lancet::gemm::kernels<float>().name);
  return true;
}();
}  // namespace detail

}  // namespace lancet_bench
