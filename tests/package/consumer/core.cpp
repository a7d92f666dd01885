// SPDX-License-Identifier: Apache-2.0
// Uses what lancet::core promises: threads, Random123, and errors that say what was expected.
#include <array>
#include <cstdint>
#include <cstdio>
#include <lancet/core/error.hpp>
#include <lancet/core/executor.hpp>
#include <lancet/core/random.hpp>
#include <lancet/version.hpp>

int main() {
  lancet::philox_stream const stream(7, "consumer");
  std::array<double, 64> draws{};
  lancet::parallel_for(64, [&](lancet::index i) {
    draws[static_cast<std::size_t>(i)] = stream.uniform(static_cast<std::uint64_t>(i));
  });
  for (std::size_t i = 0; i < draws.size(); ++i)
    if (draws[i] != stream.uniform(i)) return 1;

  try {
    lancet::fail_expected("consumer", "nothing", "an error");
  } catch (lancet::usage_error const& failure) {
    std::printf("lancet %s: %s\n", lancet::version, failure.what());
    return 0;
  }
}
