// SPDX-License-Identifier: Apache-2.0
// Parts of an intervention with their numbers in host memory: what writers and readers of others' files work
// on, whatever the backend.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "lancet/intervene/intervention.hpp"

namespace lancet {

/// One part. The intervention's strength is folded in: into `what.scale`, `delta`, or `gamma` and `beta`.
struct host_part {
  part_description what;
  std::vector<float> a;                      ///< low_rank: [rank, columns]
  std::vector<float> b;                      ///< low_rank: [outputs, rank]
  std::vector<float> delta;                  ///< offset: [columns]
  std::vector<float> gamma = {}, beta = {};  ///< rescale: [columns]
};

namespace detail {

/// True where a float holds a number of this size: a larger one would become infinite in a backend.
[[nodiscard]] inline bool fits_float(double x) {
  return std::abs(x) <= static_cast<double>(std::numeric_limits<float>::max());
}
inline constexpr char const* float_range = "a number that a float holds, below 3.4e38 in size";

template <class B>
[[nodiscard]] std::vector<float> host_floats(const_view<B> values) {
  std::vector<typename B::scalar> host(static_cast<std::size_t>(values.rows * values.cols));
  B::download(values, host.data());
  std::vector<float> out(host.size());
  std::transform(host.begin(), host.end(), out.begin(), [](auto x) { return static_cast<float>(x); });
  return out;
}

template <class B>
void upload_floats(std::vector<float> const& from, tensor<B>& to) {
  std::vector<typename B::scalar> const host(from.begin(), from.end());
  B::upload(host.data(), to.all());
}

}  // namespace detail

/// The parts of an intervention, in its order; numbers are rounded to float.
template <class B>
[[nodiscard]] std::vector<host_part> host_parts(intervention<B> const& from) {
  std::vector<host_part> out;
  for (auto const& p : from.parts()) {
    host_part one{p->describe(), {}, {}, {}};
    auto const tensors = p->tensors();
    auto const host = [&](std::size_t i) { return detail::host_floats<B>(tensors.at(i).value->all()); };
    auto const strong = [&](std::vector<float> values) {
      for (float& x : values) x = static_cast<float>(x * from.strength());
      return values;
    };
    if (one.what.kind == "low_rank") {
      one.a = host(0);
      one.b = host(1);
      one.what.scale *= from.strength();
    } else if (one.what.kind == "rescale") {
      one.gamma = strong(host(0));
      one.beta = strong(host(1));
    } else {
      one.delta = strong(host(0));
    }
    out.push_back(std::move(one));
  }
  return out;
}

/// An intervention made of parts from elsewhere; it is confined to no circuit. Throws usage_error for none.
template <class B>
[[nodiscard]] intervention<B> intervention_of(std::string kind, std::vector<host_part> const& parts,
                                              transformer<B> const& model) {
  if (parts.empty()) throw usage_error(kind + ": got no parts, expected at least one");
  circuit none;
  none.model = model.identity();
  intervention<B> out(std::move(kind), std::move(none), model.identity());
  for (host_part const& p : parts) {
    out.parts().push_back(make_part<B>(p.what, model.arch()));
    auto const tensors = out.parts().back()->tensors();
    std::vector<std::vector<float> const*> const values = p.what.kind == "low_rank" ? std::vector{&p.a, &p.b}
                                                          : p.what.kind == "rescale"
                                                              ? std::vector{&p.gamma, &p.beta}
                                                              : std::vector{&p.delta};
    for (std::size_t i = 0; i < values.size(); ++i)
      detail::upload_floats<B>(*values[i], *tensors.at(i).value);
  }
  return out;
}

}  // namespace lancet
