// SPDX-License-Identifier: Apache-2.0
// Products with prepared weights by shape and product policy: y [m, out] = x [m, in] · Wᵀ, and the adjoint gx
// = gy·W.
//
// The weights of all layers are used in turn, as in a pass: small products pay for reading them from memory.
#include <string>
#include <vector>

#include "support/figures.hpp"
#include "support/model.hpp"

namespace lancet_bench {
namespace {

using lancet::backend::eigen;
namespace product = lancet::backend::product;

struct shape {
  char const* name;
  index out, in, copies;
};

[[nodiscard]] std::vector<shape> shapes() {
  lancet::architecture const a = smollm2_135m();
  lancet::sizes<lancet::architecture> const n(a);
  return {{"qkv", n.qkv, a.width, a.layers},
          {"o", a.width, n.q, a.layers},
          {"gate_up", n.mlp_in, a.width, a.layers},
          {"down", a.width, a.mlp_width, a.layers},
          {"unembedding", a.vocabulary, a.width, 1}};
}

enum class way { forward, adjoint };

template <class B>
void run(benchmark::State& state, shape const& s, index m, way direction) {
  std::vector<typename B::weight> weights;
  for (index l = 0; l < s.copies; ++l)
    weights.emplace_back(random_tensor<B>(s.out, s.in, "weight " + std::to_string(l)).all());
  lancet::tensor<B> x = random_tensor<B>(m, s.in, "x"), y = random_tensor<B>(m, s.out, "y");
  std::size_t next = 0;
  auto const once = [&] {
    typename B::weight const& w = weights[next++ % weights.size()];
    if (direction == way::forward)
      lancet::ops::linear<B>(x, w, {}, y.all());
    else
      lancet::ops::linear_adjoint<B>(y, w, x.all());
  };
  for (index l = 0; l < s.copies; ++l) once();  // what is prepared at first use
  measure<B>(state, once);
  double const operations = 2.0 * static_cast<double>(m * s.out * s.in);
  count(state, "flops", operations);
  count_operations<B>(state, operations);
}

template <class B>
void add_shapes(std::string const& policy) {
  for (way const which : {way::forward, way::adjoint})
    for (shape const& s : shapes())
      for (index const m : {1, 4, 14, 32, 128, 256, 1024})
        benchmark::RegisterBenchmark(("gemm/" + policy + (which == way::forward ? "/forward/" : "/adjoint/") +
                                      s.name + "/" + std::to_string(m))
                                         .c_str(),
                                     [s, m, which](benchmark::State& state) { run<B>(state, s, m, which); })
            ->UseRealTime();
}

void peak(benchmark::State& state) {
  constexpr index steps = 1000000;
  index const tiles = lancet::current_executor().threads();
  for (auto _ : state) lancet::parallel_for(tiles, [](index) { benchmark::DoNotOptimize(run_fma(steps)); });
  count(state, "flops", static_cast<double>(tiles) * fma_operations(steps));
}
BENCHMARK(peak)->UseRealTime();

bool const registered = [] {
  add_shapes<eigen<float, product::packed>>("packed");
  add_shapes<eigen<float, product::plain>>("eigen");
  add_shapes<eigen<float, product::cblas>>("cblas");
  return true;
}();

}  // namespace
}  // namespace lancet_bench
