// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE gguf_bad_files
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/finite.hpp"
#include "lancet/io/gguf.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/temporary_folder.hpp"

// Every case is a file that some reader of this format has mishandled, or could. Each must end in a
// file_error with its own sentence, without reading past the end (the bytes stand in an allocation of exactly
// their size, for the address sanitizer), and without taking more memory than a small multiple of the file's
// size.

using lancet::gguf_file;
using lancet_test::gguf_bytes;
using namespace lancet_test;

namespace {

constexpr std::uint64_t all_ones = ~std::uint64_t{0};
constexpr std::uint32_t f32 = 0, q4_1 = 3;

gguf_file parse(std::vector<std::byte> const& bytes, lancet::gguf_limits const& limits = {}) {
  return gguf_file::parse(bytes, "bad.gguf", limits);
}

void refused(gguf_bytes const& made, std::string_view sentence, lancet::gguf_limits const& limits = {}) {
  std::vector<std::byte> const exact(made.bytes.begin(), made.bytes.end());
  allocation_watch const watch;
  check_throws<lancet::file_error>([&] { (void)parse(exact, limits); }, sentence);
  check_throws<lancet::file_error>([&] { (void)parse(exact, limits); }, "bad.gguf");
  BOOST_TEST(watch.peak() <= 16 * exact.size() + 16384,
             "took " << watch.peak() << " bytes for a file of " << exact.size());
}

// One tensor as described, then `data` bytes of data.
gguf_bytes one_tensor(std::vector<std::uint64_t> const& axes, std::uint32_t type, std::uint64_t offset,
                      std::size_t data) {
  return gguf_bytes().header(1, 0).tensor("w", axes, type, offset).pad().zeros(data);
}

gguf_bytes with_alignment(std::uint32_t value) {
  return gguf_bytes().header(0, 1).scalar<std::uint32_t>("general.alignment", g_u32, value);
}

}  // namespace

BOOST_AUTO_TEST_CASE(magic_and_version) {
  refused(gguf_bytes().raw("GGML").zeros(60),
          "bad.gguf @ byte 0: does not begin with 'GGUF': not a GGUF file");
  refused(gguf_bytes().raw("GG"), "magic: needs 4 bytes, only 2 are left in the file");
  refused(small_gguf().patch<std::uint32_t>("version", 1),
          "bad.gguf @ byte 4: GGUF version: got 1, expected 2 or 3");
  refused(small_gguf().patch<std::uint32_t>("version", 4), "GGUF version: got 4");
  refused(small_gguf().patch<std::uint32_t>("version", 0x03000000), "is a big-endian GGUF file");
  refused(gguf_bytes().raw("PK\3\4").zeros(100), "not a GGUF file");
}

