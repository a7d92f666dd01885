// SPDX-License-Identifier: Apache-2.0
// Random numbers keyed by place: Philox4x32-10 of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2,
// 3" (2011).
#pragma once

#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"

namespace lancet {

/// Names the numbers that this header draws. Stored with every result; changes whenever one draw would
/// change.
inline constexpr std::string_view rng_version = "philox/1";

namespace detail {

/// A bijection of 64 bits in which every input bit reaches every output bit (the finaliser of SplitMix64).
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept {
  z += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// FNV-1a of the bytes of `text`, mixed.
[[nodiscard]] constexpr std::uint64_t hash_name(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (char const c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix_bits(hash);
}

}  // namespace detail

/// A random-access sequence of random numbers: every draw is a pure function of (seed, stream, counter), so
/// it is the same in any order, on any number of threads and on every machine (normals: up to the last bit of
/// the C library's log, sin and cos). A stream is a name or a number, refined by places: `rng.at(layer,
/// position)`.
///
/// Philox's key is the seed; its counter is (block, stream), 64 bits each. One block holds the two 64-bit
/// words of counters 2 * block and 2 * block + 1, low half first. All kinds of draws share these words: give
/// two purposes two streams.
class philox_stream {
 public:
  constexpr philox_stream(std::uint64_t seed, std::uint64_t stream) noexcept : seed_(seed), stream_(stream) {}
  constexpr philox_stream(std::uint64_t seed, std::string_view stream) noexcept
      : philox_stream(seed, detail::hash_name(stream)) {}

  [[nodiscard]] constexpr std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] constexpr std::uint64_t id() const noexcept { return stream_; }

  /// The stream of a place inside this one; the order of places matters, at(1, 2) == at(1).at(2) != at(2, 1).
  template <std::integral... Places>
  [[nodiscard]] constexpr philox_stream at(Places... places) const noexcept {
    std::uint64_t stream = stream_;
    ((stream = detail::mix_bits(stream ^ detail::mix_bits(static_cast<std::uint64_t>(places)))), ...);
    return {seed_, stream};
  }

  /// 64 uniform bits.
  [[nodiscard]] std::uint64_t bits(std::uint64_t counter) const noexcept {
    return block(counter / 2)[counter % 2];
  }

  /// A double in [0, 1): the upper 53 bits of bits(counter), times 2^-53.
  [[nodiscard]] double uniform(std::uint64_t counter) const noexcept { return unit(bits(counter)); }

  /// A standard normal by Box and Muller, from the two words (a, b) of the block: r = sqrt(-2 ln u) with
  /// u = 1 - unit(a) in (0, 1], t = 2 pi unit(b); even counters get r cos t, odd ones r sin t.
  [[nodiscard]] double normal(std::uint64_t counter) const noexcept {
    return normal_pair(block(counter / 2))[counter % 2];
  }

  /// An integer in [0, bound), each exactly equally likely: bits(counter) modulo bound, where words below
  /// 2^64 modulo bound are refused and drawn again from at(1), at(2), ... Precondition: bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t counter, std::uint64_t bound) const {
    if (bound == 0) fail_expected("philox_stream::below", "bound 0", "a bound of at least 1");
    std::uint64_t const refused = (0 - bound) % bound;
    std::uint64_t word = bits(counter);
    for (std::uint64_t attempt = 1; word < refused; ++attempt) word = at(attempt).bits(counter);
    return word % bound;
  }

  /// An integer in [low, high], both included.
  [[nodiscard]] std::int64_t between(std::uint64_t counter, std::int64_t low, std::int64_t high) const {
    if (low > high) {
      fail_expected("philox_stream::between", std::to_string(low) + " .. " + std::to_string(high),
                    "low <= high");
    }
    std::uint64_t const width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    std::uint64_t const offset = width == 0 ? bits(counter) : below(counter, width);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
  }

  /// out[i] = uniform(first + i), one block a pair; a float takes the upper 24 bits and so stays below 1.
  template <std::floating_point Scalar>
  void fill_uniform(std::span<Scalar> out, std::uint64_t first = 0) const noexcept {
    fill(out, first, [](words const& word) {
      return std::array{unit<Scalar>(word[0]), unit<Scalar>(word[1])};
    });
  }

  /// out[i] = normal(first + i), one block a pair.
  template <std::floating_point Scalar>
  void fill_normal(std::span<Scalar> out, std::uint64_t first = 0) const noexcept {
    fill(out, first, normal_pair);
  }

 private:
  using words = std::array<std::uint64_t, 2>;

  template <std::floating_point Scalar = double>
  [[nodiscard]] static constexpr Scalar unit(std::uint64_t word) noexcept {
    using limits = std::numeric_limits<Scalar>;
    return static_cast<Scalar>(word >> (64 - limits::digits)) * (limits::epsilon() / 2);
  }

  [[nodiscard]] static std::array<double, 2> normal_pair(words const& word) noexcept {
    double const radius = std::sqrt(-2.0 * std::log(1.0 - unit(word[0])));
    double const angle = 2.0 * std::numbers::pi * unit(word[1]);
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

  [[nodiscard]] words block(std::uint64_t number) const noexcept {
    auto const low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
    auto const high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
    r123::Philox4x32_R<10> const philox;
    r123::Philox4x32::ctr_type const counter = {{low(number), high(number), low(stream_), high(stream_)}};
    r123::Philox4x32::key_type const key = {{low(seed_), high(seed_)}};
    auto const out = philox(counter, key);
    return {out[0] | std::uint64_t{out[1]} << 32, out[2] | std::uint64_t{out[3]} << 32};
  }

  template <class Scalar, class Map>
  void fill(std::span<Scalar> out, std::uint64_t first, Map map) const noexcept {
    std::size_t i = 0;
    while (i < out.size()) {
      std::uint64_t const counter = first + i;
      auto const pair = map(block(counter / 2));
      for (std::uint64_t half = counter % 2; half < 2 && i < out.size(); ++half) {
        out[i++] = static_cast<Scalar>(pair[half]);
      }
    }
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

/// Puts `values` in uniformly random order (Fisher and Yates; step i uses counter i).
template <class Value>
void shuffle(std::span<Value> values, philox_stream const& rng) {
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    using std::swap;
    swap(values[i], values[i + static_cast<std::size_t>(rng.below(i, values.size() - i))]);
  }
}

/// `count` distinct numbers of 0 .. n-1 in random order: the first `count` entries of random_permutation(n,
/// rng). O(n) memory. Throws usage_error unless 0 <= count <= n.
[[nodiscard]] inline std::vector<std::ptrdiff_t> sample_without_replacement(std::ptrdiff_t n,
                                                                            std::ptrdiff_t count,
                                                                            philox_stream const& rng) {
  if (count < 0 || count > n) {
    fail_expected("sample_without_replacement", std::to_string(count) + " of " + std::to_string(n),
                  "0 <= count <= n");
  }
  std::vector<std::ptrdiff_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::ptrdiff_t>(i);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    std::swap(order[i], order[i + static_cast<std::size_t>(rng.below(i, order.size() - i))]);
  }
  order.resize(static_cast<std::size_t>(count));
  return order;
}

/// The numbers 0 .. n-1 in random order.
[[nodiscard]] inline std::vector<std::ptrdiff_t> random_permutation(std::ptrdiff_t n,
                                                                    philox_stream const& rng) {
  return sample_without_replacement(n, n, rng);
}

}  // namespace lancet
