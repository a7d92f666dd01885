// SPDX-License-Identifier: Apache-2.0
// Kernels of the CUDA backend: right in every order of warps and for every size of block, and each barrier
// needed.
//
// That they compute the right thing is a law (laws.operations.emulated); here is what a GPU's scheduler may
// do to them.
#define BOOST_TEST_MODULE device_barriers
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "lancet/backend/emulated.hpp"
#include "support/every_operation.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using device::emulation;
using device::schedule;
using device::source_line;
using B = backend::emulated<float>;
constexpr schedule orders[] = {schedule::forward, schedule::reverse, schedule::shuffled};

/// Kernels that sum along rows, with more columns than threads.
operation_results rows() {
  operation_results out;
  run_norms<B>(out);
  run_rows<B>(out);
  return out;
}

/// Attention with several tiles of keys and queries, behind a prefix, and its adjoint: heads of `d` columns.
template <class Backend>
operation_results attention(index d) {
  attention_shape const s{2, 1, d, 0.3};
  index const n = 70, prefix = 40;
  tensor<Backend> const before = random_tensor<Backend>(prefix, 2 * d, 1, 2),
                        gz = random_tensor<Backend>(n, 2 * d, 2), x = random_tensor<Backend>(n, 4 * d, 3, 2);
  tensor<Backend> z(n, 2 * d), g(n, 4 * d);
  auto const part = [d](tensor<Backend> const& t, index first) { return t.all().col_range(first * d, d); };
  std::vector<ops::attention_part<Backend>> const parts{
      {x.all().col_range(0, 2 * d), {part(before, 0), part(x, 2)}, {part(before, 1), part(x, 3)}, z.all()}};
  std::vector<ops::attention_gradient<Backend>> const gradients{
      {gz, g.all().col_range(0, 2 * d), g.all().col_range(2 * d, d), g.all().col_range(3 * d, d)}};
  ops::attention<Backend>(s, parts);
  ops::attention_adjoint<Backend>(s, parts, gradients);
  return {{"z", numbers<Backend>(z)}, {"gradients", numbers<Backend>(g)}};
}
operation_results narrow_attention() { return attention<B>(20); }

/// Every other kernel: of elements, and attention in steps.
operation_results steps() {
  operation_results out;
  run_elementwise<B>(out);
  run_attention<B>(out);
  return out;
}

/// The largest difference; infinite where something is not a number.
double difference(operation_results const& a, operation_results const& b) {
  double worst = 0;
  for (auto const& [name, values] : b)
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const d = std::abs(a.at(name)[i] - values[i]);
      if (!(d <= worst)) worst = std::isnan(d) ? HUGE_VAL : d;
    }
  return worst;
}

struct restored_settings {
  ~restored_settings() { emulation::settings() = {}; }
};

// Sums of a row are taken in an order that depends on the number of threads: equal to rounding, and bit for
// bit under every schedule.
BOOST_AUTO_TEST_CASE(schedules_and_block_sizes_change_nothing) {
  restored_settings const at_end;
  using wide = backend::emulated<double>;
  operation_results (*const scenarios[])() = {rows,
                                              steps,
                                              narrow_attention,
                                              [] { return attention<B>(64); },
                                              [] { return attention<B>(128); },
                                              [] { return attention<wide>(20); },
                                              [] { return attention<wide>(64); }};
  operation_results const expected = rows();
  for (auto const scenario : scenarios) {
    emulation::settings().order = schedule::forward;
    operation_results const in_turn = scenario();
    for (schedule const order : {schedule::reverse, schedule::shuffled}) {
      emulation::settings().order = order;
      BOOST_TEST(difference(scenario(), in_turn) == 0.0);
    }
  }
  for (schedule const order : orders) {
    emulation::settings().order = order;
    for (int const threads : {32, 96, 256, 512}) {
      emulation::settings().threads = threads;
      BOOST_TEST(difference(rows(), expected) < 2e-5);
    }
    emulation::settings().threads = 0;
  }
}

BOOST_AUTO_TEST_CASE(no_barrier_can_be_taken_out) {
  restored_settings const at_end;
  emulation& settings = emulation::settings();
  settings.threads = 64;  // more than one warp, where a kernel leaves it open
  struct barrier {
    std::string file;
    int line;
    auto operator<=>(barrier const&) const = default;
  };
  std::map<barrier, bool> missed;  // true once a run showed that it was missing
  for (auto const scenario : {rows, narrow_attention}) {
    std::vector<source_line> met;
    settings.barriers = &met;
    operation_results const expected = scenario();
    settings.barriers = nullptr;
    std::set<barrier> here;
    for (source_line const& at : met) here.insert({at.file, at.line});
    for (barrier const& b : here) {
      for (schedule const order : orders) {
        settings.order = order;
        settings.without_barrier_at = b.line;
        settings.without_barrier_in = b.file;
        missed[b] = missed[b] || difference(scenario(), expected) > 1e-3;
        if (missed[b]) break;
      }
      settings.order = schedule::forward;
      settings.without_barrier_at = 0;
    }
  }
  BOOST_TEST(missed.size() == 11U);  // 2 of sums along rows, 3 of attention, 3 of each half of its adjoint
  for (auto const& [b, shown] : missed)
    BOOST_CHECK_MESSAGE(shown, b.file << ":" << b.line << ": nothing changes without this barrier");
}

}  // namespace
}  // namespace lancet_test