BOOST_AUTO_TEST_CASE(truncated_at_every_byte) {
  auto const made = small_gguf();
  (void)parse(made.bytes);
  for (std::size_t size = 0; size < made.bytes.size(); ++size) {
    std::vector<std::byte> const part(made.bytes.begin(),
                                      made.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    BOOST_TEST_CONTEXT("first " << size << " bytes") {
      check_throws<lancet::file_error>([&] { (void)parse(part); }, "bad.gguf");
    }
  }
}

// CVE-2024-23605, CVE-2024-21836: header.n_kv and header.n_tensors trusted; the product with an entry's size
// wrapped.
BOOST_AUTO_TEST_CASE(cve_2024_23605_counts_in_the_header) {
  for (std::uint64_t const count : {all_ones, std::uint64_t{1} << 63, std::uint64_t{1} << 61,
                                    all_ones / 24 + 1, std::uint64_t{1} << 32, std::uint64_t{30}}) {
    refused(small_gguf().patch("metadata", count).patch<std::uint64_t>("tensors", 0),
            count == 30 ? "@ byte" : "number of metadata entries: got " + std::to_string(count));
    refused(small_gguf().patch("tensors", count),
            count == 30 ? "bad.gguf @ byte" : "number of tensors: got " + std::to_string(count));
  }
  refused(small_gguf().patch<std::uint64_t>("tensors", 1000), "which need at least 24 bytes each, only ");
  refused(small_gguf(), "number of tensors: got 3, the limit is 2", {.tensors = 2});
  refused(small_gguf(), "number of metadata entries: got 17, the limit is 16", {.metadata = 16});
}

BOOST_AUTO_TEST_CASE(keys) {
  refused(gguf_bytes().header(0, 1).u64(all_ones).raw("key").zeros(64),
          "@ byte 24: metadata key: got 18446744073709551615, which need at least 1 bytes each");
  refused(gguf_bytes().header(0, 1).u64(all_ones - 31).raw("key").zeros(64),
          "metadata key: got 18446744073709551584");
  refused(gguf_bytes().header(0, 1).text(std::string(65537, 'k')).zeros(20),
          "metadata key: got 65537, the limit is 65536");
  refused(gguf_bytes().header(0, 1).text("").u32(g_u32).u32(1), "metadata key is empty");
  refused(gguf_bytes().header(0, 3).scalar("a", g_u32, 1).scalar("b", g_u32, 1).scalar("a", g_f32, 2.0f),
          "@ byte 58: two metadata entries have the key 'a'");
  refused(gguf_bytes().header(0, 2).scalar("\x1b]0;x\a", g_u32, 1).scalar("\x1b]0;x\a", g_u32, 1),
          "the key '\\x1b]0;x\\x07'");
}

BOOST_AUTO_TEST_CASE(value_types) {
  refused(gguf_bytes().header(0, 1).scalar("k", 13, 1), "metadata 'k': unknown value type 13");
  refused(gguf_bytes().header(0, 1).scalar("k", 0xffffffff, 1),
          "metadata 'k': unknown value type 4294967295");
  refused(gguf_bytes().header(0, 1).text("k").u32(g_array).u32(77).u64(0),
          "metadata 'k': unknown value type 77");
  refused(gguf_bytes().header(0, 1).scalar<std::uint8_t>("k", g_bool, 2),
          "metadata 'k': a bool is neither 0 nor 1");
  refused(gguf_bytes().header(0, 1).array<std::uint8_t>("k", g_bool, {0, 1, 255}),
          "a bool is neither 0 nor 1");
}

// Parsers that call themselves for an array of arrays run out of stack.
BOOST_AUTO_TEST_CASE(nested_arrays) {
  gguf_bytes nested;
  nested.header(0, 1).text("k").u32(g_array);
  for (int i = 0; i < 200'000; ++i) nested.u32(g_array).u64(1);
  refused(nested, "metadata 'k': arrays of arrays are not accepted");
}

// ggml#709, CVE-2024-21825: the length of an array times the size of an element wraps, a small buffer is
// allocated.
BOOST_AUTO_TEST_CASE(cve_2024_21825_array_lengths) {
  auto const array = [](std::uint32_t type, std::uint64_t length) {
    return gguf_bytes().header(0, 1).text("k").u32(g_array).u32(type).u64(length).zeros(100);
  };
  refused(array(g_u8, all_ones), "length of metadata array: got 18446744073709551615");
  refused(array(g_f32, std::uint64_t{1} << 62),
          "length of metadata array: got 4611686018427387904, which need at least 4 bytes each, only 100 are "
          "left");
  refused(array(g_f64, (std::uint64_t{1} << 61) + 1), "length of metadata array: got 2305843009213693953");
  refused(array(g_string, std::uint64_t{1} << 61),
          "length of metadata array: got 2305843009213693952, which need at least 8 bytes each");
  refused(array(g_string, 13), "length of metadata array: got 13");
  refused(array(g_u8, 101), "got 101, which need at least 1 bytes each, only 100 are left");
  refused(array(g_u8, 90), "length of metadata array: got 90, the limit is 64", {.array_elements = 64});
}

// CVE-2024-21802's strings; GHSA-7rxv-5jhh-j6xx: a length whose sign is lost; huge strings.
BOOST_AUTO_TEST_CASE(strings) {
  auto const string = [](std::uint64_t length) {
    return gguf_bytes().header(0, 1).text("k").u32(g_string).u64(length).zeros(40);
  };
  refused(string(all_ones), "metadata string: got 18446744073709551615");
  refused(string(all_ones - 7), "metadata string: got 18446744073709551608");
  refused(string(std::uint64_t{1} << 31), "metadata string: got 2147483648");
  refused(string(41), "metadata string: got 41, which need at least 1 bytes each, only 40 are left");
  refused(string(33), "metadata string: got 33, the limit is 32", {.string_bytes = 32});
  refused(
      gguf_bytes().header(0, 1).text("k").u32(g_array).u32(g_string).u64(3).text("a").u64(all_ones).zeros(40),
      "metadata string: got 18446744073709551615");
  gguf_bytes huge;
  huge.header(0, 1).text("k").u32(g_string).u64((1 << 24) + 1).zeros((1 << 24) + 1);
  refused(huge, "metadata string: got 16777217, the limit is 16777216");
}

// general.alignment without an upper bound: rounding up wraps to 0 (GGML_PAD), or memory is exhausted.
BOOST_AUTO_TEST_CASE(alignment) {
  refused(with_alignment(0), "metadata 'general.alignment': got 0, expected a power of two up to 1048576");
  refused(with_alignment(3), "got 3, expected a power of two");
  refused(with_alignment(1u << 21), "got 2097152, expected a power of two up to 1048576");
  refused(with_alignment(1u << 31), "got 2147483648, expected a power of two");
  refused(with_alignment(0xffffffff), "got 4294967295, expected a power of two");
  refused(gguf_bytes().header(0, 1).scalar<std::uint64_t>("general.alignment", g_u64, std::uint64_t{1} << 63),
          "got 9223372036854775808 (uint64), expected an integer from 0 to 4294967295");
  refused(gguf_bytes().header(0, 1).string("general.alignment", "32"), "got string, expected an integer");
  refused(gguf_bytes().header(0, 1).array<std::uint32_t>("general.alignment", g_u32, {32}),
          "got array of 1 uint32, expected");
  BOOST_TEST(parse(with_alignment(1).bytes).alignment() == 1u);
  BOOST_TEST(parse(with_alignment(1u << 20).bytes).alignment() == 1u << 20);
}

BOOST_AUTO_TEST_CASE(tensor_names) {
  refused(gguf_bytes().header(1, 0).tensor("", {4}, f32, 0).pad().zeros(16), "tensor name is empty");
  refused(gguf_bytes().header(1, 0).tensor(std::string(257, 'n'), {4}, f32, 0).pad().zeros(16),
          "tensor name: got 257, the limit is 256");
  refused(gguf_bytes().header(1, 0).u64(all_ones).zeros(100), "tensor name: got 18446744073709551615");
  refused(gguf_bytes().header(2, 0).tensor("w", {4}, f32, 0).tensor("w", {4}, f32, 32).pad().zeros(64),
          "two tensors have the name 'w'");
}

// gguf-tools#25, openvino.genai#4170, ggml#709: more axes than the array for them has, guarded by an assert
// only.
BOOST_AUTO_TEST_CASE(number_of_axes) {
  refused(one_tensor({1, 1, 1, 1, 1}, f32, 0, 32),
          "bad.gguf @ byte 24: tensor 'w': got 5 axes, expected at most 4");
  refused(one_tensor(std::vector<std::uint64_t>(9, 1), f32, 0, 32), "got 9 axes");
  refused(gguf_bytes().header(1, 0).text("w").u32(0xffffffff).zeros(200),
          "got 4294967295 axes, expected at most 4");
}

// CVE-2024-21802 (info->ne), CVE-2026-33298 (ggml_nbytes), zackshen/gguf#15: products of axes and sizes that
// wrap.
BOOST_AUTO_TEST_CASE(cve_2026_33298_products_that_wrap) {
  constexpr std::uint64_t two_32 = std::uint64_t{1} << 32;
  refused(one_tensor({two_32, two_32}, f32, 0, 64),
          "tensor 'w': the size 4294967296 * 4294967296 does not fit into 64 bits");
  refused(one_tensor({two_32, two_32 / 2, 2, 3}, f32, 0, 64), "does not fit into 64 bits");
  refused(one_tensor({all_ones}, f32, 0, 64),
          "tensor 'w': the size 18446744073709551615 is beyond what can be addressed");
  refused(one_tensor({std::uint64_t{1} << 63}, f32, 0, 64), "is beyond what can be addressed");
  refused(one_tensor({std::uint64_t{1} << 62}, f32, 0, 64),
          "tensor 'w': the size 4611686018427387904 * 4 does not fit into 64 bits");
  refused(one_tensor({two_32, std::uint64_t{1} << 30, 2}, f32, 0, 64), "beyond what can be addressed");
  refused(one_tensor({std::uint64_t{1} << 62, 1}, q4_1, 0, 64),
          "needs bytes ");  // fits into 64 bits, not into the file
  refused(one_tensor({0, two_32, two_32}, f32, 0, 64), "tensor 'w': has an axis of length 0");
  refused(one_tensor({4, 0}, f32, 0, 64), "has an axis of length 0");
}

BOOST_AUTO_TEST_CASE(tensor_types) {
  refused(one_tensor({4}, 99, 0, 64), "tensor 'w': unknown type 99; expected one of F32, F16, BF16, F64, I8");
  refused(one_tensor({4}, 0xffffffff, 0, 64), "unknown type 4294967295");
  refused(one_tensor({256}, 16, 0, 66), "tensor 'w': type IQ2_XXS cannot be read; expected one of F32");
  refused(one_tensor({32}, 39, 0, 66), "type MXFP4 cannot be read");
  refused(one_tensor({32}, 4, 0, 66), "type Q4_2 (withdrawn) cannot be read");
  refused(one_tensor({33}, q4_1, 0, 66),
          "tensor 'w': got 33 elements of type Q4_1, expected a multiple of 32");
  refused(one_tensor({16, 2}, q4_1, 0, 66),
          "got 16 elements of type Q4_1");  // whole blocks in all, but not in a row
}

// CVE-2025-53630 (ctx->size += ...), CVE-2026-27940 (its bypass), CVE-2026-7482 (sizes past the end: a heap
// leak).
BOOST_AUTO_TEST_CASE(cve_2025_53630_places) {
  refused(one_tensor({4}, f32, 8, 64), "tensor 'w': offset 8 is no multiple of the alignment 32");
  refused(one_tensor({4}, f32, 64, 64), "tensor 'w': needs bytes 128 to 144, the file has 128");
  refused(one_tensor({4}, f32, 0, 15), "needs bytes 64 to 80, the file has 79");
  refused(one_tensor({4}, f32, 0, 0), "needs bytes 64 to 80, the file has 64");
  refused(one_tensor({4}, f32, all_ones - 31, 64),
          "tensor 'w': the size 64 + 18446744073709551584 does not fit into 64 bits");
  refused(one_tensor({8}, f32, all_ones - 95, 64),
          "tensor 'w': the size 18446744073709551584 + 32 does not fit");  // only begin + size wraps
  refused(one_tensor({std::uint64_t{1} << 61}, f32, std::uint64_t{1} << 63, 64), "does not fit into 64 bits");
  gguf_bytes many;  // each fits by itself, the sum of all is 2^64
  many.header(4, 0);
  for (int i = 0; i < 4; ++i)
    many.tensor("w" + std::to_string(i), {std::uint64_t{1} << 60}, f32, std::uint64_t(i) << 62);
  refused(many.pad().zeros(64), "needs bytes ");
}

BOOST_AUTO_TEST_CASE(overlaps) {
  auto const two = [](std::uint64_t length_a, std::uint64_t offset_a, std::uint64_t length_b,
                      std::uint64_t offset_b) {
    return gguf_bytes()
        .header(2, 0)
        .tensor("a", {length_a}, f32, offset_a)
        .tensor("b", {length_b}, f32, offset_b)
        .pad()
        .zeros(256);
  };
  refused(two(9, 0, 4, 32), "@ byte 24: tensors 'a' and 'b' overlap");
  refused(two(4, 0, 4, 0), "overlap");
  refused(two(4, 32, 32, 0), "tensors 'b' and 'a' overlap");
  refused(two(64, 0, 1, 128), "tensors 'a' and 'b' overlap");
  BOOST_TEST(parse(two(8, 32, 8, 0).bytes).tensors().size() == 2u);  // any order, side by side
}

BOOST_AUTO_TEST_CASE(nan_weights) {
  gguf_bytes g = one_tensor({4}, f32, 0, 0);
  g.put(1.0f).put(2.0f).put(std::uint32_t{0x7fc00000}).put(4.0f);
  auto const file = parse(g.bytes);
  auto const& w = file.tensors().at("w");
  check_throws<lancet::file_error>([&] { lancet::check_finite(lancet::read_floats(w), w.name, file.path()); },
                                   "bad.gguf: tensor 'w': element 2 is NaN, expected a number");
  gguf_bytes q = one_tensor({32}, q4_1, 0,
                            0);  // an infinite scale in a block: its zero codes give NaN, the others infinity
  q.put<std::uint16_t>(0x7c00).put<std::uint16_t>(0).zeros(16);
  auto const quantised = parse(q.bytes);
  check_throws<lancet::file_error>(
      [&] { lancet::check_finite(lancet::read_floats(*quantised.tensors().begin()), "w", "q"); },
      "q: tensor 'w': element 0 is NaN");
}

// A file of 1 GiB, nearly all of it a hole: claims that fit into it are followed as far as the limits allow,
// no further.
BOOST_AUTO_TEST_CASE(bounded_memory_on_a_gibibyte) {
  temporary_folder const folder;
  std::string const path = folder / "big.gguf";
  auto const attempt = [&](gguf_bytes const& start, std::string_view sentence) {
    spill(path, {reinterpret_cast<char const*>(start.bytes.data()), start.bytes.size()});
    std::filesystem::resize_file(path, std::uint64_t{1} << 30);
    allocation_watch const watch;
    check_throws<lancet::file_error>([&] { (void)gguf_file::open(path); }, sentence);
    BOOST_TEST(watch.peak() < 128u << 20, "took " << watch.peak());
  };
  attempt(gguf_bytes().header(40'000'000, 0), "number of tensors: got 40000000, the limit is 1048576");
  attempt(gguf_bytes().header(0, 80'000'000),
          "number of metadata entries: got 80000000, the limit is 1048576");
  attempt(gguf_bytes().header(1 << 20, 1 << 20), "metadata key is empty");
  attempt(gguf_bytes().header(1, 2).text("k").u32(g_array).u32(g_string).u64(1 << 24),
          "metadata key is empty");
  attempt(gguf_bytes().header(1, 2).text("k").u32(g_array).u32(g_u8).u64(1 << 30),
          "length of metadata array: got 1073741824");
  attempt(gguf_bytes().header(0, 1).text("k").u32(g_string).u64(1 << 29),
          "metadata string: got 536870912, the limit is 16777216");
  attempt(gguf_bytes().header(1, 0).u64(1 << 20), "tensor name: got 1048576, the limit is 256");
}

// Valid files with some bytes changed: each is read or refused, and what is read can be used.
BOOST_AUTO_TEST_CASE(mutations) {
  constexpr std::uint64_t special[] = {0,
                                       1,
                                       2,
                                       9,
                                       31,
                                       32,
                                       0x7f,
                                       0xff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       std::uint64_t{1} << 32,
                                       std::uint64_t{1} << 61,
                                       std::uint64_t{1} << 62,
                                       std::uint64_t{1} << 63,
                                       all_ones - 31,
                                       all_ones};
  auto const original = small_gguf();
  int accepted = 0, rejected = 0;
  for (unsigned const seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    for (int round = 0; round < 5000; ++round) {
      std::vector<std::byte> bytes = original.bytes;
      for (std::size_t change = 0; change <= below(3); ++change) {
        switch (below(4)) {
          case 0:
            bytes[below(bytes.size())] = static_cast<std::byte>(random());
            break;
          case 1: {
            std::uint64_t const value = special[below(std::size(special))];
            std::size_t const size = below(2) == 0 ? 4 : 8;
            if (bytes.size() > size) std::memcpy(bytes.data() + below(bytes.size() - size), &value, size);
            break;
          }
          case 2:
            bytes.resize(1 + below(bytes.size()));
            break;
          default: {
            std::size_t const at = below(bytes.size());
            bytes.erase(
                bytes.begin() + static_cast<std::ptrdiff_t>(at),
                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), at + 1 + below(16))));
            if (bytes.empty()) bytes.resize(1);
          }
        }
      }
      bytes.shrink_to_fit();
      try {
        auto const file = parse(bytes);
        for (auto const& value : file.metadata()) {
          if (value.type == lancet::gguf_type::string && value.is_array)
            (void)value.as_list<std::string>("f");
        }
        for (auto const& tensor : file.tensors()) {
          if (lancet::is_dequantizable(tensor.type)) (void)lancet::read_floats(tensor);
        }
        ++accepted;
      } catch (lancet::file_error const&) {
        ++rejected;
      }
    }
  }
  BOOST_TEST_MESSAGE(accepted << " accepted, " << rejected << " rejected");
  BOOST_TEST(accepted > 100);
  BOOST_TEST(rejected > 1000);
}
