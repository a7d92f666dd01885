// SPDX-License-Identifier: Apache-2.0
// A hook whose function is compiled into a kernel, in a whole pass that nvcc compiles: the same numbers as on the host.
#define BOOST_TEST_MODULE device_fused
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "lancet/backend/cuda.cuh"
#include "lancet/backend/reference.hpp"
#include "lancet/hooks/apply.hpp"
#include "lancet/hooks/hooks.hpp"
#include "lancet/model/run.hpp"
#include "laws/backends/cuda.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using lancet::batch;
using lancet::transformer;
using lancet::workspace;

struct soft_clip {
  float limit;
  LANCET_HOST_DEVICE float value(float x) const { return limit * std::tanh(x / limit); }
};

template <class B>
std::vector<float> clipped_outputs() {
  transformer<B> const model = tiny_model<B>(llama_like());
  lancet::apply<B, lancet::site::mlp_post, soft_clip> clip({1, 1}, {0.05F});
  auto hooks = lancet::hooks(clip);
  batch<B> input;
  input.add(random_tokens(9, 23, 1));
  workspace<B> ws;
  lancet::forward(model, input, hooks, ws);
  return elements<B>(ws.readout.norm.out.all());
}

BOOST_AUTO_TEST_CASE(a_function_in_the_kernel_is_the_function_on_the_host) {
  std::vector<float> const on_gpu = clipped_outputs<lancet::backend::cuda<float>>();
  std::vector<float> const on_host = clipped_outputs<lancet::backend::reference<float>>();
  BOOST_REQUIRE(on_gpu.size() == on_host.size());
  for (std::size_t i = 0; i < on_gpu.size(); ++i) BOOST_TEST(std::abs(on_gpu[i] - on_host[i]) < 1e-4F);
}

}  // namespace
}  // namespace lancet_test
