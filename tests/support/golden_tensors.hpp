// SPDX-License-Identifier: Apache-2.0
// Reference tensors of a safetensors file, and their comparison with views.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/view.hpp"
#include "lancet/io/safetensors.hpp"
#include "support/shared.hpp"

namespace lancet_test {

/// A reference tensor [d0, d1, …], row-major.
struct golden_tensor {
  std::vector<std::ptrdiff_t> shape;
  std::vector<float> values;

  /// Elements [first · size, (first + 1) · size) where `size` is the product of the axes after the given
  /// ones.
  template <class... I>
  [[nodiscard]] std::span<float const> at(I... i) const {
    std::ptrdiff_t offset = 0;
    std::size_t axis = 0;
    ((offset = offset * shape[axis++] + static_cast<std::ptrdiff_t>(i)), ...);
    std::ptrdiff_t size = 1;
    for (; axis < shape.size(); ++axis) size *= shape[axis];
    return std::span(values).subspan(static_cast<std::size_t>(offset * size), static_cast<std::size_t>(size));
  }
  [[nodiscard]] double largest() const {
    double most = 0;
    for (float const v : values) most = std::max(most, std::abs(static_cast<double>(v)));
    return most;
  }
};

class golden_tensors {
 public:
  explicit golden_tensors(std::string_view relative)
      : file_(lancet::safetensors_file::open(shared(relative))) {}

  [[nodiscard]] bool contains(std::string_view name) const { return file_.tensors().find(name) != nullptr; }
  [[nodiscard]] golden_tensor floats(std::string_view name) const {
    lancet::tensor_entry const& entry = file_.tensors().at(name);
    return {entry.shape, lancet::read_floats(entry)};
  }
  [[nodiscard]] std::vector<std::int32_t> ints(std::string_view name) const {
    return lancet::read_values<std::int32_t>(file_.tensors().at(name), file_.path());
  }

 private:
  lancet::safetensors_file file_;
};

/// The largest |got − expected|; infinite where a value is not a number or the sizes differ.
template <class B>
[[nodiscard]] double largest_difference(lancet::const_view<B> got, std::span<float const> expected) {
  if (got.size() != std::ssize(expected)) return INFINITY;
  double most = 0;
  for (lancet::index i = 0; i < got.rows; ++i)
    for (lancet::index j = 0; j < got.cols; ++j) {
      double const d = std::abs(static_cast<double>(got(i, j)) -
                                static_cast<double>(expected[static_cast<std::size_t>(i * got.cols + j)]));
      if (!(d <= most)) most = std::isnan(d) ? INFINITY : d;
    }
  return most;
}

/// Fails unless every element is within `tolerance`.
template <class B>
void check_close(std::string_view what, std::type_identity_t<lancet::const_view<B>> got,
                 std::span<float const> expected, double tolerance) {
  double const d = largest_difference<B>(got, expected);
  BOOST_CHECK_MESSAGE(d <= tolerance, what << ": " << lancet::shape_text(got) << " differs by " << d
                                           << ", tolerance " << tolerance << " (" << expected.size()
                                           << " reference values)");
}

}  // namespace lancet_test
