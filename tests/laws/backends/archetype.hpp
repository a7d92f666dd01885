// SPDX-License-Identifier: Apache-2.0
// The archetype: what `tensor_backend` lists, and nothing else. docs/adding-a-backend.md starts from it.
#pragma once

#include <algorithm>
#include <boost/mpl/list.hpp>
#include <vector>

#include "lancet/ops/linear.hpp"

namespace lancet_test {

template <class Scalar>
struct archetype {
  using scalar = Scalar;
  using storage = std::vector<Scalar>;
  using in = lancet::const_view<archetype>;
  using out = lancet::view<archetype>;
  static constexpr bool host = true;

  static void copy(in x, out y) {
    for (lancet::index i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
  }
  static void upload(Scalar const* from, out y) {
    for (lancet::index i = 0; i < y.rows; ++i) std::copy_n(from + i * y.cols, y.cols, y.row(i));
  }
  static void download(in x, Scalar* to) {
    for (lancet::index i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, to + i * x.cols);
  }
  static in native(in x) { return x; }
  static out native(out x) { return x; }

  using weight = lancet::plain_weight<archetype>;
  using overrides = lancet::op_list<>;
};

// One scalar: what is asked here is which members suffice, not which digits come out.
using backends = boost::mpl::list<archetype<double>>;
inline constexpr bool rows_are_independent = true;
inline constexpr lancet::index longest_text = 120;

}  // namespace lancet_test
