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

/// Attention with several tiles of keys and queries, behind a prefix, and its adjoint.
operation_results attention() {
  attention_shape const s{2, 1, 20, 0.3};
  index const n = 70, prefix = 40;
  tensor<B> const before = random_tensor<B>(prefix, 40, 1, 2), gz = random_tensor<B>(n, 40, 2);
  tensor<B> const x = random_tensor<B>(n, 80, 3, 2);
  tensor<B> z(n, 40), g(n, 80);
  std::vector<ops::attention_part<B>> const parts{
      {x.all().col_range(0, 40),
       {before.all().col_range(0, 20), x.all().col_range(40, 20)},
       {before.all().col_range(20, 20), x.all().col_range(60, 20)},
       z.all()}};
  std::vector<ops::attention_gradient<B>> const gradients{
      {gz, g.all().col_range(0, 40), g.all().col_range(40, 20), g.all().col_range(60, 20)}};
  ops::attention<B>(s, parts);
  ops::attention_adjoint<B>(s, parts, gradients);
  return {{"z", numbers<B>(z)}, {"gradients", numbers<B>(g)}};
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
  operation_results const expected = rows(), expected_attention = attention();
  for (schedule const order : orders) {
    emulation::settings().order = order;
    BOOST_TEST(difference(rows(), expected) == 0.0);
    BOOST_TEST(difference(attention(), expected_attention) == 0.0);
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
  for (auto const scenario : {rows, attention}) {
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
