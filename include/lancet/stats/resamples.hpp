// SPDX-License-Identifier: Apache-2.0
// Where the rows of bootstrap resamples come from: drawn by place, or given.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lancet/core/error.hpp"
#include "lancet/core/random.hpp"

namespace lancet {

/// Row indices of resamples, with replacement, for a sample of n rows. Row i of resample b is
/// stream.below(b * n + i, n), whoever draws it.
struct drawn_resamples {
  philox_stream stream;
  std::ptrdiff_t count = 9999;

  [[nodiscard]] std::ptrdiff_t resamples(std::ptrdiff_t) const { return count; }
  void rows(std::ptrdiff_t resample, std::span<std::ptrdiff_t> out) const {
    std::uint64_t const first = static_cast<std::uint64_t>(resample) * out.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::ptrdiff_t>(stream.below(first + i, out.size()));
    }
  }
};

/// Row indices drawn elsewhere: [resamples, n], row-major, each in [0, n). Refers to the caller's memory.
struct given_resamples {
  std::span<std::int32_t const> indices;

  /// Throws usage_error unless `indices` is a whole number of rows of n indices, all below n.
  [[nodiscard]] std::ptrdiff_t resamples(std::ptrdiff_t n) const {
    auto const width = static_cast<std::size_t>(n);
    if (indices.size() % width != 0) {
      fail_expected("given_resamples", std::to_string(indices.size()) + " indices",
                    "a multiple of the sample size " + std::to_string(n));
    }
    for (std::int32_t const i : indices) {
      if (i < 0 || i >= n)
        fail_expected("given_resamples", "index " + std::to_string(i), "0 .. " + std::to_string(n - 1));
    }
    return static_cast<std::ptrdiff_t>(indices.size() / width);
  }
  void rows(std::ptrdiff_t resample, std::span<std::ptrdiff_t> out) const {
    auto const row = indices.subspan(static_cast<std::size_t>(resample) * out.size(), out.size());
    std::copy(row.begin(), row.end(), out.begin());
  }
};

/// Something that says how many resamples there are of a sample of n rows, and fills the rows of one of them.
template <class Source>
concept resample_source = requires(Source const& source, std::ptrdiff_t number,
                                   std::span<std::ptrdiff_t> rows) {
  { source.resamples(number) } -> std::same_as<std::ptrdiff_t>;
  source.rows(number, rows);
};

}  // namespace lancet
